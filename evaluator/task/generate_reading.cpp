#include <algorithm>

#include "evaluator/task/generate_random.hpp"
#include "merger/base/digest.hpp"

namespace crucible::task {
namespace {

struct Move {
  std::string person, thing, place;
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
  }
  return moves;
}

std::string passage_of(const std::vector<Move>& moves) {
  std::string text;
  for (std::size_t i = 0; i < moves.size(); ++i) {
    const Move& move = moves[i];
    text += (i == 0  ? ""
             : i < 2 ? " "
                     : " Then ") +
            move.person + (i < 2 ? " put the " : " moved the ") + move.thing +
            (i < 2 ? " into" : " to") + " the " + move.place + ".";
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
  const std::string right = kTimes[static_cast<std::size_t>(times)];
  return choice_item(draws,
                     passage_of(moves) + "\nQuestion: How often was the " + thing +
                         " moved after it had "
                         "been put somewhere?",
                     right, without(kTimes, right));
}

}  // namespace

std::vector<Json> draw_reading(Draws& draws) {
  const auto moves = draw_moves(draws);
  std::vector<Json> items = {place_at_end(draws, moves), place_at_first(draws, moves),
                             last_to_move(draws, moves), times_moved(draws, moves)};
  const std::string cluster = sha256(passage_of(moves)).hex().substr(0, 16);
  draws.shuffle(items);
  items.resize(3);
  for (Json& item : items) item["cluster"] = cluster;
  return items;
}

}  // namespace crucible::task
