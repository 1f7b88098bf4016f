#include "merger/lora/adapter_config.hpp"

#include <array>
#include <cmath>

#include "merger/base/json_text.hpp"
#include "merger/checkpoint/json_file.hpp"

namespace crucible::lora {

using nlohmann::json;
using nlohmann::ordered_json;

class AdapterConfigReader {
 public:
  AdapterConfigReader(const std::filesystem::path& path, const ordered_json& config)
      : path_(path), config_(config) {}

  Result<AdapterConfig> read() {
    if (auto status = check_kind(); !status) return fail(std::move(status.error()));
    AdapterConfig result;
    const auto rank = number("r");
    if (!rank) return fail(rank.error());
    const auto alpha = number("lora_alpha");
    if (!alpha) return fail(alpha.error());
    result.rank_ = *rank;
    result.alpha_ = *alpha;
    result.is_rank_stabilised_ = is_set("use_rslora");
    result.fan_in_fan_out_ = is_set("fan_in_fan_out");
    result.is_dora_ = is_set("use_dora");
    auto ranks = pattern("rank_pattern");
    if (!ranks) return fail(std::move(ranks.error()));
    auto alphas = pattern("alpha_pattern");
    if (!alphas) return fail(std::move(alphas.error()));
    result.rank_pattern_ = std::move(*ranks);
    result.alpha_pattern_ = std::move(*alphas);
    return result;
  }

 private:
  // A setting counts as absent when it is null, false, 0, "" or empty.
  bool is_set(const char* name) const {
    const auto found = config_.find(name);
    if (found == config_.end() || found->is_null()) return false;
    if (found->is_boolean()) return found->get<bool>();
    if (found->is_string()) return !found->get_ref<const std::string&>().empty();
    if (found->is_number()) return found->get<double>() != 0;
    return !found->empty();
  }

  tl::unexpected<Error> unsupported(const std::string& what) const {
    return fail(ErrorCode::kUnsupported,
                path_.string() + ": " + what +
                    "; merge the adapter with PEFT's merge_and_unload and use the result");
  }

  Status check_kind() const {
    const auto type = config_.find("peft_type");
    if (type == config_.end() || !type->is_string()) {
      return fail(ErrorCode::kCorrupt, path_.string() + ": peft_type must be a string");
    }
    if (*type != "LORA") {
      return unsupported("peft_type is " + type->get<std::string>() + ", only LORA is folded");
    }
    struct Refused {
      const char* field;
      const char* reason;
    };
    constexpr std::array<Refused, 10> kRefused = {{
        {"target_parameters", "adapters on single parameters (packed experts) are not folded"},
        {"trainable_token_indices", "adapters of single token rows are not folded"},
        {"layer_replication", "replicated layers are not folded"},
        {"alora_invocation_tokens", "an activated LoRA acts on some tokens only"},
        {"arrow_config", "a router over several adapters cannot be folded"},
        {"use_qalora", "QALoRA is not folded"},
        {"use_bdlora", "block-diagonal LoRA is not folded"},
        {"velora_config", "VeLoRA is not folded"},
        {"monteclora_config", "MonteCLoRA is not folded"},
        {"kasa_config", "KaSA changes the base model's weights"},
    }};
    for (const Refused& refused : kRefused) {
      if (is_set(refused.field)) {
        return unsupported(std::string(refused.field) + " is set: " + refused.reason);
      }
    }
    return check_initialisation();
  }

  // Some initialisations change the base weights when the adapter is loaded (PiSSA subtracts the
  // principal part), so B A alone is not the difference.
  Status check_initialisation() const {
    const auto found = config_.find("init_lora_weights");
    if (found == config_.end() || !found->is_string()) return {};
    const std::string& kind = found->get_ref<const std::string&>();
    if (kind == "gaussian" || kind == "eva" || kind == "orthogonal") return {};
    return unsupported("init_lora_weights is \"" + kind +
                       "\", which changes the base model's weights");
  }

  Result<double> number(const std::string& name) const {
    const auto found = config_.find(name);
    if (found == config_.end() || !found->is_number() || !(found->get<double>() > 0)) {
      return fail(ErrorCode::kCorrupt, path_.string() + ": " + name + " must be a positive number");
    }
    return found->get<double>();
  }

  Result<AdapterConfig::PatternValues> pattern(const std::string& name) const {
    AdapterConfig::PatternValues values;
    const auto found = config_.find(name);
    if (found == config_.end() || found->is_null()) return values;
    if (!found->is_object()) {
      return fail(ErrorCode::kCorrupt, path_.string() + ": " + name + " must be an object");
    }
    for (const auto& [key, value] : found->items()) {
      if (!value.is_number() || !(value.get<double>() > 0)) {
        return fail(ErrorCode::kCorrupt,
                    path_.string() + ": " + name + "." + key + " must be a positive number");
      }
      auto compiled = Pattern::compile_module_key(key);
      if (!compiled) return fail(std::move(compiled.error()).with_context(path_.string()));
      values.push_back({std::move(*compiled), value.get<double>()});
    }
    return values;
  }

  const std::filesystem::path& path_;
  const ordered_json& config_;
};

Result<AdapterConfig> AdapterConfig::read(const std::filesystem::path& path, io::Syscalls& calls) {
  const auto checked = checkpoint::read_json_object(path, checkpoint::kConfigLimitBytes, calls);
  if (!checked) return fail(checked.error());
  // Read again in the file's order, which decides between patterns.
  const auto text = io::read_text(path, checkpoint::kConfigLimitBytes, calls);
  if (!text) return fail(text.error());
  const auto config = parse_untrusted_json<ordered_json>(*text);
  if (!config.is_object()) {
    return fail(ErrorCode::kCorrupt, path.string() + " changed while it was read");
  }
  return AdapterConfigReader(path, config).read();
}

Result<double> AdapterConfig::value_of(const PatternValues& values, std::string_view module,
                                       double general) {
  for (const PatternValue& entry : values) {
    const auto matches = entry.pattern.matches(module);
    if (!matches) return fail(matches.error());
    if (*matches) return entry.value;
  }
  return general;
}

Result<std::uint64_t> AdapterConfig::rank_of(std::string_view module) const {
  const auto rank = value_of(rank_pattern_, module, rank_);
  if (!rank) return fail(rank.error());
  return static_cast<std::uint64_t>(*rank);
}

Result<double> AdapterConfig::scale_of(std::string_view module) const {
  const auto rank = rank_of(module);
  if (!rank) return fail(rank.error());
  const auto alpha = value_of(alpha_pattern_, module, alpha_);
  if (!alpha) return fail(alpha.error());
  const double r = static_cast<double>(*rank);
  return *alpha / (is_rank_stabilised_ ? std::sqrt(r) : r);
}

}  // namespace crucible::lora
