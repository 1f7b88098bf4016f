#include "server/cli/moe_command.hpp"

#include <filesystem>

#include "evaluator/engine/hidden_states.hpp"
#include "merger/base/byte_count.hpp"
#include "merger/base/io.hpp"
#include "merger/moe/moe.hpp"
#include "merger/plan/hub_cache.hpp"
#include "server/api/json.hpp"
#include "server/cli/interrupt.hpp"
#include "server/cli/progress_line.hpp"
#include "server/cli/table.hpp"
#include "server/cli/views.hpp"

namespace crucible::server::cli {
namespace {

namespace fs = std::filesystem;

struct Prepared {
  moe::MoeRecipe recipe;
  plan::ModelResolver resolver;
  moe::MoeOptions options;
  engine::HiddenStateOptions states;
};

Result<engine::WeightType> weight_type(const std::string& name) {
  if (name == "f32") return engine::WeightType::kF32;
  if (name == "bf16") return engine::WeightType::kBF16;
  if (name == "f16") return engine::WeightType::kF16;
  if (name == "q8_0") return engine::WeightType::kQ8_0;
  return fail(ErrorCode::kInvalidArgument, "--states must be f32, bf16, f16 or q8_0");
}

Result<std::optional<moe::Layout>> layout(const std::string& name) {
  if (name.empty()) return std::nullopt;
  std::string known;
  for (const moe::LayoutInfo& info : moe::layouts()) {
    if (info.name == name) return info.layout;
    known += (known.empty() ? "" : ", ") + std::string(info.name);
  }
  return fail(ErrorCode::kInvalidArgument, "--layout must be one of " + known);
}

Result<Prepared> prepare(const MoeCommandOptions& options) {
  Prepared prepared;
  plan::MergeOptions& merge = prepared.options.merge;
  auto memory = parse_byte_count(options.merge.memory);
  if (!memory) return fail(std::move(memory.error()).with_context("--memory"));
  auto shard = parse_byte_count(options.merge.shard_size);
  if (!shard) return fail(std::move(shard.error()).with_context("--shard-size"));
  auto forced = layout(options.layout);
  if (!forced) return fail(std::move(forced.error()));
  const auto weights = weight_type(options.states);
  if (!weights) return fail(weights.error());
  auto text = io::read_text(options.merge.recipe, 1 << 20);
  if (!text) return fail(std::move(text.error()));
  auto recipe = moe::read_moe_recipe(*text, {options.allow_identical_experts});
  if (!recipe) return fail(std::move(recipe.error()).with_context(options.merge.recipe));
  prepared.recipe = std::move(*recipe);
  const fs::path folder = fs::absolute(options.merge.recipe).parent_path();
  prepared.resolver = plan::resolve_locally({folder, fs::current_path()});
  prepared.options.layout = *forced;
  merge.seed = options.merge.seed;
  merge.allow_nonfinite = options.merge.allow_nonfinite;
  merge.resume = options.merge.resume;
  merge.threads = options.merge.threads;
  merge.memory_bytes = *memory;
  merge.shard_bytes = *shard;
  prepared.states = {*weights, options.merge.threads};
  return prepared;
}

Json preflight_json(const moe::MoePreflight& preflight) {
  Json json = api::to_json(preflight.output);
  json["experts"] = preflight.experts;
  json["shared_experts"] = preflight.shared_experts;
  json["experts_per_token"] = preflight.experts_per_token;
  json["active_parameters"] = preflight.active_parameters;
  json["gate_mode"] = preflight.gate_mode;
  json["state_bytes"] = preflight.state_bytes;
  json["layout"] = moe::info(preflight.layout).name;
  Json layouts = Json::array();
  for (const moe::LayoutVerdict& verdict : preflight.layouts) {
    const moe::LayoutInfo& info = moe::info(verdict.layout);
    layouts.push_back({{"name", info.name},
                       {"model_class", info.model_class},
                       {"possible", verdict.obstacles.empty()},
                       {"obstacles", verdict.obstacles}});
  }
  json["layouts"] = std::move(layouts);
  return json;
}

std::string preflight_text(const moe::MoePreflight& preflight) {
  std::string out = preflight_view(api::to_json(preflight.output));
  out += "experts       " + std::to_string(preflight.experts) + " routed, " +
         std::to_string(preflight.experts_per_token) + " a token, " +
         std::to_string(preflight.shared_experts) + " shared; " +
         parameter_text(preflight.active_parameters) + " parameters active\n";
  out += "router        " + preflight.gate_mode;
  if (preflight.state_bytes != 0) {
    out += ", the base model takes " + format_byte_count(preflight.state_bytes) +
           " in float32 while hidden states are computed";
  }
  out += "\nlayouts\n";
  for (const moe::LayoutVerdict& verdict : preflight.layouts) {
    const std::string name(moe::info(verdict.layout).name);
    const bool chosen = verdict.layout == preflight.layout;
    if (verdict.obstacles.empty())
      out += "  " + name + ": " + (chosen ? "possible, chosen" : "possible") + "\n";
    for (const std::string& obstacle : verdict.obstacles)
      out += "  " + name + ": not possible, " + obstacle + "\n";
  }
  return out;
}

int check_moe(const Prepared& prepared, const std::string& out, const CommonOptions& common) {
  const fs::path parent =
      out.empty() ? fs::current_path() : fs::absolute(out).lexically_normal().parent_path();
  const auto found = moe::preflight(prepared.recipe, prepared.resolver, prepared.options, parent);
  if (!found) return report(found.error(), common);
  if (common.json) {
    print_json(preflight_json(*found));
  } else {
    print(preflight_text(*found));
  }
  return kSuccess;
}

}  // namespace

int build_mixture(const MoeCommandOptions& options, const CommonOptions& common) {
  const InterruptGuard interrupt;
  const auto prepared = prepare(options);
  if (!prepared) return report(prepared.error(), common);
  if (options.check) return check_moe(*prepared, options.merge.out, common);
  fs::path out(options.merge.out);
  if (out.empty()) {
    return report(Error{ErrorCode::kInvalidArgument, "OUT is missing: the folder to write", {}},
                  common);
  }
  if (!out.has_filename()) out = out.parent_path();
  const auto load = [&](const checkpoint::Checkpoint& base) {
    return engine::open_prompt_model(base.folder(), prepared->states);
  };
  Result<plan::MergeReport> result;
  {
    ProgressLine line(stderr, is_terminal(stderr));
    result = moe::build(
        prepared->recipe, prepared->resolver, prepared->options, load, out,
        [&line](const Progress& progress) { line.show(progress); }, interrupt.token());
  }
  if (!result) return report(result.error(), common);
  return show_result(*result, out.string(), common);
}

}  // namespace crucible::server::cli
