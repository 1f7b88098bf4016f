#include "merger/plan/documents.hpp"

#include <set>
#include <system_error>
#include <utility>

#include "merger/checkpoint/checkpoint.hpp"
#include "merger/checkpoint/files.hpp"

namespace crucible::plan {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kRecipeLimitBytes = 4U << 20;

std::set<std::string> names_of(const recipe::RecipeFile& file) {
  std::set<std::string> names;
  for (const auto& document : file.documents) {
    if (!document.recipe.name.empty()) names.insert(document.recipe.name);
  }
  return names;
}

std::string label(const std::string& name) {
  return name.empty() ? "the final document" : "document `" + name + "`";
}

// Names of documents are their results' folders.
ModelResolver with_results(const recipe::RecipeFile& file, const ModelResolver& resolver,
                           const fs::path& intermediate) {
  return [names = names_of(file), resolver,
          intermediate](const recipe::ModelReference& reference) -> Result<fs::path> {
    if (names.contains(reference.path)) return intermediate / reference.path;
    return resolver(reference);
  };
}

bool is_finished(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder / checkpoint::kConfigFile, error) &&
         (fs::exists(folder / checkpoint::kWeightsFile, error) ||
          fs::exists(folder / checkpoint::kIndexFile, error));
}

// Opens the models that are no results of other documents.
void check_inputs(const recipe::Recipe& recipe, const std::set<std::string>& names,
                  const ModelResolver& resolver, Error& error) {
  for (const recipe::ModelReference& model : recipe.referenced_models()) {
    if (names.contains(model.path)) continue;
    const auto folder = resolver(model);
    Result<void> found;
    if (!folder) {
      found = fail(folder.error());
    } else if (auto opened = checkpoint::Checkpoint::open(*folder); !opened) {
      found = fail(std::move(opened.error()));
    }
    if (found) continue;
    error.faults.push_back(
        {"", label(recipe.name) + ": " + model.text() + ": " + found.error().message, ""});
  }
}

Status check_same_recipe(const recipe::Recipe& recipe, const fs::path& folder) {
  const auto stored = io::read_text(folder / "mergekit_config.yml", kRecipeLimitBytes);
  if (stored && *stored == recipe.source_text) return {};
  return fail(ErrorCode::kConflict,
              folder.string() + " was not made from " + label(recipe.name) +
                  " as it is now; remove the folder, or choose another --intermediate");
}

}  // namespace

Result<std::vector<DocumentPreflight>> preflight_documents(const recipe::RecipeFile& file,
                                                           const ModelResolver& resolver,
                                                           const MergeOptions& options,
                                                           const fs::path& intermediate,
                                                           const fs::path& out_parent) {
  const std::set<std::string> names = names_of(file);
  const ModelResolver results = with_results(file, resolver, intermediate);
  std::vector<DocumentPreflight> all;
  Error error{ErrorCode::kInvalidArgument, "the recipes do not fit their models", {}};
  for (const auto& [recipe, needs] : file.documents) {
    bool complete = true;
    for (const std::string& need : needs) complete = complete && is_finished(intermediate / need);
    all.push_back({recipe.name, std::nullopt});
    if (!complete) {
      check_inputs(recipe, names, resolver, error);
      continue;
    }
    auto found = preflight(recipe, results, options, out_parent);
    if (found) {
      all.back().preflight = std::move(*found);
      continue;
    }
    if (found.error().faults.empty())
      return fail(std::move(found.error()).with_context(label(recipe.name)));
    error.code = found.error().code;
    for (Fault& fault : found.error().faults) {
      fault.message = label(recipe.name) + ": " + fault.message;
      error.faults.push_back(std::move(fault));
    }
  }
  if (!error.faults.empty()) return fail(std::move(error));
  return all;
}

Result<std::vector<DocumentReport>> merge_documents(
    const recipe::RecipeFile& file, const ModelResolver& resolver, const MergeOptions& options,
    const fs::path& intermediate, bool keep, const fs::path& out, const ProgressSink& progress,
    std::stop_token stop) {
  std::error_code ignored;
  if (fs::exists(out, ignored)) return fail(ErrorCode::kConflict, out.string() + " exists already");
  const auto checked =
      preflight_documents(file, resolver, options, intermediate, fs::absolute(out).parent_path());
  if (!checked) return fail(checked.error());
  const ModelResolver results = with_results(file, resolver, intermediate);
  std::vector<DocumentReport> reports;
  for (std::size_t i = 0; i < file.documents.size(); ++i) {
    const recipe::Recipe& recipe = file.documents[i].recipe;
    const bool final = i + 1 == file.documents.size();
    const fs::path folder = final ? out : intermediate / recipe.name;
    if (!final && is_finished(folder)) {
      if (auto status = check_same_recipe(recipe, folder); !status)
        return fail(std::move(status.error()));
      reports.push_back({recipe.name, folder, std::nullopt});
      continue;
    }
    const auto named = [&](Progress step) {
      if (!recipe.name.empty()) step.stage += " " + recipe.name;
      if (progress) progress(step);
    };
    auto report = merge(recipe, results, options, folder, named, stop);
    if (!report) return fail(std::move(report.error()).with_context(label(recipe.name)));
    reports.push_back({recipe.name, folder, std::move(*report)});
  }
  if (!keep) fs::remove_all(intermediate, ignored);
  return reports;
}

}  // namespace crucible::plan
