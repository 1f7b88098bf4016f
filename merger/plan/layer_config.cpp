#include "merger/plan/layer_config.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace crucible::plan {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::string_view, 6> kLayerNumberLists = {
    "mlp_only_layers",  "full_attn_idxs", "attn_layer_indices",
    "hybrid_layer_ids", "moe_layers",     "cross_attention_layers"};
constexpr std::array<std::string_view, 2> kLeadingCounts = {"first_k_dense_replace",
                                                            "num_dense_layers"};
// Words in the names of lists with one entry a layer.
constexpr std::array<std::string_view, 7> kPerLayerWords = {
    "layer",         "attn", "attention", "block", "num_key_value_heads", "intermediate_size",
    "sliding_window"};

struct Choice {
  std::uint64_t donor_layers = 0;
  const std::vector<std::uint64_t>* origins = nullptr;  // for each output layer, the donor's
};

bool is_layer_number_list(std::string_view key) {
  return std::ranges::find(kLayerNumberLists, key) != kLayerNumberLists.end();
}

bool has_entry_per_layer(std::string_view key, const ordered_json& value, const Choice& choice) {
  if (!value.is_array() || value.size() != choice.donor_layers || is_layer_number_list(key))
    return false;
  return std::ranges::any_of(kPerLayerWords, [&](std::string_view word) {
    return key.find(word) != std::string_view::npos;
  });
}

ordered_json choose_entries(const ordered_json& list, const Choice& choice) {
  ordered_json chosen = ordered_json::array();
  for (const std::uint64_t layer : *choice.origins)
    chosen.push_back(list[std::min<std::size_t>(layer, list.size() - 1)]);
  return chosen;
}

std::set<std::uint64_t> numbers_in(const ordered_json& list) {
  std::set<std::uint64_t> numbers;
  for (const ordered_json& item : list) {
    if (item.is_number_unsigned()) numbers.insert(item.get<std::uint64_t>());
  }
  return numbers;
}

ordered_json renumber(const std::set<std::uint64_t>& donor_layers, const Choice& choice) {
  ordered_json numbers = ordered_json::array();
  for (std::size_t i = 0; i < choice.origins->size(); ++i) {
    if (donor_layers.contains((*choice.origins)[i])) numbers.push_back(i);
  }
  return numbers;
}

// "Every n-th layer has experts" does not survive a choice of layers; the list of those without
// does.
void fit_sparse_step(ordered_json& section, const Choice& choice) {
  const auto step = section.find("decoder_sparse_step");
  if (step == section.end() || !step->is_number_unsigned() || *step == 1U || *step == 0U) return;
  std::set<std::uint64_t> dense;
  if (const auto list = section.find("mlp_only_layers"); list != section.end())
    dense = numbers_in(*list);
  for (std::uint64_t layer = 0; layer < choice.donor_layers; ++layer) {
    if ((layer + 1) % step->get<std::uint64_t>() != 0) dense.insert(layer);
  }
  section["decoder_sparse_step"] = 1;
  section["mlp_only_layers"] = std::vector<std::uint64_t>(dense.begin(), dense.end());
}

void fit_leading_count(ordered_json& section, std::string_view key, const Choice& choice,
                       std::vector<Fault>& warnings) {
  const auto found = section.find(key);
  if (found == section.end() || !found->is_number_unsigned()) return;
  const auto count = found->get<std::uint64_t>();
  std::uint64_t leading = 0;
  bool leads = true;
  for (const std::uint64_t layer : *choice.origins) {
    if (layer >= count) {
      leads = false;
    } else if (leads) {
      ++leading;
    } else {
      warnings.push_back(
          {"slices",
           "config.json can only say how many layers at the start are of the first kind (" +
               std::string(key) + "); the recipe has such a layer further back",
           "put the first layers first"});
      break;
    }
  }
  *found = leading;
}

void fit_section(ordered_json& section, const Choice& choice, std::vector<Fault>& warnings) {
  fit_sparse_step(section, choice);
  for (auto& [key, value] : section.items()) {
    if (is_layer_number_list(key) && value.is_array()) {
      value = renumber(numbers_in(value), choice);
    } else if (has_entry_per_layer(key, value, choice)) {
      value = choose_entries(value, choice);
    }
  }
  for (const std::string_view key : kLeadingCounts)
    fit_leading_count(section, key, choice, warnings);
}

// Models that alternate between sliding and full attention by layer number.
void write_layer_types(ordered_json& config, const checkpoint::Module& module,
                       const nlohmann::json& donor_config, const Choice& choice) {
  if (module.full_attention_every.empty() || config.contains("layer_types")) return;
  const auto period = checkpoint::evaluate_size(donor_config, module.full_attention_every);
  if (!period) return;
  ordered_json types = ordered_json::array();
  for (const std::uint64_t layer : *choice.origins)
    types.push_back((layer + 1) % *period == 0 ? "full_attention" : "sliding_attention");
  config["layer_types"] = std::move(types);
}

// The object that a dotted key is in, and its last part. nullptr when there is no such object.
ordered_json* section_of(ordered_json& config, const std::string& key, std::string& last) {
  const std::size_t dot = key.find('.');
  last = key.substr(dot == std::string::npos ? 0 : dot + 1);
  if (dot == std::string::npos) return &config;
  const auto found = config.find(key.substr(0, dot));
  return found != config.end() && found->is_object() ? &*found : nullptr;
}

void set_layer_count(ordered_json& config, const checkpoint::Module& module, std::uint64_t layers) {
  bool any = false;
  std::string last;
  for (const std::string& key : module.layer_count_keys) {
    ordered_json* section = section_of(config, key, last);
    if (section == nullptr || !section->contains(last)) continue;
    (*section)[last] = layers;
    any = true;
  }
  if (!any && !module.layer_count_keys.empty()) config[module.layer_count_keys.front()] = layers;
}

}  // namespace

std::vector<Fault> fit_layers(ordered_json& config, const MergePlan& plan) {
  std::vector<Fault> warnings;
  const PlannedModel& donor = plan.models[plan.donor];
  for (std::size_t i = 0; i < plan.modules.size(); ++i) {
    if (!plan.modules[i].sliced) continue;
    const checkpoint::Module& module = donor.architecture->modules[i];
    const Choice choice{donor.module_layers[i], &plan.modules[i].origins};
    set_layer_count(config, module, plan.modules[i].layers);
    std::set<ordered_json*> sections;
    std::string last;
    for (const std::string& key : module.layer_count_keys) {
      if (ordered_json* section = section_of(config, key, last)) sections.insert(section);
    }
    for (ordered_json* section : sections) fit_section(*section, choice, warnings);
    write_layer_types(config, module, donor.checkpoint->config(), choice);
  }
  return warnings;
}

}  // namespace crucible::plan
