#include "server/cli/local_commands.hpp"

#include <filesystem>

#include "merger/base/byte_count.hpp"
#include "merger/base/io.hpp"
#include "merger/plan/documents.hpp"
#include "merger/plan/hub_cache.hpp"
#include "server/api/json.hpp"
#include "server/cli/interrupt.hpp"
#include "server/cli/progress_line.hpp"
#include "server/cli/table.hpp"
#include "server/cli/views.hpp"

namespace crucible::server::cli {
namespace {

struct Prepared {
  recipe::RecipeFile file;  // mostly one document
  plan::ModelResolver resolver;
  plan::MergeOptions options;
};

Result<Prepared> prepare(const MergeCommandOptions& options) {
  Prepared prepared;
  auto memory = parse_byte_count(options.memory);
  if (!memory) return fail(std::move(memory.error()).with_context("--memory"));
  auto shard = parse_byte_count(options.shard_size);
  if (!shard) return fail(std::move(shard.error()).with_context("--shard-size"));
  auto text = io::read_text(options.recipe, 1 << 20);
  if (!text) return fail(std::move(text.error()));
  auto file = recipe::read_recipe_file(*text);
  if (!file) return fail(std::move(file.error()).with_context(options.recipe));
  prepared.file = std::move(*file);
  const std::filesystem::path folder = std::filesystem::absolute(options.recipe).parent_path();
  prepared.resolver = plan::resolve_locally({folder, std::filesystem::current_path()});
  prepared.options.seed = options.seed;
  prepared.options.compatibility = *method::parse_compatibility(options.compatibility);
  prepared.options.allow_nonfinite = options.allow_nonfinite;
  prepared.options.allow_mixed_architectures = options.allow_mixed_architectures;
  prepared.options.resume = options.resume;
  prepared.options.threads = options.threads;
  prepared.options.memory_bytes = *memory;
  prepared.options.shard_bytes = *shard;
  return prepared;
}

std::filesystem::path parent_of(const std::string& out) {
  if (out.empty()) return std::filesystem::current_path();
  const auto path = std::filesystem::absolute(out).lexically_normal();
  return path.has_filename() ? path.parent_path() : path.parent_path().parent_path();
}

Json report_json(const plan::MergeReport& report, const std::string& out) {
  return Json{{"path", std::filesystem::absolute(out).lexically_normal().string()},
              {"digest", report.content_digest.hex()},
              {"tensors", report.tensors},
              {"parameters", report.parameters},
              {"output_bytes", report.output_bytes},
              {"resumed_tensors", report.resumed_tensors},
              {"seconds", report.seconds},
              {"warnings", report.warnings}};
}

// Where the results of all documents but the last go.
std::filesystem::path intermediate_of(const MergeCommandOptions& options) {
  if (!options.intermediate.empty()) return std::filesystem::absolute(options.intermediate);
  auto out = std::filesystem::absolute(options.out.empty() ? "merged" : options.out);
  out = out.lexically_normal();
  if (!out.has_filename()) out = out.parent_path();
  out += ".intermediate";
  return out;
}

int check_documents(const Prepared& prepared, const MergeCommandOptions& options,
                    const CommonOptions& common) {
  const auto found = plan::preflight_documents(prepared.file, prepared.resolver, prepared.options,
                                               intermediate_of(options), parent_of(options.out));
  if (!found) return report(found.error(), common);
  Json documents = Json::array();
  for (const plan::DocumentPreflight& document : *found) {
    const std::string name = document.name.empty() ? "final" : document.name;
    const Json preflight = document.preflight ? api::to_json(*document.preflight) : Json();
    documents.push_back({{"name", document.name}, {"preflight", preflight}});
    if (common.json) continue;
    print("document " + name + "\n" +
          (document.preflight ? preflight_view(preflight)
                              : "needs results of other documents; checked when they are there\n"));
  }
  if (common.json) print_json(Json{{"documents", std::move(documents)}});
  return kSuccess;
}

int merge_all(const Prepared& prepared, const MergeCommandOptions& options,
              const std::filesystem::path& out, const CommonOptions& common, std::stop_token stop) {
  Result<std::vector<plan::DocumentReport>> reports;
  {
    ProgressLine line(stderr, is_terminal(stderr));
    reports = plan::merge_documents(
        prepared.file, prepared.resolver, prepared.options, intermediate_of(options),
        !options.intermediate.empty(), out, [&line](const Progress& step) { line.show(step); },
        std::move(stop));
  }
  if (!reports) return report(reports.error(), common);
  for (const plan::DocumentReport& made : *reports) {
    if (made.report && made.folder == out) return show_result(*made.report, out.string(), common);
    if (common.json) continue;
    print((made.report ? "made " : "used again: ") + made.name + "\n");
  }
  return kSuccess;
}

}  // namespace

int show_result(const plan::MergeReport& result, const std::string& out,
                const CommonOptions& common) {
  if (common.json) {
    print_json(report_json(result, out));
    return kSuccess;
  }
  for (const std::string& warning : result.warnings) {
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  }
  print("wrote " + out + ": " + std::to_string(result.tensors) + " tensors, " +
        parameter_text(result.parameters) + " parameters, " +
        format_byte_count(result.output_bytes) + " in " + duration_text(result.seconds) +
        (result.resumed_tensors == 0
             ? ""
             : ", " + std::to_string(result.resumed_tensors) + " tensors were finished before") +
        "\ndigest " + result.content_digest.hex() + "\n");
  return kSuccess;
}

int check(const MergeCommandOptions& options, const CommonOptions& common) {
  auto prepared = prepare(options);
  if (!prepared) return report(prepared.error(), common);
  if (prepared->file.documents.size() > 1) return check_documents(*prepared, options, common);
  const recipe::Recipe& recipe = prepared->file.documents.front().recipe;
  const auto preflight =
      plan::preflight(recipe, prepared->resolver, prepared->options, parent_of(options.out));
  if (!preflight) return report(preflight.error(), common);
  const Json json = api::to_json(*preflight);
  if (common.json) {
    print_json(json);
  } else {
    print(preflight_view(json));
  }
  return kSuccess;
}

int merge(const MergeCommandOptions& options, const CommonOptions& common) {
  const InterruptGuard interrupt;
  auto prepared = prepare(options);
  if (!prepared) return report(prepared.error(), common);
  std::filesystem::path out(options.out);
  if (!out.has_filename()) out = out.parent_path();
  if (prepared->file.documents.size() > 1)
    return merge_all(*prepared, options, out, common, interrupt.token());
  const recipe::Recipe& recipe = prepared->file.documents.front().recipe;
  Result<plan::MergeReport> result;
  {
    ProgressLine line(stderr, is_terminal(stderr));
    result = plan::merge(
        recipe, prepared->resolver, prepared->options, out,
        [&line](const Progress& progress) { line.show(progress); }, interrupt.token());
  }
  if (!result) return report(result.error(), common);
  return show_result(*result, out.string(), common);
}

}  // namespace crucible::server::cli
