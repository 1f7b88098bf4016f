#include "server/sampler/space.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

namespace crucible::server::sampler {
namespace {

using Kind = Dimension::Kind;

constexpr double kLargestInteger = 1e9;
constexpr std::size_t kMostChoices = 1'000'000'000;

std::string at(const std::string& list, std::size_t index) {
  return list + "[" + std::to_string(index) + "]";
}

void check_range(const Dimension& dimension, const std::string& path, std::vector<Fault>& faults) {
  const double low = dimension.low;
  const double high = dimension.high;
  if (!std::isfinite(low) || !std::isfinite(high) || !std::isfinite(high - low)) {
    faults.push_back({path + ".low", "the bounds must be finite", ""});
    return;
  }
  if (low > high) faults.push_back({path + ".low", "must not exceed high", ""});
  if (dimension.log && !(low > 0)) {
    faults.push_back({path + ".low", "must be positive for a logarithmic dimension", ""});
  }
  if (dimension.kind != Kind::kInt) return;
  if (low != std::floor(low) || high != std::floor(high)) {
    faults.push_back({path + ".low", "the bounds of an integer must be whole numbers", ""});
  }
  if (std::abs(low) > kLargestInteger || std::abs(high) > kLargestInteger) {
    faults.push_back({path + ".low", "an integer must lie within 1e9 of zero", ""});
  }
}

void check_dimensions(const std::vector<Dimension>& dimensions, std::vector<Fault>& faults) {
  if (dimensions.empty() || dimensions.size() > kMostDimensions) {
    faults.push_back({"dimensions", "must hold between 1 and 1000 dimensions", ""});
    return;
  }
  std::set<std::string> names;
  for (std::size_t i = 0; i < dimensions.size(); ++i) {
    const std::string path = at("dimensions", i);
    if (dimensions[i].name.empty()) faults.push_back({path + ".name", "must not be empty", ""});
    if (!names.insert(dimensions[i].name).second) {
      faults.push_back({path + ".name", "is given twice", ""});
    }
    if (dimensions[i].kind != Kind::kChoice) {
      check_range(dimensions[i], path, faults);
    } else if (dimensions[i].choices == 0 || dimensions[i].choices > kMostChoices) {
      faults.push_back({path + ".choices", "must be at least 1 and at most 1e9", ""});
    }
  }
}

// The dimensions that a constraint names, or faults.
std::vector<std::size_t> find_members(const SumConstraint& constraint, const std::string& path,
                                      const std::vector<Dimension>& dimensions,
                                      std::set<std::size_t>& taken, std::vector<Fault>& faults) {
  std::vector<std::size_t> members;
  double least = 0;
  double most = 0;
  for (std::size_t i = 0; i < constraint.names.size(); ++i) {
    const std::string member_path = path + "." + at("names", i);
    const auto found = std::ranges::find(dimensions, constraint.names[i], &Dimension::name);
    if (found == dimensions.end() || found->kind != Kind::kFloat) {
      faults.push_back({member_path, "must name a float dimension", ""});
      continue;
    }
    const auto index = static_cast<std::size_t>(found - dimensions.begin());
    if (!taken.insert(index).second) {
      faults.push_back({member_path, "stands under a constraint already", ""});
    }
    members.push_back(index);
    least += found->low;
    most += found->high;
  }
  if (members.empty()) faults.push_back({path + ".names", "must name a dimension", ""});
  if (!(constraint.total >= least && constraint.total <= most)) {
    faults.push_back({path + ".total", "cannot be reached within the bounds", ""});
  }
  return members;
}

const char* kind_name(Kind kind) {
  return kind == Kind::kFloat ? "float" : kind == Kind::kInt ? "int" : "choice";
}

// The range in the scale in which it is even: of an integer half a step wider on either side.
std::pair<double, double> scaled_range(const Dimension& dimension) {
  const double margin = dimension.kind == Kind::kInt ? 0.5 : 0;
  const double low = dimension.low - margin;
  const double high = dimension.high + margin;
  if (dimension.log) return {std::log(low), std::log(high)};
  return {low, high};
}

}  // namespace

std::vector<double> share(double total, std::vector<double> parts,
                          const std::vector<double>& caps) {
  std::vector<double> shares(parts.size(), 0);
  std::vector<std::size_t> open(parts.size());
  std::iota(open.begin(), open.end(), std::size_t{0});
  while (!open.empty() && total > 0) {
    double sum = 0;
    for (const std::size_t i : open) sum += parts[i];
    if (!(sum > 0)) {
      for (const std::size_t i : open) parts[i] = caps[i];
      for (const std::size_t i : open) sum += caps[i];
      if (!(sum > 0)) break;
    }
    const double factor = total / sum;
    std::vector<std::size_t> left;
    for (const std::size_t i : open) {
      shares[i] = parts[i] * factor;
      if (!(shares[i] > caps[i])) left.push_back(i);
    }
    if (left.size() == open.size()) break;
    for (const std::size_t i : open) {
      if (shares[i] > caps[i]) total -= shares[i] = caps[i];
    }
    open = std::move(left);
  }
  return shares;
}

Result<SearchSpace> SearchSpace::create(std::vector<Dimension> dimensions,
                                        std::vector<SumConstraint> constraints) {
  Error error{ErrorCode::kInvalidArgument, "the search space cannot be used", {}};
  check_dimensions(dimensions, error.faults);
  SearchSpace space;
  std::set<std::size_t> taken;
  for (std::size_t i = 0; i < constraints.size() && error.faults.empty(); ++i) {
    space.members_.push_back(
        find_members(constraints[i], at("constraints", i), dimensions, taken, error.faults));
  }
  if (!error.faults.empty()) return fail(std::move(error));
  space.dimensions_ = std::move(dimensions);
  space.constraints_ = std::move(constraints);
  return space;
}

bool SearchSpace::discrete(std::size_t dimension) const {
  return dimensions_[dimension].kind != Kind::kFloat;
}

std::size_t SearchSpace::values(std::size_t dimension) const {
  const Dimension& d = dimensions_[dimension];
  if (d.kind == Kind::kChoice) return d.choices;
  return static_cast<std::size_t>(d.high - d.low) + 1;
}

double SearchSpace::decode_value(std::size_t dimension, double unit) const {
  const Dimension& d = dimensions_[dimension];
  unit = std::clamp(unit, 0.0, 1.0);
  if (d.kind != Kind::kFloat && !d.log) {
    const auto count = static_cast<double>(values(dimension));
    const double cell = std::min(std::floor(unit * count), count - 1);
    return d.kind == Kind::kChoice ? cell : d.low + cell;
  }
  if (unit == 0) return d.low;
  if (unit == 1) return d.high;
  const auto [low, high] = scaled_range(d);
  double value = std::lerp(low, high, unit);
  if (d.log) value = std::exp(value);
  if (d.kind == Kind::kInt) value = std::round(value);
  return std::clamp(value, d.low, d.high);
}

double SearchSpace::encode_value(std::size_t dimension, double value) const {
  const Dimension& d = dimensions_[dimension];
  if (d.kind == Kind::kChoice) return (value + 0.5) / static_cast<double>(d.choices);
  const auto [low, high] = scaled_range(d);
  if (!(high > low)) return 0.5;
  return std::clamp(((d.log ? std::log(value) : value) - low) / (high - low), 0.0, 1.0);
}

void SearchSpace::apply_constraints(Point& point) const {
  for (std::size_t c = 0; c < constraints_.size(); ++c) {
    double rest = constraints_[c].total;
    std::vector<double> parts;
    std::vector<double> caps;
    for (const std::size_t i : members_[c]) {
      rest -= dimensions_[i].low;
      parts.push_back(point[i] - dimensions_[i].low);
      caps.push_back(dimensions_[i].high - dimensions_[i].low);
    }
    const std::vector<double> shares = share(rest, std::move(parts), caps);
    for (std::size_t k = 0; k < shares.size(); ++k) {
      const Dimension& d = dimensions_[members_[c][k]];
      point[members_[c][k]] = std::clamp(d.low + shares[k], d.low, d.high);
    }
  }
}

Point SearchSpace::decode(std::span<const double> unit) const {
  Point point(size());
  for (std::size_t i = 0; i < size(); ++i) point[i] = decode_value(i, unit[i]);
  apply_constraints(point);
  return point;
}

std::vector<double> SearchSpace::encode(std::span<const double> point) const {
  std::vector<double> unit(size());
  for (std::size_t i = 0; i < size(); ++i) unit[i] = encode_value(i, point[i]);
  return unit;
}

bool SearchSpace::contains(std::span<const double> point) const {
  if (point.size() != size()) return false;
  for (std::size_t i = 0; i < size(); ++i) {
    const bool choice = dimensions_[i].kind == Kind::kChoice;
    const double low = choice ? 0 : dimensions_[i].low;
    const double high =
        choice ? static_cast<double>(dimensions_[i].choices) - 1 : dimensions_[i].high;
    if (!(point[i] >= low && point[i] <= high)) return false;
    if (discrete(i) && point[i] != std::floor(point[i])) return false;
  }
  return true;
}

SearchSpace::Cell SearchSpace::cell(std::size_t dimension, double unit) const {
  const Dimension& d = dimensions_[dimension];
  const double value = decode_value(dimension, unit);
  if (d.kind == Kind::kChoice) {
    const auto count = static_cast<double>(d.choices);
    return {value / count, (value + 1) / count};
  }
  return {encode_value(dimension, value - 0.5), encode_value(dimension, value + 0.5)};
}

double SearchSpace::snap(std::size_t dimension, double unit) const {
  return discrete(dimension) ? encode_value(dimension, decode_value(dimension, unit)) : unit;
}

nlohmann::json SearchSpace::to_json() const {
  nlohmann::json json = {{"dimensions", nlohmann::json::array()},
                         {"constraints", nlohmann::json::array()}};
  for (const Dimension& d : dimensions_) {
    nlohmann::json entry = {{"name", d.name}, {"kind", kind_name(d.kind)}};
    if (d.kind == Kind::kChoice) {
      entry["choices"] = d.choices;
    } else {
      entry.update({{"low", d.low}, {"high", d.high}, {"log", d.log}});
    }
    json["dimensions"].push_back(std::move(entry));
  }
  for (const SumConstraint& c : constraints_) {
    json["constraints"].push_back({{"names", c.names}, {"total", c.total}});
  }
  return json;
}

Result<SearchSpace> SearchSpace::from_json(const nlohmann::json& json) try {
  std::vector<Dimension> dimensions;
  for (const nlohmann::json& entry : json.at("dimensions")) {
    Dimension d;
    d.name = entry.at("name").get<std::string>();
    const auto kind = entry.at("kind").get<std::string>();
    if (kind == "choice") {
      d.kind = Kind::kChoice;
      const auto choices = entry.at("choices").get<double>();
      if (choices >= 1 && choices <= kLargestInteger && choices == std::floor(choices)) {
        d.choices = static_cast<std::size_t>(choices);
      }
    } else if (kind == "float" || kind == "int") {
      d.kind = kind == "float" ? Kind::kFloat : Kind::kInt;
      d.low = entry.at("low").get<double>();
      d.high = entry.at("high").get<double>();
      d.log = entry.value("log", false);
    } else {
      return fail(ErrorCode::kInvalidArgument, "no kind of dimension is called " + kind);
    }
    dimensions.push_back(std::move(d));
  }
  std::vector<SumConstraint> constraints;
  for (const nlohmann::json& entry : json.value("constraints", nlohmann::json::array())) {
    constraints.push_back(
        {entry.at("names").get<std::vector<std::string>>(), entry.at("total").get<double>()});
  }
  return create(std::move(dimensions), std::move(constraints));
} catch (const nlohmann::json::exception& exception) {
  return fail(ErrorCode::kInvalidArgument, std::string("search space: ") + exception.what());
}

}  // namespace crucible::server::sampler
