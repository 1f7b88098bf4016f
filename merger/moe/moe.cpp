#include "merger/moe/moe.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include "merger/checkpoint/files.hpp"
#include "merger/plan/executor.hpp"
#include "merger/plan/output_folder.hpp"

namespace crucible::moe {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr std::string_view kRecipeFile = "mergekit_moe_config.yml";

// A recipe held against its models.
struct Prepared {
  SourceModels sources;
  std::vector<LayoutVerdict> verdicts;
  Layout layout = Layout::kMixtral;
};

Result<Prepared> prepare(const MoeRecipe& recipe, const plan::ModelResolver& resolver,
                         const MoeOptions& options) {
  plan::FaultList faults;
  Prepared prepared;
  prepared.sources = open_sources(recipe, resolver, faults);
  if (!prepared.sources.models.empty() && prepared.sources.hidden != 0) {
    prepared.verdicts = judge_layouts(recipe, prepared.sources);
    const auto layout = choose_layout(recipe, prepared.verdicts, options.layout, faults);
    if (layout) prepared.layout = *layout;
  }
  if (needs_states(recipe.gate_mode) && !recipe.base_model.lora.empty()) {
    faults.add("base_model", "hidden states are computed from a model folder, not from an adapter",
               "merge the adapter into its base model first, or use gate_mode: cheap_embed",
               ErrorCode::kUnsupported);
  }
  if (!faults.empty()) return std::move(faults).error();
  return prepared;
}

// Sizes of the output, and how many parameters one token passes through: all but those of the
// experts that are not chosen.
Result<std::pair<plan::Preflight, std::uint64_t>> describe_output(const MoeRecipe& recipe,
                                                                  Prepared& prepared,
                                                                  const MoeOptions& options,
                                                                  const fs::path& out_parent) {
  SourceModels& sources = prepared.sources;
  plan::MergePlan plan =
      plan_mixture(recipe, sources, prepared.layout, options.merge.seed, nullptr);
  plan.models = std::move(sources.models);
  auto output = plan::describe_plan(plan, options.merge, out_parent);
  sources.models = std::move(plan.models);
  if (!output) return fail(std::move(output.error()));
  std::uint64_t expert = 0;  // parameters in one layer
  for (const MlpPart& part : mlp_parts(sources.base_model().architecture->model_type)) {
    const auto shape = shape_of(part, sources.hidden, sources.expert_size);
    expert += tensor::element_count(shape).value_or(0);
  }
  const std::uint64_t idle = recipe.experts.size() - recipe.experts_per_token;
  return std::pair(std::move(*output), plan.parameters() - idle * plan.layers * expert);
}

std::string quoted(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<plan::WrittenFiles> write_files(const MoeRecipe& recipe, const std::string& config,
                                       Layout layout, const checkpoint::Checkpoint& base,
                                       const fs::path& folder, const std::string& title,
                                       io::Syscalls& calls) {
  plan::WrittenFiles written;
  written.config = json::parse(config);
  const auto write = [&](std::string_view name, const std::string& text) {
    return io::write_new_file(folder / name, text, calls);
  };
  if (auto status = write(checkpoint::kConfigFile, config); !status)
    return fail(std::move(status.error()));
  if (const ModelCode code = model_code(layout); !code.file.empty()) {
    if (auto status = write(code.file, std::string(code.text)); !status)
      return fail(std::move(status.error()));
  }
  auto tokenizer = plan::copy_tokenizer_files(base, folder, calls);
  if (!tokenizer) return fail(std::move(tokenizer.error()));
  written.tokenizer = std::move(*tokenizer);
  if (auto status = write(kRecipeFile, recipe.source_text); !status)
    return fail(std::move(status.error()));
  if (auto status = write("README.md", mixture_card(recipe, layout, title)); !status)
    return fail(std::move(status.error()));
  return written;
}

}  // namespace

std::string mixture_card(const MoeRecipe& recipe, Layout layout, const std::string& title) {
  std::vector<std::string> models = {recipe.base_model.text()};
  std::string parts = "* " + models.front() + ": attention, embeddings, norms\n";
  const auto add = [&](const std::vector<Expert>& experts, const std::string& what) {
    for (std::size_t i = 0; i < experts.size(); ++i) {
      const std::string name = experts[i].source_model.text();
      parts += "* " + name + ": " + what + " " + std::to_string(i) + "\n";
      if (std::ranges::find(models, name) == models.end()) models.push_back(name);
    }
  };
  add(recipe.experts, "expert");
  add(recipe.shared_experts, "shared expert");
  std::string card = "---\nbase_model:\n";
  for (const std::string& name : models) card += "- " + quoted(name) + "\n";
  card += "library_name: transformers\ntags:\n- mergekit\n- merge\n- moe\n---\n\n# " + title +
          "\n\nA mixture of experts from dense language models, built by Crucible.\n\n" +
          "Layout `" + std::string(info(layout).model_class) + "`, " +
          std::to_string(recipe.experts.size()) + " experts, " +
          std::to_string(recipe.experts_per_token) + " a token, gate mode `" +
          std::string(to_string(recipe.gate_mode)) + "`.\n\n## Models\n\n" + parts;
  std::string fence = "```";
  while (recipe.source_text.find(fence) != std::string::npos) fence += "`";
  card += "\n## Recipe\n\n" + fence + "yaml\n" + recipe.source_text;
  if (!recipe.source_text.ends_with('\n')) card += "\n";
  return card + fence + "\n";
}

Result<MoePreflight> preflight(const MoeRecipe& recipe, const plan::ModelResolver& resolver,
                               const MoeOptions& options, const fs::path& out_parent) {
  auto prepared = prepare(recipe, resolver, options);
  if (!prepared) return fail(std::move(prepared.error()));
  MoePreflight found;
  auto output = describe_output(recipe, *prepared, options, out_parent);
  if (!output) return fail(std::move(output.error()));
  found.output = std::move(output->first);
  found.active_parameters = output->second;
  found.output.architecture = std::string(info(prepared->layout).name);
  found.layout = prepared->layout;
  found.layouts = std::move(prepared->verdicts);
  found.experts = recipe.experts.size();
  found.shared_experts = recipe.shared_experts.size();
  found.experts_per_token = recipe.experts_per_token;
  if (needs_states(recipe.gate_mode)) {
    found.state_bytes = 4 * prepared->sources.base_model().checkpoint->parameter_count();
  }
  found.gate_mode = std::string(to_string(recipe.gate_mode));
  return found;
}

Result<plan::MergeReport> build(const MoeRecipe& recipe, const plan::ModelResolver& resolver,
                                const MoeOptions& options, const PromptModelLoader& load,
                                const fs::path& out, const ProgressSink& progress,
                                std::stop_token stop) {
  const fs::path target = plan::output_path(out);
  std::error_code error;
  if (fs::exists(target, error))
    return fail(ErrorCode::kConflict, target.string() + " exists already");
  auto prepared = prepare(recipe, resolver, options);
  if (!prepared) return fail(std::move(prepared.error()));
  SourceModels& sources = prepared->sources;
  const Layout layout = prepared->layout;
  const auto room = describe_output(recipe, *prepared, options, target.parent_path());
  if (!room) return fail(room.error());
  const auto rows = make_router_rows(
      recipe, sources, static_cast<std::uint32_t>(options.merge.seed), load, progress, stop);
  if (!rows) return fail(rows.error());
  plan::MergePlan plan = plan_mixture(recipe, sources, layout, options.merge.seed, &*rows);
  const auto config = mixture_config(recipe, sources, layout, plan.main_dtype());
  if (!config) return fail(config.error());
  plan.models = std::move(sources.models);
  if (auto status = io::make_folders(target.parent_path()); !status)
    return fail(std::move(status.error()));
  const std::string text = config->dump(2) + "\n";
  const auto write = [&](const fs::path& folder, io::Syscalls& calls) {
    return write_files(recipe, text, layout, *plan.models[plan.donor].checkpoint, folder,
                       target.filename().string(), calls);
  };
  return plan::execute(plan, write, options.merge, target, progress, std::move(stop));
}

}  // namespace crucible::moe
