#include <algorithm>

#include "evaluator/task/generate_random.hpp"
#include "merger/base/digest.hpp"

namespace crucible::task {
namespace {

struct Move {
  std::string person, thing, place;
  std::string verb = " put the ", then = " Then ";  // as the sentence has them
};

const std::vector<std::string>& people() {
  static const std::vector<std::string> kNames = {"Mia",   "Tom",   "Nora",  "Paul",
                                                  "Rita",  "Sam",   "Tessa", "Viktor",
                                                  "Wanda", "Yusuf", "Zoe",   "Otto"};
  return kNames;
}
const std::vector<std::string>& things() {
  static const std::vector<std::string> kThings = {
      "key", "letter", "torch", "map", "camera", "ticket", "wallet", "notebook", "radio", "scarf"};
  return kThings;
}
const std::vector<std::string>& places() {
  static const std::vector<std::string> kPlaces = {"drawer", "basket", "suitcase", "cupboard",
                                                   "garage", "cellar", "kitchen",  "attic",
                                                   "tent",   "shed"};
  return kPlaces;
}

// Three people put two things into places and move them, each time to another place.
std::vector<Move> draw_moves(Draws& draws) {
  static const std::vector<std::string> kVerbs = {" moved the ", " carried the ", " took the "};
  static const std::vector<std::string> kThen = {" Then ", " Later ", " After that "};
  const auto names = draws.sample(people(), 3);
  const auto objects = draws.sample(things(), 2);
  const auto rooms = draws.sample(places(), 4);
  std::vector<Move> moves = {{names[0], objects[0], rooms[0]}, {names[1], objects[1], rooms[1]}};
  std::vector<std::string> at = {rooms[0], rooms[1]};
  for (int i = 0; i < 3; ++i) {
    const std::size_t object = i == 0 ? 0 : draws.below(2);  // the first thing moves at least once
    std::vector<std::string> others = rooms;
    std::erase(others, at[object]);
    at[object] = draws.pick(others);
    moves.push_back({draws.pick(names), objects[object], at[object]});
    moves.back().verb = draws.pick(kVerbs);
    moves.back().then = draws.pick(kThen);
  }
  return moves;
}

std::string passage_of(const std::vector<Move>& moves) {
  std::string text;
  for (std::size_t i = 0; i < moves.size(); ++i) {
    const Move& move = moves[i];
    const bool is_first = i < 2;  // of its thing
    text += i == 0 ? "" : is_first ? " " : move.then;
    text += move.person + move.verb + move.thing + (is_first ? " into the " : " to the ");
    text += move.place + ".";
  }
  return text;
}

std::vector<std::string> without(std::vector<std::string> list, const std::string& entry) {
  std::erase(list, entry);
  return list;
}

// Options from the passage first, so that having read a word there is no hint.
std::vector<std::string> wrong_places(Draws& draws, const std::vector<Move>& moves,
                                      const std::string& right) {
  std::vector<std::string> near;
  for (const Move& move : moves) {
    if (move.place != right && std::ranges::find(near, move.place) == near.end()) {
      near.push_back(move.place);
    }
  }
  std::vector<std::string> far = without(places(), right);
  for (const std::string& place : near) std::erase(far, place);
  draws.shuffle(near);
  draws.shuffle(far);
  near.insert(near.end(), far.begin(), far.end());
  near.resize(3);
  for (std::string& place : near) place = "the " + place;
  return near;
}

Json place_item(Draws& draws, const std::vector<Move>& moves, const std::string& question,
                const std::string& right) {
  return choice_item(draws, passage_of(moves) + "\nQuestion: " + question, "the " + right,
                     wrong_places(draws, moves, right));
}

const Move& last_of(const std::vector<Move>& moves, const std::string& thing) {
  return *std::find_if(moves.rbegin(), moves.rend(),
                       [&](const Move& move) { return move.thing == thing; });
}

Json place_at_end(Draws& draws, const std::vector<Move>& moves) {
  const std::string& thing = moves[draws.below(2)].thing;
  return place_item(draws, moves, "Where is the " + thing + " at the end?",
                    last_of(moves, thing).place);
}

Json place_at_first(Draws& draws, const std::vector<Move>& moves) {
  const Move& first = moves[draws.below(2)];
  return place_item(draws, moves, "Where was the " + first.thing + " at first?", first.place);
}

Json last_to_move(Draws& draws, const std::vector<Move>& moves) {
  const std::string& thing = moves[0].thing;  // has been moved
  const std::string& right = last_of(moves, thing).person;
  std::vector<std::string> near;
  for (const Move& move : moves) {
    if (move.person != right && std::ranges::find(near, move.person) == near.end()) {
      near.push_back(move.person);
    }
  }
  std::vector<std::string> far = without(people(), right);
  for (const std::string& person : near) std::erase(far, person);
  draws.shuffle(far);
  near.insert(near.end(), far.begin(), far.end());
  near.resize(3);
  return choice_item(draws,
                     passage_of(moves) + "\nQuestion: Who was the last to move the " + thing + "?",
                     right, near);
}

Json times_moved(Draws& draws, const std::vector<Move>& moves) {
  const std::string& thing = moves[draws.below(2)].thing;
  std::int64_t times = -1;  // putting it somewhere is no move
  for (const Move& move : moves) times += move.thing == thing;
  static const std::vector<std::string> kTimes = {"never", "once", "twice", "three times"};
  const std::string& right = kTimes[static_cast<std::size_t>(times)];
  return choice_item(draws,
                     passage_of(moves) + "\nQuestion: How often was the " + thing +
                         " moved after it had "
                         "been put somewhere?",
                     right, without(kTimes, right));
}

// Four people who each bought something of their own on a day of their own.
struct Purchase {
  std::string person, thing, day;
  std::int64_t count = 0;
};

std::vector<Purchase> draw_purchases(Draws& draws) {
  static const std::vector<std::string> kGoods = {"apples",   "plums",   "onions",  "lemons",
                                                  "pears",    "carrots", "peaches", "turnips",
                                                  "radishes", "cherries"};
  static const std::vector<std::string> kDays = {"Monday",   "Tuesday", "Wednesday",
                                                 "Thursday", "Friday",  "Saturday"};
  std::vector<std::int64_t> counts;
  for (std::int64_t count = 2; count < 20; ++count) counts.push_back(count);
  const auto names = draws.sample(people(), 4);
  const auto goods = draws.sample(kGoods, 4);
  const auto days = draws.sample(kDays, 4);
  const auto amounts = draws.sample(counts, 4);
  std::vector<Purchase> purchases;
  for (std::size_t i = 0; i < 4; ++i)
    purchases.push_back({names[i], goods[i], days[i], amounts[i]});
  return purchases;
}

std::string passage_of(Draws& draws, const std::vector<Purchase>& purchases) {
  std::string text =
      draws.below(2) == 0 ? "Four neighbours went to the market." : "The market was open all week.";
  for (const Purchase& one : purchases) {
    const std::string what = std::to_string(one.count) + " " + one.thing;
    switch (draws.below(3)) {
      case 0:
        text += " On " + one.day + " " + one.person + " bought " + what + ".";
        break;
      case 1:
        text += " " + one.person + " bought " + what + " on " + one.day + ".";
        break;
      default:
        text += " " + one.person + " went on " + one.day + " and came back with " + what + ".";
    }
  }
  return text;
}

// All four people's (days', amounts') words are options, so that having read a word is no hint.
template <typename Field>
Json purchase_item(Draws& draws, const std::string& passage, const std::vector<Purchase>& purchases,
                   const std::string& question, std::size_t right, Field field) {
  std::vector<std::string> wrong;
  for (std::size_t i = 0; i < purchases.size(); ++i) {
    if (i != right) wrong.push_back(field(purchases[i]));
  }
  return choice_item(draws, passage + "\nQuestion: " + question, field(purchases[right]), wrong);
}

std::string person_of(const Purchase& one) { return one.person; }

Json buyer(Draws& draws, const std::string& passage, const std::vector<Purchase>& purchases) {
  const std::size_t right = draws.below(purchases.size());
  return purchase_item(draws, passage, purchases, "Who bought the " + purchases[right].thing + "?",
                       right, person_of);
}

Json amount(Draws& draws, const std::string& passage, const std::vector<Purchase>& purchases) {
  const std::size_t right = draws.below(purchases.size());
  return purchase_item(draws, passage, purchases,
                       "How many " + purchases[right].thing + " were bought?", right,
                       [](const Purchase& one) { return std::to_string(one.count); });
}

Json day_of(Draws& draws, const std::string& passage, const std::vector<Purchase>& purchases) {
  const std::size_t right = draws.below(purchases.size());
  return purchase_item(draws, passage, purchases,
                       "On which day was " + purchases[right].person + " at the market?", right,
                       [](const Purchase& one) { return one.day; });
}

Json extreme_buyer(Draws& draws, const std::string& passage,
                   const std::vector<Purchase>& purchases) {
  const bool most = draws.below(2) == 0;
  const auto [fewest, largest] = std::ranges::minmax_element(purchases, {}, &Purchase::count);
  const auto right = static_cast<std::size_t>((most ? largest : fewest) - purchases.begin());
  const std::string question =
      most ? "Who came home with the most pieces?" : "Who came home with the fewest pieces?";
  return purchase_item(draws, passage, purchases, question, right, person_of);
}

}  // namespace

std::vector<Json> draw_reading(Draws& draws) {
  std::string passage;
  std::vector<Json> items;
  if (draws.below(2) == 0) {
    const auto moves = draw_moves(draws);
    passage = passage_of(moves);
    items = {place_at_end(draws, moves), place_at_first(draws, moves), last_to_move(draws, moves),
             times_moved(draws, moves)};
  } else {
    const auto purchases = draw_purchases(draws);
    passage = passage_of(draws, purchases);
    items = {buyer(draws, passage, purchases), amount(draws, passage, purchases),
             day_of(draws, passage, purchases), extreme_buyer(draws, passage, purchases)};
  }
  const std::string cluster = sha256(passage).hex().substr(0, 16);
  draws.shuffle(items);
  items.resize(3);
  for (Json& item : items) item["cluster"] = cluster;
  return items;
}

}  // namespace crucible::task
