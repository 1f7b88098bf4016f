#include "server/cli/lora_command.hpp"

#include <cstdio>
#include <filesystem>

#include "merger/base/byte_count.hpp"
#include "merger/lora/extract.hpp"
#include "server/cli/interrupt.hpp"
#include "server/cli/locate_model.hpp"
#include "server/cli/progress_line.hpp"
#include "server/cli/table.hpp"

namespace crucible::server::cli {
namespace {

namespace fs = std::filesystem;

lora::ExtractOptions extract_options(const ExtractLoraOptions& options) {
  lora::ExtractOptions result;
  result.max_rank = options.max_rank;
  result.energy = options.energy;
  result.exact = options.exact;
  result.seed = options.seed;
  result.include = options.include;
  result.exclude = options.exclude;
  result.save_modules = options.save_modules;
  result.dtype = tensor::from_torch_name(options.dtype).value_or(tensor::DType::kF32);
  result.threads = options.threads;
  // A name of the hub stays one, so that the adapter finds its base elsewhere too.
  std::error_code error;
  if (fs::exists(options.base, error)) {
    result.base_model = fs::absolute(options.base).lexically_normal().string();
  } else {
    result.base_model = options.base.substr(0, options.base.find('@'));
  }
  return result;
}

std::string text_of(const tensor::Shape& shape) {
  std::string text;
  for (const std::uint64_t extent : shape) {
    text += (text.empty() ? "" : " x ") + std::to_string(extent);
  }
  return text;
}

std::string error_text(double relative_error) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.2e", relative_error);
  return text;
}

Json report_json(const lora::ExtractReport& report, const fs::path& out) {
  Json modules = Json::array();
  for (const lora::ExtractedModule& module : report.modules) {
    modules.push_back({{"name", module.name},
                       {"shape", module.shape},
                       {"rank", module.rank},
                       {"relative_error", module.relative_error}});
  }
  Json skipped = Json::array();
  for (const lora::SkippedTensor& tensor : report.skipped) {
    skipped.push_back({{"name", tensor.name}, {"reason", tensor.reason}});
  }
  return Json{{"path", fs::absolute(out).lexically_normal().string()},
              {"modules", std::move(modules)},
              {"modules_to_save", report.saved},
              {"skipped", std::move(skipped)},
              {"unchanged", report.unchanged},
              {"relative_error", report.relative_error},
              {"bytes", report.bytes},
              {"seconds", report.seconds}};
}

void print_report(const lora::ExtractReport& report, const fs::path& out) {
  Table table(
      {{"MODULE"}, {"SHAPE", Align::kRight}, {"RANK", Align::kRight}, {"ERROR", Align::kRight}});
  for (const lora::ExtractedModule& module : report.modules) {
    table.add({module.name, text_of(module.shape), std::to_string(module.rank),
               error_text(module.relative_error)});
  }
  print(table.text());
  for (const std::string& module : report.saved) print("kept whole: " + module + "\n");
  for (const lora::SkippedTensor& tensor : report.skipped) {
    std::fprintf(stderr, "warning: not in the adapter: %s: %s\n", tensor.name.c_str(),
                 tensor.reason.c_str());
  }
  print("wrote " + out.string() + ": " + std::to_string(report.modules.size()) + " modules, " +
        format_byte_count(report.bytes) + ", relative error " + error_text(report.relative_error) +
        " in " + duration_text(report.seconds) + "\n");
}

}  // namespace

int extract_lora(const ExtractLoraOptions& options, const CommonOptions& common) {
  const InterruptGuard interrupt;
  const auto base = locate_model(options.base);
  if (!base) return report(base.error(), common);
  const auto model = locate_model(options.model);
  if (!model) return report(model.error(), common);
  fs::path out(options.out);
  if (!out.has_filename()) out = out.parent_path();
  Result<lora::ExtractReport> result;
  {
    ProgressLine line(stderr, is_terminal(stderr));
    result = lora::extract(
        *base, *model, out, extract_options(options),
        [&line](const Progress& progress) { line.show(progress); }, interrupt.token());
  }
  if (!result) return report(result.error(), common);
  if (common.json) {
    print_json(report_json(*result, out));
  } else {
    print_report(*result, out);
  }
  return kSuccess;
}

}  // namespace crucible::server::cli
