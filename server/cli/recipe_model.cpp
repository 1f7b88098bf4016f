#include "server/cli/recipe_model.hpp"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <utility>

#include "merger/base/byte_count.hpp"
#include "merger/base/io.hpp"
#include "merger/plan/hub_cache.hpp"
#include "merger/recipe/documents.hpp"
#include "server/cli/output.hpp"
#include "server/cli/progress_line.hpp"

namespace crucible::server::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kRecipeLimitBytes = 1U << 20;

Result<recipe::Recipe> read_single_recipe(const std::string& path) {
  auto text = io::read_text(path, kRecipeLimitBytes);
  if (!text) return fail(std::move(text.error()));
  auto file = recipe::read_recipe_file(*text);
  if (!file) return fail(std::move(file.error()).with_context(path));
  if (file->documents.size() != 1) {
    return fail(ErrorCode::kUnsupported,
                path +
                    " has several recipes; write the merge with `crucible merge` and evaluate "
                    "its folder");
  }
  return std::move(file->documents.front().recipe);
}

Result<plan::MergeOptions> merge_options(const RecipeOptions& options, unsigned threads) {
  auto memory = parse_byte_count(options.memory);
  if (!memory) return fail(std::move(memory.error()).with_context("--merge-memory"));
  plan::MergeOptions merge;
  merge.seed = options.seed;
  merge.compatibility = *method::parse_compatibility(options.compatibility);
  merge.allow_nonfinite = options.allow_nonfinite;
  merge.allow_mixed_architectures = options.allow_mixed_architectures;
  merge.threads = threads;
  merge.memory_bytes = *memory;
  return merge;
}

}  // namespace

void add_recipe_options(CLI::App& command, RecipeOptions& options) {
  const auto add = [&](const std::string& name, auto& value, const std::string& meaning) {
    return command.add_option(name, value, meaning)->group("Recipes");
  };
  add("-r,--recipe", options.files,
      "in place of MODEL: evaluate what this recipe merges, without writing it; may be repeated")
      ->allow_extra_args(false);
  add("--merge-seed", options.seed, "seed of the random methods")->capture_default_str();
  add("--compatibility", options.compatibility, "as in crucible merge")
      ->check(CLI::IsMember({"none", "mergekit"}))
      ->capture_default_str();
  add("--merge-memory", options.memory, "bound of the merge's buffers")->capture_default_str();
  add("--keep-tensors", options.kept,
      "memory for merged tensors that the next recipes have in common with earlier ones")
      ->capture_default_str();
  command
      .add_flag("--allow-nonfinite", options.allow_nonfinite,
                "merge models that have NaN or infinity")
      ->group("Recipes");
  command
      .add_flag("--allow-mixed-architectures", options.allow_mixed_architectures,
                "merge models of several architectures")
      ->group("Recipes");
}

Result<std::unique_ptr<trial::TrialMemory>> trial_memory(const RecipeOptions& options) {
  auto kept = parse_byte_count(options.kept);
  if (!kept) return fail(std::move(kept.error()).with_context("--keep-tensors"));
  return std::make_unique<trial::TrialMemory>(*kept);
}

Result<trial::TrialModel> load_recipe_file(const std::string& file, const RecipeOptions& options,
                                           const ModelOptions& model, trial::TrialMemory& memory,
                                           std::stop_token stop) {
  auto recipe = read_single_recipe(file);
  if (!recipe) return fail(std::move(recipe.error()));
  auto engine = local_settings(model);
  if (!engine) return fail(std::move(engine.error()));
  auto merge = merge_options(options, model.threads);
  if (!merge) return fail(std::move(merge.error()));
  ProgressLine line(stderr, is_terminal(stderr));
  const trial::TrialOptions wanted{
      *merge, *engine, [&line](const Progress& step) { line.show(step); }, std::move(stop)};
  const auto resolver =
      plan::resolve_locally({fs::absolute(file).parent_path(), fs::current_path()});
  auto loaded = trial::load_recipe(*recipe, resolver, wanted, memory);
  line.finish();
  if (!loaded) return fail(std::move(loaded.error()).with_context(file));
  for (const std::string& warning : loaded->warnings)
    std::fprintf(stderr, "warning: %s: %s\n", file.c_str(), warning.c_str());
  return loaded;
}

}  // namespace crucible::server::cli
