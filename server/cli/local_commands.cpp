#include "server/cli/local_commands.hpp"

#include <filesystem>

#include "merger/base/byte_count.hpp"
#include "merger/base/io.hpp"
#include "merger/plan/merge.hpp"
#include "server/api/json.hpp"
#include "server/cli/interrupt.hpp"
#include "server/cli/progress_line.hpp"
#include "server/cli/table.hpp"
#include "server/cli/views.hpp"

namespace crucible::server::cli {
namespace {

struct Prepared {
  recipe::Recipe recipe;
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
  auto recipe = recipe::read_recipe(*text);
  if (!recipe) return fail(std::move(recipe.error()).with_context(options.recipe));
  prepared.recipe = std::move(*recipe);
  const std::filesystem::path folder = std::filesystem::absolute(options.recipe).parent_path();
  prepared.resolver = plan::resolve_beneath({folder, std::filesystem::current_path()});
  prepared.options = {options.seed, options.threads, *memory, *shard};
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
              {"seconds", report.seconds},
              {"warnings", report.warnings}};
}

}  // namespace

int check(const MergeCommandOptions& options, const CommonOptions& common) {
  auto prepared = prepare(options);
  if (!prepared) return report(prepared.error(), common);
  const auto preflight = plan::preflight(prepared->recipe, prepared->resolver, prepared->options,
                                         parent_of(options.out));
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
  Result<plan::MergeReport> result;
  {
    ProgressLine line(stderr, is_terminal(stderr));
    result = plan::merge(
        prepared->recipe, prepared->resolver, prepared->options, out,
        [&line](const Progress& progress) { line.show(progress); }, interrupt.token());
  }
  if (!result) return report(result.error(), common);
  if (common.json) {
    print_json(report_json(*result, out.string()));
    return kSuccess;
  }
  for (const std::string& warning : result->warnings) {
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  }
  print("wrote " + out.string() + ": " + std::to_string(result->tensors) + " tensors, " +
        parameter_text(result->parameters) + " parameters, " +
        format_byte_count(result->output_bytes) + " in " + duration_text(result->seconds) +
        "\ndigest " + result->content_digest.hex() + "\n");
  return kSuccess;
}

}  // namespace crucible::server::cli
