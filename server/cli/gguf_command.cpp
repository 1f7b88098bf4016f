#include "server/cli/gguf_command.hpp"

#include <cstdio>
#include <filesystem>

#include "evaluator/engine/gguf_export.hpp"
#include "merger/base/byte_count.hpp"
#include "server/cli/interrupt.hpp"
#include "server/cli/locate_model.hpp"
#include "server/cli/progress_line.hpp"
#include "server/cli/table.hpp"

namespace crucible::server::cli {
namespace {

namespace fs = std::filesystem;

Result<engine::GgufFileType> type_named(const std::string& name) {
  for (const engine::GgufTypeInfo& info : engine::gguf_types()) {
    if (info.name == name) return info.type;
  }
  return fail(ErrorCode::kInvalidArgument, "--type " + name + " is not known");
}

Json report_json(const engine::GgufReport& report, const fs::path& out, const std::string& type) {
  return Json{{"path", fs::absolute(out).lexically_normal().string()},
              {"type", type},
              {"architecture", report.architecture},
              {"tokenizer", report.tokenizer},
              {"pre_tokenizer", report.pre_tokenizer},
              {"tokens", report.tokens},
              {"bytes", report.bytes},
              {"warnings", report.warnings},
              {"seconds", report.seconds}};
}

void print_report(const engine::GgufReport& report, const fs::path& out, const std::string& type) {
  for (const std::string& warning : report.warnings) {
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  }
  print("wrote " + out.string() + ": " + report.architecture + ", " + type + ", " +
        format_byte_count(report.bytes) + ", tokenizer " + report.tokenizer + " (" +
        report.pre_tokenizer + "), in " + duration_text(report.seconds) + "\n");
}

}  // namespace

std::vector<std::string> gguf_type_names() {
  std::vector<std::string> names;
  for (const engine::GgufTypeInfo& info : engine::gguf_types()) names.emplace_back(info.name);
  return names;
}

int export_gguf(const ExportGgufOptions& options, const CommonOptions& common) {
  const InterruptGuard interrupt;
  const auto type = type_named(options.type);
  if (!type) return report(type.error(), common);
  const auto model = locate_model(options.model);
  if (!model) return report(model.error(), common);
  const fs::path out(options.out);
  Result<engine::GgufReport> result;
  {
    ProgressLine line(stderr, is_terminal(stderr));
    result = engine::export_gguf(
        *model, out, {*type, options.name, options.threads},
        [&line](const Progress& progress) { line.show(progress); }, interrupt.token());
  }
  if (!result) return report(result.error(), common);
  if (common.json) {
    print_json(report_json(*result, out, options.type));
  } else {
    print_report(*result, out, options.type);
  }
  return kSuccess;
}

}  // namespace crucible::server::cli
