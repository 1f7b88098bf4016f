#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "merger/base/error.hpp"

// What a sweep searches: named dimensions, and the map between their values and the unit cube in
// which every sampler works.
namespace crucible::server::sampler {

using Point = std::vector<double>;  // one value a dimension; of a choice, its index

struct Dimension {
  enum class Kind { kFloat, kInt, kChoice };

  std::string name;
  Kind kind = Kind::kFloat;
  double low = 0;  // kFloat and kInt: both ends belong to the range
  double high = 1;
  bool log = false;         // even in the logarithm; needs low > 0, for kInt low >= 1
  std::size_t choices = 0;  // kChoice: the values are 0 .. choices-1

  bool operator==(const Dimension&) const = default;
};

// The named kFloat dimensions sum to `total`. A point is brought there by scaling the distances to
// the lower bounds with one common factor; a value that would pass its upper bound stops there and
// the others share the rest ("water-filling"). If all stand at their lower bounds, they share in
// proportion to their ranges. With bounds 0 and 1 and total 1 this is x_i / sum(x).
struct SumConstraint {
  std::vector<std::string> names;
  double total = 1;

  bool operator==(const SumConstraint&) const = default;
};

class SearchSpace {
 public:
  struct Cell {
    double left = 0;
    double right = 0;
  };

  SearchSpace() = default;  // no dimensions; only create() makes one that can be searched

  // kInvalidArgument with paths ("dimensions[2].low", "constraints[0].names[1]"): no dimensions or
  // more than kMostDimensions, an empty or repeated name, bounds that are not finite or cross, an
  // integer beyond 1e9, a logarithm of nothing positive, a choice among none, a constraint on
  // other than kFloat, on a dimension twice, or whose total the bounds cannot reach.
  static Result<SearchSpace> create(std::vector<Dimension> dimensions,
                                    std::vector<SumConstraint> constraints = {});
  static Result<SearchSpace> from_json(const nlohmann::json& json);
  nlohmann::json to_json() const;

  std::size_t size() const { return dimensions_.size(); }
  const std::vector<Dimension>& dimensions() const { return dimensions_; }
  const std::vector<SumConstraint>& constraints() const { return constraints_; }

  // From the unit cube, constraints applied. Coordinates beyond it count as its faces. An integer
  // or a choice of n values has n cells (equal ones, unless logarithmic) and takes the value whose
  // cell holds the coordinate. 0 and 1 give exactly low and high.
  Point decode(std::span<const double> unit) const;
  // Back: discrete values become their cell's inner point. decode(encode(p)) is p for discrete
  // values and within rounding for the rest.
  std::vector<double> encode(std::span<const double> point) const;
  // Whether a point has every dimension, each in range and, if discrete, a whole number.
  bool contains(std::span<const double> point) const;

  bool discrete(std::size_t dimension) const;
  std::size_t values(std::size_t dimension) const;        // how many values a discrete one has
  Cell cell(std::size_t dimension, double unit) const;    // of a discrete one: the cell around unit
  double snap(std::size_t dimension, double unit) const;  // discrete: to the cell's inner point

  bool operator==(const SearchSpace&) const = default;

 private:
  double decode_value(std::size_t dimension, double unit) const;
  double encode_value(std::size_t dimension, double value) const;
  void apply_constraints(Point& point) const;

  std::vector<Dimension> dimensions_;
  std::vector<SumConstraint> constraints_;
  std::vector<std::vector<std::size_t>> members_;  // of each constraint, as dimension indices
};

inline constexpr std::size_t kMostDimensions = 1000;

// Shares `total` among the parts in proportion to them, none above its cap: the water-filling of
// SumConstraint. Parts and caps are not negative, and the caps together reach the total.
std::vector<double> share(double total, std::vector<double> parts, const std::vector<double>& caps);

}  // namespace crucible::server::sampler
