#include "evaluator/engine/rope_scaling.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>

namespace crucible::engine {
namespace {

using nlohmann::json;

// What holds for the layers that attend to everything, and for those with a window.
struct RopeObjects {
  const json* full = nullptr;
  const json* window = nullptr;
};

RopeObjects rope_objects(const ConfigReader& config) {
  const json* found = config.find("rope_parameters");
  if (found == nullptr) found = config.find("rope_scaling");
  if (found == nullptr || !found->is_object()) return {found, nullptr};
  const json* full = ConfigReader::find(*found, "full_attention");
  const json* window = ConfigReader::find(*found, "sliding_attention");
  return full == nullptr && window == nullptr ? RopeObjects{found, nullptr}
                                              : RopeObjects{full, window};
}

std::string type_of(const json& scaling) {
  for (const char* key : {"rope_type", "type"}) {
    const json* type = ConfigReader::find(scaling, key);
    if (type == nullptr) continue;
    return type->is_string() ? type->get<std::string>() : ConfigReader::shown(*type);
  }
  return "default";
}

tl::unexpected<Error> unsupported_type(const std::string& type, const ArchitectureTable& table) {
  std::string kinds = "default, linear, dynamic, yarn";
  if (table.rope_factors) kinds += ", llama3";
  if (table.long_rope) kinds += ", longrope";
  return fail(ErrorCode::kUnsupported, "config.json rope type '" + type +
                                           "' is not supported for " + table.model_type +
                                           "; supported: " + kinds);
}

double mscale(double factor, double scale) {
  return factor <= 1 ? 1 : 0.1 * scale * std::log(factor) + 1;
}

void read_llama3(ConfigReader& config, const json& from, RopeScaling& rope) {
  rope.low_frequency_factor = config.positive(from, "low_freq_factor", 1);
  rope.high_frequency_factor = config.positive(from, "high_freq_factor", 4);
  if (rope.high_frequency_factor <= rope.low_frequency_factor) {
    config.fault("high_freq_factor", "is not above low_freq_factor");
  }
}

void read_yarn(ConfigReader& config, const json& from, RopeScaling& rope) {
  rope.beta_fast = config.positive(from, "beta_fast", 32);
  rope.beta_slow = config.positive(from, "beta_slow", 1);
  double fallback = mscale(rope.factor, 1);
  if (ConfigReader::find(from, "mscale") != nullptr &&
      ConfigReader::find(from, "mscale_all_dim") != nullptr) {
    fallback = mscale(rope.factor, config.positive(from, "mscale", 1)) /
               mscale(rope.factor, config.positive(from, "mscale_all_dim", 1));
  }
  rope.attention_factor = config.positive(from, "attention_factor", fallback);
  const json* truncate = ConfigReader::find(from, "truncate");
  if (truncate != nullptr && *truncate != true) {
    config.fault("truncate", "is not true; llama.cpp rounds the correction range");
  }
}

std::vector<float> read_factors(ConfigReader& config, const json& from, const char* key,
                                std::size_t count) {
  const json* factors = ConfigReader::find(from, key);
  std::vector<float> values;
  if (factors == nullptr || !factors->is_array() || factors->size() != count) {
    config.fault(key, "is no list of " + std::to_string(count) + " numbers");
    return values;
  }
  for (const json& factor : *factors) {
    const float value = factor.is_number() ? factor.get<float>() : 0;
    if (!std::isfinite(value) || value <= 0) {
      config.fault(key, ConfigReader::shown(factor) + " is not a positive number");
      return values;
    }
    values.push_back(value);
  }
  return values;
}

void read_long_rope(ConfigReader& config, const json& from, std::uint32_t context,
                    std::uint32_t dimensions, RopeScaling& rope) {
  rope.short_factors = read_factors(config, from, "short_factor", dimensions / 2);
  rope.long_factors = read_factors(config, from, "long_factor", dimensions / 2);
  if (rope.original_context < 2) {
    config.fault("original_max_position_embeddings", "is below 2");
    return;
  }
  const double factor = config.positive(from, "factor", context / rope.original_context);
  const double fallback =
      factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(rope.original_context));
  rope.attention_factor = config.positive(from, "attention_factor", fallback);
}

std::uint32_t rotated(ConfigReader& config, const json* scaling, const ArchitectureTable& table,
                      std::uint32_t head_size) {
  double part = table.partial_rotary_fallback;
  for (const std::string& key : table.partial_rotary_keys) {
    part = config.positive(key, part);
    if (config.find(key) != nullptr) break;
  }
  if (scaling != nullptr) part = config.positive(*scaling, "partial_rotary_factor", part);
  const auto dimensions = static_cast<std::uint32_t>(std::min(part, 1.0) * head_size);
  if (part > 1 || dimensions < 2 || dimensions % 2 != 0) {
    config.fault("partial_rotary_factor",
                 "makes " + std::to_string(part * head_size) +
                     " of each head's dimensions rotate; an even number of them is needed");
    return 2;
  }
  return dimensions;
}

Result<std::uint32_t> read_dimensions(ConfigReader& config, const json* scaling,
                                      const ArchitectureTable& table, std::uint32_t head_size) {
  if (!table.partial_rotary_keys.empty()) return rotated(config, scaling, table, head_size);
  const json* part =
      scaling != nullptr ? ConfigReader::find(*scaling, "partial_rotary_factor") : nullptr;
  if (part == nullptr) part = config.find("partial_rotary_factor");
  if (part != nullptr && *part != 1.0) {
    return fail(ErrorCode::kUnsupported, "config.json partial_rotary_factor " + part->dump() +
                                             " is not supported for " + table.model_type);
  }
  if (head_size % 2 != 0) config.fault("head_dim", "is odd; rotary embeddings need pairs");
  return head_size;
}

RopeScaling::Kind kind_of(const std::string& type, const ArchitectureTable& table, bool& known) {
  known = true;
  if (type == "linear") return RopeScaling::Kind::kLinear;
  if (type == "llama3" && table.rope_factors) return RopeScaling::Kind::kLlama3;
  const bool plain = !table.window_layers || !table.window_layers->own_rope;
  if (type == "yarn" && plain) return RopeScaling::Kind::kYarn;
  const bool is_long = type == "longrope" || type == "su";
  if (is_long && table.long_rope) return RopeScaling::Kind::kLongRope;
  // Dynamic NTK scaling changes nothing up to max_position_embeddings, where this engine stops.
  known = type == "default" || type == "dynamic";
  return RopeScaling::Kind::kNone;
}

void read_scaling(ConfigReader& config, const json& from, std::uint32_t context, Rope& rope) {
  RopeScaling& scaling = rope.scaling;
  scaling.factor = config.positive(from, "factor", 1);
  const double original = config.positive("original_max_position_embeddings", context);
  scaling.original_context = config.positive(from, "original_max_position_embeddings", original);
  if (scaling.kind == RopeScaling::Kind::kLlama3) read_llama3(config, from, scaling);
  if (scaling.kind == RopeScaling::Kind::kYarn) read_yarn(config, from, scaling);
  if (scaling.kind == RopeScaling::Kind::kLongRope) {
    read_long_rope(config, from, context, rope.dimensions, scaling);
  }
}

}  // namespace

Result<Rope> read_rope(ConfigReader& config, const ArchitectureTable& table,
                       std::uint32_t head_size, std::uint32_t context) {
  Rope rope;
  if (!table.rotary) return rope;
  const auto [scaling, window] = rope_objects(config);
  rope.theta = config.positive("rope_theta", table.rope_theta);
  for (const std::string& key : table.rope_base_keys) rope.theta = config.positive(key, rope.theta);
  rope.window_theta = config.positive("rope_local_base_freq", 10000);
  if (scaling != nullptr && !scaling->is_object()) {
    config.fault("rope_parameters", "is not an object");
    return rope;
  }
  if (scaling != nullptr && !scaling->empty() && !scaling->contains("rope_type") &&
      !scaling->contains("type") && !scaling->contains("rope_theta")) {
    config.fault("rope_parameters", "has neither rope_type nor rope_theta");
    return rope;
  }
  if (window != nullptr) {
    rope.window_theta = config.positive(*window, "rope_theta", rope.window_theta);
    if (type_of(*window) != "default") return unsupported_type(type_of(*window), table);
  }
  if (scaling != nullptr) rope.theta = config.positive(*scaling, "rope_theta", rope.theta);
  auto dimensions = read_dimensions(config, scaling, table, head_size);
  if (!dimensions) return fail(std::move(dimensions.error()));
  rope.dimensions = *dimensions;
  if (scaling == nullptr) return rope;
  bool known = false;
  const std::string type = type_of(*scaling);
  rope.scaling.kind = kind_of(type, table, known);
  if (!known) return unsupported_type(type, table);
  if (rope.scaling.kind == RopeScaling::Kind::kNone) return rope;
  read_scaling(config, *scaling, context, rope);
  return rope;
}

std::vector<float> rope_divisors(const Rope& rope) {
  const RopeScaling& scaling = rope.scaling;
  if (scaling.kind != RopeScaling::Kind::kLlama3) return {};
  const double longest = scaling.original_context / scaling.low_frequency_factor;
  const double shortest = scaling.original_context / scaling.high_frequency_factor;
  std::vector<float> divisors;
  for (std::uint32_t i = 0; i < rope.dimensions; i += 2) {
    const double exponent = static_cast<double>(i) / rope.dimensions;
    const double wavelength = 2 * std::numbers::pi * std::pow(rope.theta, exponent);
    double divisor = 1;
    if (wavelength > longest) {
      divisor = scaling.factor;
    } else if (wavelength >= shortest) {
      const double smooth = (scaling.original_context / wavelength - scaling.low_frequency_factor) /
                            (scaling.high_frequency_factor - scaling.low_frequency_factor);
      divisor = 1 / ((1 - smooth) / scaling.factor + smooth);
    }
    divisors.push_back(static_cast<float>(divisor));
  }
  return divisors;
}

}  // namespace crucible::engine
