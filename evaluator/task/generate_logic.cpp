#include <algorithm>
#include <bit>

#include "evaluator/task/generate_random.hpp"

namespace crucible::task {
namespace {

const std::vector<std::string>& people() {
  static const std::vector<std::string> kNames = {"Anna", "Ben",  "Cora", "Dan",  "Emma", "Fred",
                                                  "Gina", "Hans", "Ivy",  "Jack", "Kate", "Liam",
                                                  "Mara", "Noah", "Olga", "Pete"};
  return kNames;
}

struct Relation {
  const char* more;   // "taller"
  const char* most;   // "tallest"
  const char* least;  // "shortest"
};

// "Anna is taller than Ben." for neighbours of a hidden order, in random order of sentences.
Json ordering(Draws& draws) {
  static const std::vector<Relation> kRelations = {{"taller", "tallest", "shortest"},
                                                   {"older", "oldest", "youngest"},
                                                   {"faster", "fastest", "slowest"},
                                                   {"heavier", "heaviest", "lightest"}};
  const Relation& relation = draws.pick(kRelations);
  const auto order = draws.sample(people(), 4);
  std::vector<std::string> sentences;
  for (std::size_t i = 0; i + 1 < order.size(); ++i) {
    sentences.push_back(order[i] + " is " + relation.more + " than " + order[i + 1] + ".");
  }
  draws.shuffle(sentences);
  std::string question = "Question: ";
  for (const std::string& sentence : sentences) question += sentence + " ";
  static const std::vector<std::string> kPlaces = {"the ", "the second ", "the third ", "the "};
  const std::size_t place = draws.below(4);
  const std::string degree = place == 3 ? relation.least : relation.most;
  question += "Who is " + kPlaces[place] + degree + "?";
  std::vector<std::string> wrong = order;
  wrong.erase(wrong.begin() + static_cast<std::ptrdiff_t>(place));
  return choice_item(draws, question, order[place], wrong);
}

// Labels of boxes, exactly one of which is true; the coin's box follows.
struct Label {
  std::size_t box;
  bool is_in;
};

bool only_one_true(const std::vector<Label>& labels, std::size_t coin) {
  return 1 == std::ranges::count_if(labels, [coin](const Label& label) {
           return (label.box == coin) == label.is_in;
         });
}

Json labels(Draws& draws) {
  static const std::vector<std::string> kColours = {"red",    "blue",  "green", "white",
                                                    "yellow", "black", "brown", "grey"};
  const auto colours = draws.sample(kColours, 3);
  while (true) {
    std::vector<Label> labels;
    for (int i = 0; i < 3; ++i) labels.push_back({draws.below(3), draws.below(2) == 0});
    std::vector<std::size_t> possible;
    for (std::size_t coin = 0; coin < 3; ++coin) {
      if (only_one_true(labels, coin)) possible.push_back(coin);
    }
    if (possible.size() != 1) continue;
    std::string question = "Question: A coin lies in one of three boxes.";
    for (std::size_t i = 0; i < 3; ++i) {
      question += " The label of the " + colours[i] + " box says: \"The coin is " +
                  (labels[i].is_in ? "" : "not ") + "in the " + colours[labels[i].box] + " box.\"";
    }
    question += " Exactly one of the three labels is true. In which box is the coin?";
    std::vector<std::string> wrong;
    for (std::size_t i = 0; i < 3; ++i) {
      if (i != possible[0]) wrong.push_back("the " + colours[i] + " box");
    }
    return choice_item(draws, question, "the " + colours[possible[0]] + " box", wrong);
  }
}

std::string invented_word(Draws& draws) {
  static const std::vector<std::string> kStarts = {"b", "d", "f", "g", "k", "l", "m",
                                                   "n", "p", "r", "t", "v", "z"};
  static const std::vector<std::string> kVowels = {"a", "e", "i", "o", "u"};
  static const std::vector<std::string> kEnds = {"b", "g", "k", "lm", "m", "nd", "p", "rk", "v"};
  return draws.pick(kStarts) + draws.pick(kVowels) + draws.pick(kStarts) + draws.pick(kVowels) +
         draws.pick(kEnds);
}

std::vector<std::string> invented_words(Draws& draws, std::size_t count) {
  std::vector<std::string> words;
  while (words.size() < count) {
    const std::string word = invented_word(draws);
    if (std::ranges::find(words, word) == words.end()) words.push_back(word);
  }
  return words;
}

// All A are B, all B are C; no C is D. What follows of an A; or of one that is no C.
Json kinds(Draws& draws) {
  const auto words = invented_words(draws, 5);
  const std::string& name = draws.pick(people());
  std::vector<std::string> premises = {"Every " + words[0] + " is a " + words[1] + ".",
                                       "Every " + words[1] + " is a " + words[2] + ".",
                                       "No " + words[2] + " is a " + words[3] + ".",
                                       "Every " + words[3] + " is a " + words[4] + "."};
  draws.shuffle(premises);
  std::string question = "Question: ";
  for (const std::string& premise : premises) question += premise + " ";
  const std::size_t given = draws.below(3);  // of these three, what can be said of C and D differs
  const std::string is = name + " is a ", is_not = name + " is not a ";
  std::string right;
  std::vector<std::string> wrong;
  // Two options affirm and two deny, whichever is right.
  const bool affirm = draws.below(2) == 0;
  if (given == 0) {  // an A: it is a B and a C, and no D
    right = affirm ? is + words[2] : is_not + words[3];
    wrong = {affirm ? is_not + words[2] : is + words[3], is + words[4], is_not + words[1]};
  } else if (given == 1) {  // a D: it is an E, no C, so no B and no A
    right = affirm ? is + words[4] : is_not + words[0];
    wrong = {affirm ? is_not + words[3] : is + words[0], is + words[2], is_not + words[4]};
  } else {  // a B: it is a C and no D; of A nothing is known
    right = affirm ? is + words[2] : is_not + words[3];
    wrong = {affirm ? is_not + words[1] : is + words[0], is + words[3], is_not + words[2]};
  }
  const std::size_t fact = given == 0 ? 0 : given == 1 ? 3 : 1;
  question += name + " is a " + words[fact] + ". Which of these must be true?";
  return choice_item(draws, question, right, wrong);
}

// One sentence about a row of people, and whether a row agrees with it. Rows hold the people's
// numbers from left to right.
using Row = std::vector<std::size_t>;
struct Clue {
  std::string text;
  std::size_t first, second;
  enum class Kind { kNextTo, kNotNextTo, kLeftOf, kAtAnEnd, kAtNoEnd } kind;

  bool agrees(const Row& row) const {
    const auto a = std::ranges::find(row, first) - row.begin();
    const auto b = std::ranges::find(row, second) - row.begin();
    const bool is_end = a == 0 || a + 1 == std::ssize(row);
    switch (kind) {
      case Kind::kNextTo:
        return a - b == 1 || b - a == 1;
      case Kind::kNotNextTo:
        return a - b > 1 || b - a > 1;
      case Kind::kLeftOf:
        return a < b;
      case Kind::kAtAnEnd:
        return is_end;
      case Kind::kAtNoEnd:
        return !is_end;
    }
    return false;
  }
};

Clue draw_clue(Draws& draws, const std::vector<std::string>& names) {
  using enum Clue::Kind;
  static const std::vector<Clue::Kind> kKinds = {kNextTo, kNotNextTo, kLeftOf, kAtAnEnd, kAtNoEnd};
  static const std::vector<std::string> kWords = {" sits next to ", " does not sit next to ",
                                                  " sits somewhere to the left of ",
                                                  " sits at one end", " sits at neither end"};
  const std::size_t kind = draws.below(kKinds.size());
  Row who = draws.sample(Row{0, 1, 2, 3}, 2);
  const bool of_two = kind < 3;
  std::string text = names[who[0]] + kWords[kind] + (of_two ? names[who[1]] : "") + ".";
  return {std::move(text), who[0], who[1], kKinds[kind]};
}

std::vector<Row> rows_that_agree(const std::vector<Clue>& clues) {
  Row row = {0, 1, 2, 3};
  std::vector<Row> rows;
  do {
    if (std::ranges::all_of(clues, [&](const Clue& clue) { return clue.agrees(row); })) {
      rows.push_back(row);
    }
  } while (std::ranges::next_permutation(row).found);
  return rows;
}

// Four people in a row: clues are added until one row is left.
Json seats(Draws& draws) {
  const auto names = draws.sample(people(), 4);
  std::vector<Clue> clues;
  std::vector<Row> rows = rows_that_agree(clues);
  while (rows.size() > 1) {
    clues.push_back(draw_clue(draws, names));
    const auto left = rows_that_agree(clues);
    if (left.empty() || left.size() == rows.size()) {
      clues.pop_back();  // contradicts the others, or says nothing new
    } else {
      rows = left;
    }
  }
  std::string question = "Question: Four people sit in a row: " + names[0] + ", " + names[1] +
                         ", " + names[2] + " and " + names[3] + ".";
  for (const Clue& clue : clues) question += " " + clue.text;
  static const std::vector<std::string> kPlaces = {"at the left end", "second from the left",
                                                   "second from the right", "at the right end"};
  const std::size_t place = draws.below(4);
  std::vector<std::string> wrong = names;
  const std::string& right = names[rows[0][place]];
  std::erase(wrong, right);
  return choice_item(draws, question + " Who sits " + kPlaces[place] + "?", right, wrong);
}

// What one of three says of another: that he lies, or that he tells the truth; or of both others,
// that they are of one kind.
struct Saying {
  std::size_t speaker, of;
  enum class Kind { kLies, kIsTruthful, kOthersAlike } kind;

  bool is_true(unsigned truthful) const {
    const auto tells = [&](std::size_t who) { return (truthful >> who & 1U) != 0; };
    if (kind == Kind::kOthersAlike) return tells((speaker + 1) % 3) == tells((speaker + 2) % 3);
    return tells(of) == (kind == Kind::kIsTruthful);
  }
};

std::vector<unsigned> worlds_of(const std::vector<Saying>& sayings) {
  std::vector<unsigned> worlds;
  for (unsigned truthful = 0; truthful < 8; ++truthful) {
    const bool fits = std::ranges::all_of(sayings, [&](const Saying& saying) {
      return saying.is_true(truthful) == ((truthful >> saying.speaker & 1U) != 0);
    });
    if (fits) worlds.push_back(truthful);
  }
  return worlds;
}

// Three people who always lie or always tell the truth; one of them is the only one of his kind.
Json liars(Draws& draws) {
  using enum Saying::Kind;
  static const std::vector<Saying::Kind> kKinds = {kLies, kIsTruthful, kOthersAlike};
  const auto names = draws.sample(people(), 3);
  while (true) {
    std::vector<Saying> sayings;
    for (std::size_t i = 0; i < 3; ++i) {
      sayings.push_back({i, (i + 1 + draws.below(2)) % 3, draws.pick(kKinds)});
    }
    const auto worlds = worlds_of(sayings);
    if (worlds.size() != 1 || worlds[0] == 0 || worlds[0] == 7) continue;
    std::string question = "Question: " + names[0] + ", " + names[1] + " and " + names[2] +
                           " each either always tell the truth or always lie.";
    for (const Saying& saying : sayings) {
      const std::string both = names[(saying.speaker + 1) % 3] + " and " +
                               names[(saying.speaker + 2) % 3] + " are of the same kind.";
      const std::string one =
          names[saying.of] + (saying.kind == kLies ? " lies." : " tells the truth.");
      question += " " + names[saying.speaker] + " says: \"" +
                  (saying.kind == kOthersAlike ? both : one) + "\"";
    }
    const bool one_truthful = std::popcount(worlds[0]) == 1;
    std::vector<std::string> wrong;
    std::string right;
    for (std::size_t i = 0; i < 3; ++i) {
      const bool tells = (worlds[0] >> i & 1U) != 0;
      if (tells == one_truthful) {
        right = names[i];
      } else {
        wrong.push_back(names[i]);
      }
    }
    question += one_truthful ? " Who tells the truth?" : " Who lies?";
    return choice_item(draws, question, right, wrong);
  }
}

}  // namespace

std::vector<Json> draw_logic(Draws& draws) {
  static const std::vector<Json (*)(Draws&)> kForms = {ordering, labels, kinds, seats, liars};
  return {draws.pick(kForms)(draws)};
}

}  // namespace crucible::task
