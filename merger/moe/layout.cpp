#include "merger/moe/layout.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "merger/recipe/text.hpp"

namespace crucible::moe {
namespace {

constexpr std::array<LayoutInfo, 5> kLayouts{{
    {Layout::kMixtral, "mixtral", "Mixtral", "MixtralForCausalLM"},
    {Layout::kDeepseek, "deepseek", "DeepSeek MoE", "DeepseekForCausalLM"},
    {Layout::kQwen2Moe, "qwen2_moe", "Qwen MoE", "Qwen2MoeForCausalLM"},
    {Layout::kQwen3Moe, "qwen3_moe", "Qwen3 MoE", "Qwen3MoeForCausalLM"},
    {Layout::kPhixtral, "phixtral", "Phixtral", "PhixtralForCausalLM"},
}};

std::string layer_prefix(std::uint64_t layer) {
  return "model.layers." + std::to_string(layer) + ".";
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

bool starts_with_title(const LayoutInfo& layout, const std::string& beginning) {
  const std::string asked = lower(beginning);
  return lower(layout.title).starts_with(asked) || lower(layout.name).starts_with(asked);
}

// Whether the base has a tensor NAME in its first layer.
bool base_has(const SourceModels& sources, std::string_view name) {
  return sources.base_model().weights->find(layer_prefix(0) + std::string(name)) != nullptr;
}

class Judge {
 public:
  Judge(const MoeRecipe& recipe, const SourceModels& sources)
      : recipe_(recipe), sources_(sources) {}

  std::vector<std::string> obstacles(Layout layout) {
    found_.clear();
    switch (layout) {
      case Layout::kMixtral:
        allow_types({"llama", "mistral"});
        allow_shared(0, 0);
        forbid_bias({"q_proj", "k_proj", "v_proj", "o_proj"});
        break;
      case Layout::kDeepseek:
        judge_deepseek();
        break;
      case Layout::kQwen2Moe:
        allow_types({"llama", "mistral", "qwen2"});
        allow_shared(1, 1);
        if (recipe_.gate_mode != GateMode::kRandom && recipe_.shared_experts.size() == 1 &&
            recipe_.shared_experts.front().positive_prompts.empty()) {
          found_.push_back("its shared expert has a gate of its own, so it needs positive_prompts");
        }
        forbid_bias({"o_proj"});
        break;
      case Layout::kQwen3Moe:
        allow_types({"qwen3"});
        allow_shared(0, 0);
        break;
      case Layout::kPhixtral:
        allow_types({"phi"});
        allow_shared(0, 0);
        break;
    }
    return found_;
  }

 private:
  void judge_deepseek() {
    allow_types({"llama", "mistral"});
    allow_shared(0, 1);
    if (!recipe_.shared_experts.empty() &&
        !recipe_.shared_experts.front().positive_prompts.empty()) {
      found_.push_back("its shared expert has no gate, so it takes no prompts");
    }
    if (sources_.shared_size != 0 && sources_.shared_size != sources_.expert_size) {
      found_.push_back("its shared expert is as wide as the routed ones (" +
                       std::to_string(sources_.expert_size) + "), not " +
                       std::to_string(sources_.shared_size));
    }
  }

  void allow_types(std::initializer_list<std::string_view> types) {
    const std::string& type = sources_.base_model().architecture->model_type;
    if (std::ranges::find(types, type) != types.end()) return;
    found_.push_back("its experts are " +
                     recipe::join(std::span(types.begin(), types.size()), " or ") +
                     " models, not " + type);
  }

  void allow_shared(std::size_t least, std::size_t most) {
    const std::size_t count = recipe_.shared_experts.size();
    if (count >= least && count <= most) return;
    const std::string wanted = most == 0       ? "no shared experts"
                               : least == most ? "exactly one shared expert"
                                               : "at most one shared expert";
    found_.push_back("it has " + wanted + ", the recipe has " + std::to_string(count));
  }

  void forbid_bias(std::initializer_list<std::string_view> projections) {
    for (const std::string_view projection : projections) {
      const std::string name = "self_attn." + std::string(projection) + ".bias";
      if (!base_has(sources_, name)) continue;
      found_.push_back("its attention has no " + std::string(projection) +
                       " bias, which the base model has");
      return;
    }
  }

  const MoeRecipe& recipe_;
  const SourceModels& sources_;
  std::vector<std::string> found_;
};

}  // namespace

std::span<const MlpPart> mlp_parts(std::string_view model_type) {
  static constexpr std::array<MlpPart, 3> kGated{
      {{"gate_proj.weight"}, {"up_proj.weight"}, {"down_proj.weight", false, true}}};
  static constexpr std::array<MlpPart, 4> kPhi{
      {{"fc1.weight"}, {"fc1.bias", true}, {"fc2.weight", false, true}, {"fc2.bias", true, true}}};
  if (model_type == "phi") return kPhi;
  return kGated;
}

tensor::Shape shape_of(const MlpPart& part, std::uint64_t hidden, std::uint64_t intermediate) {
  const std::uint64_t rows = part.is_last ? hidden : intermediate;
  if (part.is_bias) return {rows};
  return {rows, part.is_last ? intermediate : hidden};
}

std::span<const LayoutInfo> layouts() { return kLayouts; }

const LayoutInfo& info(Layout layout) {
  return *std::ranges::find(kLayouts, layout, &LayoutInfo::layout);
}

std::vector<LayoutVerdict> judge_layouts(const MoeRecipe& recipe, const SourceModels& sources) {
  std::vector<LayoutVerdict> verdicts;
  Judge judge(recipe, sources);
  for (const LayoutInfo& known : kLayouts) {
    verdicts.push_back({known.layout, judge.obstacles(known.layout)});
  }
  return verdicts;
}

std::optional<Layout> choose_layout(const MoeRecipe& recipe,
                                    const std::vector<LayoutVerdict>& verdicts,
                                    std::optional<Layout> forced, plan::FaultList& faults) {
  const std::string path = forced || recipe.architecture.empty() ? "" : "architecture";
  bool any = false;
  for (const LayoutVerdict& verdict : verdicts) {
    const LayoutInfo& known = info(verdict.layout);
    if (forced ? verdict.layout != *forced : !starts_with_title(known, recipe.architecture)) {
      continue;
    }
    any = true;
    if (verdict.obstacles.empty()) return verdict.layout;
  }
  if (!any) {
    faults.add(path,
               "no output layout begins with `" + recipe::printable(recipe.architecture) + "`",
               "one of Mixtral, DeepSeek MoE, Qwen MoE, Qwen3 MoE, Phixtral");
    return std::nullopt;
  }
  for (const LayoutVerdict& verdict : verdicts) {
    const LayoutInfo& known = info(verdict.layout);
    if (forced ? verdict.layout != *forced : !starts_with_title(known, recipe.architecture)) {
      continue;
    }
    for (const std::string& obstacle : verdict.obstacles) {
      faults.add(path, "the layout " + std::string(known.name) + " cannot hold this: " + obstacle,
                 "", ErrorCode::kUnsupported);
    }
  }
  return std::nullopt;
}

std::string expert_tensor(Layout layout, std::uint64_t layer, std::size_t expert,
                          std::string_view part) {
  const std::string number = std::to_string(expert);
  if (layout != Layout::kMixtral) {
    return layer_prefix(layer) + "mlp.experts." + number + "." + std::string(part);
  }
  const char* name = part == "gate_proj.weight" ? "w1" : part == "down_proj.weight" ? "w2" : "w3";
  return layer_prefix(layer) + "block_sparse_moe.experts." + number + "." + name + ".weight";
}

std::string shared_tensor(Layout layout, std::uint64_t layer, std::string_view part) {
  const char* block = layout == Layout::kQwen2Moe ? "mlp.shared_expert." : "mlp.shared_experts.";
  return layer_prefix(layer) + block + std::string(part);
}

std::string router_tensor(Layout layout, std::uint64_t layer) {
  return layer_prefix(layer) +
         (layout == Layout::kMixtral ? "block_sparse_moe.gate.weight" : "mlp.gate.weight");
}

std::string shared_router_tensor(std::uint64_t layer) {
  return layer_prefix(layer) + "mlp.shared_expert_gate.weight";
}

}  // namespace crucible::moe
