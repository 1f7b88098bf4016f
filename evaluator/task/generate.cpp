#include "evaluator/task/generate.hpp"

#include <set>
#include <utility>

#include "evaluator/task/generate_random.hpp"
#include "merger/base/digest.hpp"

namespace crucible::task {
namespace {

constexpr std::size_t kCountLimit = 100'000;
constexpr int kRedraws = 1000;  // of one item that repeats earlier ones

using Draw = std::vector<Json> (*)(Draws&);

const std::vector<std::pair<std::string, Draw>>& generators() {
  static const std::vector<std::pair<std::string, Draw>> kAll = {
      {"arithmetic", draw_arithmetic}, {"logic", draw_logic}, {"reading", draw_reading}};
  return kAll;
}

// Seeds of neighbouring numbers must not give related streams.
std::uint64_t stream_seed(const std::string& kind, std::uint64_t seed, std::size_t draw) {
  Sha256 hash;
  hash.field("crucible.generate.1").field(kind).field(std::to_string(seed));
  const Digest digest = hash.field(std::to_string(draw)).finish();
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = value << 8 | digest.bytes()[i];
  return value;
}

}  // namespace

Json choice_item(Draws& draws, const std::string& question, const std::string& right,
                 const std::vector<std::string>& wrong) {
  std::vector<std::string> choices = wrong;
  draws.shuffle(choices);
  const std::size_t gold = draws.below(choices.size() + 1);
  choices.insert(choices.begin() + static_cast<std::ptrdiff_t>(gold), right);
  return {{"query", question + "\nAnswer:"}, {"choices", choices}, {"gold", gold}};
}

std::vector<std::string> generator_kinds() {
  std::vector<std::string> kinds;
  for (const auto& [kind, draw] : generators()) kinds.push_back(kind);
  return kinds;
}

Result<std::vector<Json>> generate_items(const std::string& kind, std::size_t count,
                                         std::uint64_t seed) {
  Draw draw = nullptr;
  for (const auto& [name, function] : generators()) {
    if (name == kind) draw = function;
  }
  if (draw == nullptr) {
    return fail(ErrorCode::kInvalidArgument,
                "'" + kind + "' is no kind of fresh items; use arithmetic, logic or reading");
  }
  if (count > kCountLimit) {
    return fail(ErrorCode::kInvalidArgument, "at most 100000 items can be asked for");
  }
  std::vector<Json> items;
  std::set<std::string> asked;
  int repeated = 0;
  for (std::size_t number = 0; items.size() < count; ++number) {
    Draws draws(stream_seed(kind, seed, number));
    const std::size_t before = items.size();
    for (Json& item : draw(draws)) {
      const std::string query = item["query"].get<std::string>();
      if (items.size() < count && asked.insert(query).second) items.push_back(std::move(item));
    }
    repeated = items.size() > before ? 0 : repeated + 1;
    if (repeated > kRedraws) {
      return fail(ErrorCode::kInternal, "generator '" + kind + "' has no more new items");
    }
  }
  return items;
}

}  // namespace crucible::task
