#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "merger/base/io.hpp"
#include "merger/lora/pattern.hpp"

namespace crucible::lora {

inline constexpr std::string_view kAdapterConfigFile = "adapter_config.json";
inline constexpr std::string_view kAdapterWeightsFile = "adapter_model.safetensors";

// adapter_config.json of a LoRA adapter (Hu et al. 2021, arXiv 2106.09685) as PEFT writes it.
class AdapterConfig {
 public:
  // kNotFound without the file, kCorrupt when a field has a wrong type, kUnsupported for another
  // kind of adapter or a setting that changes more than W + scale * B A; both name the field.
  static Result<AdapterConfig> read(const std::filesystem::path& path,
                                    io::Syscalls& calls = io::system());

  bool fan_in_fan_out() const { return fan_in_fan_out_; }  // weights stored [in, out]
  bool is_dora() const { return is_dora_; }
  // Of one module; the first pattern that matches its name decides, else the general value.
  Result<std::uint64_t> rank_of(std::string_view module) const;
  // alpha / r; with rank stabilisation (Kalajdzievski 2023, arXiv 2312.03732) alpha / sqrt(r).
  Result<double> scale_of(std::string_view module) const;

 private:
  struct PatternValue {
    Pattern pattern;
    double value = 0;
  };
  using PatternValues = std::vector<PatternValue>;  // in the file's order
  static Result<double> value_of(const PatternValues& values, std::string_view module,
                                 double general);
  friend class AdapterConfigReader;

  double rank_ = 0;
  double alpha_ = 0;
  bool is_rank_stabilised_ = false;
  bool fan_in_fan_out_ = false;
  bool is_dora_ = false;
  PatternValues rank_pattern_;
  PatternValues alpha_pattern_;
};

}  // namespace crucible::lora
