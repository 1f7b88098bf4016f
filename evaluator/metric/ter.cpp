#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "evaluator/metric/corpus_metrics.hpp"
#include "evaluator/text/strings.hpp"

// Translation edit rate with the search limits of Tercom, as sacrebleu has them.
namespace crucible::metric {
namespace {

constexpr int kMaxShiftSize = 10;
constexpr int kMaxShiftDistance = 50;
constexpr int kBeamWidth = 25;
constexpr int kMaxShiftCandidates = 1000;
constexpr int kInfinity = std::numeric_limits<int>::max() / 2;

using Words = std::vector<int>;  // each word by its number

struct Cell {
  int cost = kInfinity;
  char operation = 'x';
};

struct Distance {
  int edits = 0;
  std::string operations;  // ' ' same, 's' substitution, 'i' insertion, 'd' deletion
};

// Edits that turn `hypothesis` into `reference`, within a beam around the diagonal.
Distance edit_distance(const Words& hypothesis, const Words& reference) {
  const int rows = static_cast<int>(hypothesis.size());
  const int columns = static_cast<int>(reference.size());
  const double ratio = rows > 0 ? static_cast<double>(columns) / rows : 1.0;
  const int beam =
      kBeamWidth < ratio / 2 ? static_cast<int>(std::ceil(ratio / 2 + kBeamWidth)) : kBeamWidth;
  const auto width = static_cast<std::size_t>(columns + 1);
  std::vector<Cell> cells(static_cast<std::size_t>(rows + 1) * width);
  const auto at = [&](int i, int j) -> Cell& {
    return cells[static_cast<std::size_t>(i) * width + static_cast<std::size_t>(j)];
  };
  for (int j = 0; j <= columns; ++j) at(0, j) = {j, 'i'};
  for (int i = 1; i <= rows; ++i) {
    const int diagonal = static_cast<int>(std::floor(i * ratio));
    const int first = std::max(0, diagonal - beam);
    const int last = i == rows ? columns + 1 : std::min(columns + 1, diagonal + beam);
    for (int j = first; j < last; ++j) {
      if (j == 0) {
        at(i, 0) = {at(i - 1, 0).cost + 1, 'd'};
        continue;
      }
      const bool same =
          hypothesis[static_cast<std::size_t>(i - 1)] == reference[static_cast<std::size_t>(j - 1)];
      const auto offer = [&](int cost, char operation) {
        if (at(i, j).cost > cost) at(i, j) = {cost, operation};
      };
      offer(at(i - 1, j - 1).cost + (same ? 0 : 1), same ? ' ' : 's');
      offer(at(i - 1, j).cost + 1, 'd');
      offer(at(i, j - 1).cost + 1, 'i');
    }
  }
  Distance out{at(rows, columns).cost, {}};
  for (int i = rows, j = columns; i > 0 || j > 0;) {
    const char operation = at(i, j).operation;
    if (operation == 'x') break;
    out.operations += operation;
    if (operation != 'i') --i;
    if (operation != 'd') --j;
  }
  std::reverse(out.operations.begin(), out.operations.end());
  return out;
}

// Where the reference's words come from, and which words of either side are wrong.
struct Alignment {
  std::map<int, int> place;  // reference place -> hypothesis place
  std::vector<int> reference_errors;
  std::vector<int> hypothesis_errors;
};
Alignment align(const std::string& operations) {
  Alignment out;
  int hypothesis = -1;
  int reference = -1;
  for (const char operation : operations) {
    const int error = operation == ' ' ? 0 : 1;
    if (operation != 'i') {  // a word of the hypothesis is used up
      ++hypothesis;
      out.hypothesis_errors.push_back(error);
    }
    if (operation != 'd') {
      ++reference;
      out.place[reference] = hypothesis;
      out.reference_errors.push_back(error);
    }
  }
  return out;
}

Words shifted(const Words& words, int start, int length, int target) {
  Words out;
  const auto add = [&](int from, int to) {
    to = std::min(to, static_cast<int>(words.size()));
    if (from < to) out.insert(out.end(), words.begin() + from, words.begin() + to);
  };
  const int size = static_cast<int>(words.size());
  if (target < start) {
    add(0, target), add(start, start + length), add(target, start), add(start + length, size);
  } else if (target > start + length) {
    add(0, start), add(start + length, target), add(start, start + length), add(target, size);
  } else {
    add(0, start), add(start + length, length + target), add(start, start + length);
    add(length + target, size);
  }
  return out;
}

struct Shift {
  int gain = 0;
  int length = 0;
  int start = 0;
  int target = 0;
  Words words;

  // Larger gain, longer, earlier start, earlier target.
  auto rank() const { return std::tuple(gain, length, -start, -target); }
};

int sum(const std::vector<int>& values, int from, int length) {
  int total = 0;
  const int end = std::min(from + length, static_cast<int>(values.size()));
  for (int i = from; i < end; ++i) total += values[static_cast<std::size_t>(i)];
  return total;
}

class ShiftSearch {
 public:
  ShiftSearch(Words hypothesis, const Words& reference)
      : words_(std::move(hypothesis)), reference_(reference) {}

  int total_edits() {
    int shifts = 0;
    while (true) {
      std::optional<Shift> best = best_shift();
      if (candidates_ >= kMaxShiftCandidates || !best || best->gain <= 0) break;
      ++shifts;
      words_ = std::move(best->words);
    }
    return shifts + edit_distance(words_, reference_).edits;
  }

 private:
  std::optional<Shift> best_shift() {
    const Distance before = edit_distance(words_, reference_);
    const Alignment alignment = align(before.operations);
    std::optional<Shift> best;
    const int rows = static_cast<int>(words_.size());
    const int columns = static_cast<int>(reference_.size());
    for (int start = 0; start < rows; ++start) {
      for (int place = 0; place < columns; ++place) {
        if (std::abs(place - start) > kMaxShiftDistance) continue;
        for (int length = 1; length <= kMaxShiftSize; ++length) {
          if (start + length > rows || place + length > columns ||
              words_[static_cast<std::size_t>(start + length - 1)] !=
                  reference_[static_cast<std::size_t>(place + length - 1)]) {
            break;
          }
          try_targets(before.edits, alignment, start, place, length, best);
          if (candidates_ >= kMaxShiftCandidates) return best;
        }
      }
    }
    return best;
  }

  // Moves words [start, start + length) before each place around reference word `place`.
  void try_targets(int edits, const Alignment& alignment, int start, int place, int length,
                   std::optional<Shift>& best) {
    if (sum(alignment.hypothesis_errors, start, length) == 0) return;
    if (sum(alignment.reference_errors, place, length) == 0) return;
    const auto aligned = alignment.place.find(place);
    if (aligned == alignment.place.end()) return;
    if (start <= aligned->second && aligned->second < start + length) return;
    int previous = -1;
    for (int offset = -1; offset < length; ++offset) {
      int target = 0;
      if (place + offset != -1) {
        const auto found = alignment.place.find(place + offset);
        if (found == alignment.place.end()) break;
        target = found->second + 1;
      }
      if (target == previous) continue;
      previous = target;
      Shift shift{0, length, start, target, shifted(words_, start, length, target)};
      shift.gain = edits - edit_distance(shift.words, reference_).edits;
      ++candidates_;
      if (!best || shift.rank() > best->rank()) best = std::move(shift);
    }
  }

  Words words_;
  const Words& reference_;
  int candidates_ = 0;
};

}  // namespace

SegmentSums ter_sums(std::string_view reference, std::string_view prediction) {
  std::map<std::string, int> numbers;
  const auto words = [&](std::string_view line) {
    Words out;
    for (const std::string& word : text::split(std::string_view(text::lower(line)))) {
      out.push_back(numbers.emplace(word, static_cast<int>(numbers.size())).first->second);
    }
    return out;
  };
  const Words expected = words(reference);
  Words given = words(prediction);
  if (expected.empty()) return {static_cast<double>(given.size()), 0.0};
  return {static_cast<double>(ShiftSearch(std::move(given), expected).total_edits()),
          static_cast<double>(expected.size())};
}

double ter_from(const SegmentSums& sums) {
  if (sums[1] > 0) return 100 * (sums[0] / sums[1]);
  return sums[0] > 0 ? 100 : 0;
}

}  // namespace crucible::metric
