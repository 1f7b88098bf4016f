#include "server/sampler/specification.hpp"

#include <array>
#include <cmath>
#include <set>
#include <string>
#include <utility>

#include "server/sampler/state_json.hpp"

namespace crucible::server::sampler {
namespace {

using nlohmann::json;
using Scramble = SobolSettings::Scramble;

constexpr std::size_t kMostGridPoints = 1'000'000;
constexpr std::size_t kMostSobolDimensions = 1000;
constexpr std::size_t kMostPopulation = 100'000;

constexpr std::array<std::pair<Scramble, const char*>, 3> kScrambles = {
    {{Scramble::kNone, "none"},
     {Scramble::kDigitalShift, "digital_shift"},
     {Scramble::kOwen, "owen"}}};

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

// Reads the members of one object, and knows which of them nobody asked for.
class Reader {
 public:
  explicit Reader(const json& object) : object_(object) {
    if (!object.is_object()) error_ = "must be an object";
  }

  void count(const char* key, std::size_t& value) {
    if (const json* found = find(key)) read_count(*found, key, value);
  }
  void number(const char* key, double& value) {
    const json* found = find(key);
    if (found == nullptr) return;
    if (!found->is_number()) return refuse(key, "must be a number");
    value = found->get<double>();
  }
  void counts(const char* key, std::vector<std::size_t>& values) {
    const json* found = find(key);
    if (found == nullptr) return;
    if (!found->is_array()) return refuse(key, "must be a list");
    values.resize(found->size());
    for (std::size_t i = 0; i < values.size(); ++i) read_count((*found)[i], key, values[i]);
  }
  void point(const char* key, std::optional<Point>& value) {
    const json* found = find(key);
    if (found == nullptr || found->is_null()) return;
    if (!found->is_array()) return refuse(key, "must be a list");
    value.emplace();
    for (const json& entry : *found) {
      if (!entry.is_number()) return refuse(key, "must hold numbers");
      value->push_back(entry.get<double>());
    }
  }
  const json* find(const char* key) {
    known_.insert(key);
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }
  void refuse(const std::string& key, const std::string& message) {
    if (error_.empty()) error_ = key + ": " + message;
  }
  // The first fault, or empty.
  std::string finish() {
    if (!error_.empty()) return error_;
    for (const auto& [key, value] : object_.items()) {
      if (!known_.contains(key)) return key + ": is not a setting here";
    }
    return {};
  }

 private:
  void read_count(const json& value, const char* key, std::size_t& target) {
    if (const auto count = sampler::read_count(value)) {
      target = *count;
    } else {
      refuse(key, "must be a whole number of at least 0");
    }
  }

  const json& object_;
  std::set<std::string> known_;
  std::string error_;
};

void read(Reader& reader, GridSettings& s) { reader.counts("counts", s.counts); }
void read(Reader&, RandomSettings&) {}
void read(Reader& reader, SobolSettings& s) {
  const json* found = reader.find("scramble");
  if (found == nullptr) return;
  for (const auto& [scramble, name] : kScrambles) {
    if (*found == name) {
      s.scramble = scramble;
      return;
    }
  }
  reader.refuse("scramble", "must be none, digital_shift or owen");
}
void read(Reader& reader, AdaptiveSettings& s) {
  reader.count("coarse", s.coarse);
  reader.number("resolution", s.resolution);
  reader.number("least_gain", s.least_gain);
  reader.count("most_trials", s.most_trials);
}
void read(Reader& reader, CmaEsSettings& s) {
  reader.number("sigma", s.sigma);
  reader.count("population", s.population);
  reader.point("start", s.start);
}
void read(Reader& reader, TpeSettings& s) {
  reader.count("startup", s.startup);
  reader.count("candidates", s.candidates);
}
void read(Reader& reader, Nsga2Settings& s) {
  reader.count("population", s.population);
  reader.count("objectives", s.objectives);
  reader.number("crossover_probability", s.crossover_probability);
  reader.number("crossover_eta", s.crossover_eta);
  reader.number("mutation_probability", s.mutation_probability);
  reader.number("mutation_eta", s.mutation_eta);
}

// Tries the alternatives of Method by name.
template <std::size_t kIndex = 0>
std::optional<Method> method_called(const std::string& name) {
  if constexpr (kIndex == std::variant_size_v<Method>) {
    return std::nullopt;
  } else {
    Method method{std::in_place_index<kIndex>};
    if (method_name(method) == name) return method;
    return method_called<kIndex + 1>(name);
  }
}

Result<Method> method_from_json(const json& object) {
  Reader reader(object);
  const json* name = reader.find("name");
  if (name == nullptr || !name->is_string()) {
    return fail(ErrorCode::kInvalidArgument, "method: name: is missing");
  }
  auto method = method_called(name->get<std::string>());
  if (!method) {
    return fail(ErrorCode::kInvalidArgument,
                "method: no sampler is called " + name->get<std::string>());
  }
  std::visit([&](auto& settings) { read(reader, settings); }, *method);
  const std::string fault = reader.finish();
  if (!fault.empty()) return fail(ErrorCode::kInvalidArgument, "method: " + fault);
  return *std::move(method);
}

json write(const GridSettings& s) { return {{"counts", s.counts}}; }
json write(const RandomSettings&) { return json::object(); }
json write(const SobolSettings& s) {
  return {{"scramble", kScrambles[static_cast<std::size_t>(s.scramble)].second}};
}
json write(const AdaptiveSettings& s) {
  return {{"coarse", s.coarse},
          {"resolution", s.resolution},
          {"least_gain", s.least_gain},
          {"most_trials", s.most_trials}};
}
json write(const CmaEsSettings& s) {
  return {{"sigma", s.sigma},
          {"population", s.population},
          {"start", s.start ? json(*s.start) : json()}};
}
json write(const TpeSettings& s) { return {{"startup", s.startup}, {"candidates", s.candidates}}; }
json write(const Nsga2Settings& s) {
  return {{"population", s.population},
          {"objectives", s.objectives},
          {"crossover_probability", s.crossover_probability},
          {"crossover_eta", s.crossover_eta},
          {"mutation_probability", s.mutation_probability},
          {"mutation_eta", s.mutation_eta}};
}

void require(bool good, const char* setting, const char* message, std::vector<Fault>& faults) {
  if (!good) faults.push_back({std::string("method.") + setting, message, ""});
}

void check_grid(const GridSettings& s, const SearchSpace& space, std::vector<Fault>& faults) {
  require(s.counts.size() == space.size(), "counts", "must hold one number a dimension", faults);
  std::size_t points = 1;
  for (std::size_t i = 0; i < s.counts.size() && faults.empty(); ++i) {
    const std::string name = "counts[" + std::to_string(i) + "]";
    const bool choice = space.dimensions()[i].kind == Dimension::Kind::kChoice;
    if (choice) require(s.counts[i] == 0, name.c_str(), "must be 0 for a choice", faults);
    if (!space.discrete(i)) require(s.counts[i] > 0, name.c_str(), "must be positive", faults);
    const std::size_t count = s.counts[i] == 0 ? space.values(i) : s.counts[i];
    require(count <= kMostGridPoints / points, "counts", "make more than a million points", faults);
    points *= count;
  }
}

void check_adaptive(const AdaptiveSettings& s, const SearchSpace& space,
                    std::vector<Fault>& faults) {
  require(space.size() == 1 && space.dimensions()[0].kind != Dimension::Kind::kChoice, "name",
          "adaptive searches one float or integer dimension", faults);
  require(s.coarse >= 3 && s.coarse <= 100, "coarse", "must be between 3 and 100", faults);
  require(s.resolution >= 1e-3 && s.resolution <= 0.25, "resolution",
          "must be between 0.001 and 0.25", faults);
  require(std::isfinite(s.least_gain) && s.least_gain >= 0, "least_gain", "must not be negative",
          faults);
  require(s.most_trials >= 1 && s.most_trials <= 200, "most_trials", "must be between 1 and 200",
          faults);
}

void check_cma_es(const CmaEsSettings& s, const SearchSpace& space, std::vector<Fault>& faults) {
  require(s.sigma > 0 && s.sigma <= 1, "sigma", "must be above 0 and at most 1", faults);
  require(s.population == 0 || (s.population >= 3 && s.population <= kMostPopulation), "population",
          "must be 0 or at least 3", faults);
  require(!s.start || space.contains(*s.start), "start", "must be a point of the space", faults);
}

void check_nsga2(const Nsga2Settings& s, std::vector<Fault>& faults) {
  const auto probability = [](double p) { return p >= 0 && p <= 1; };
  const auto index = [](double eta) { return eta >= 0 && eta <= 1000; };
  require(s.population >= 2 && s.population <= kMostPopulation, "population",
          "must be between 2 and 100000", faults);
  require(s.objectives >= 1 && s.objectives <= 100, "objectives", "must be between 1 and 100",
          faults);
  require(probability(s.crossover_probability), "crossover_probability", "must be a probability",
          faults);
  require(probability(s.mutation_probability), "mutation_probability", "must be a probability",
          faults);
  require(index(s.crossover_eta), "crossover_eta", "must be between 0 and 1000", faults);
  require(index(s.mutation_eta), "mutation_eta", "must be between 0 and 1000", faults);
}

}  // namespace

std::string_view method_name(const Method& method) {
  constexpr std::array<std::string_view, std::variant_size_v<Method>> kNames = {
      "grid", "random", "sobol", "adaptive", "cma_es", "tpe", "nsga2"};
  return kNames[method.index()];
}

std::size_t objective_count(const Method& method) {
  const auto* settings = std::get_if<Nsga2Settings>(&method);
  return settings == nullptr ? 1 : settings->objectives;
}

json to_json(const Specification& specification) {
  json method = std::visit([](const auto& s) { return write(s); }, specification.method);
  method["name"] = method_name(specification.method);
  return {{"space", specification.space.to_json()},
          {"method", std::move(method)},
          {"seed", specification.seed},
          {"budget", specification.budget}};
}

Result<Specification> specification_from_json(const json& object) {
  Reader reader(object);
  Specification specification;
  const json* space_json = reader.find("space");
  const json* method_json = reader.find("method");
  std::size_t seed = 0;
  reader.count("seed", seed);
  reader.count("budget", specification.budget);
  if (space_json == nullptr) reader.refuse("space", "is missing");
  if (method_json == nullptr) reader.refuse("method", "is missing");
  const std::string fault = reader.finish();
  if (!fault.empty()) return fail(ErrorCode::kInvalidArgument, fault);
  auto space = SearchSpace::from_json(*space_json);
  if (!space) return fail(std::move(space).error());
  auto method = method_from_json(*method_json);
  if (!method) return fail(std::move(method).error());
  specification.space = *std::move(space);
  specification.method = *std::move(method);
  specification.seed = seed;
  return specification;
}

Status check(const Specification& specification) {
  Error error{ErrorCode::kInvalidArgument, "the sampler's settings cannot be used", {}};
  std::vector<Fault>& faults = error.faults;
  const SearchSpace& space = specification.space;
  if (space.size() == 0) faults.push_back({"space", "must have a dimension", ""});
  const Overloaded check_settings = {
      [&](const GridSettings& s) { check_grid(s, space, faults); },
      [](const RandomSettings&) {},
      [&](const SobolSettings&) {
        require(space.size() <= kMostSobolDimensions, "name", "sobol takes at most 1000 dimensions",
                faults);
      },
      [&](const AdaptiveSettings& s) { check_adaptive(s, space, faults); },
      [&](const CmaEsSettings& s) { check_cma_es(s, space, faults); },
      [&](const TpeSettings& s) {
        require(s.startup >= 1, "startup", "must be at least 1", faults);
        require(s.candidates >= 1 && s.candidates <= 10'000, "candidates",
                "must be between 1 and 10000", faults);
      },
      [&](const Nsga2Settings& s) { check_nsga2(s, faults); }};
  if (faults.empty()) std::visit(check_settings, specification.method);
  if (faults.empty()) return {};
  return fail(std::move(error));
}

}  // namespace crucible::server::sampler
