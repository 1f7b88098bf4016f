#include "merger/plan/merge.hpp"

#include <chrono>
#include <system_error>

#include "merger/checkpoint/content_digest.hpp"
#include "merger/plan/executor.hpp"
#include "merger/plan/folder_sink.hpp"
#include "merger/plan/open_output.hpp"
#include "merger/plan/output_folder.hpp"

namespace crucible::plan {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kSideFileBytes = 16ULL << 20;  // tokenizer, configuration

}  // namespace

std::vector<std::string> warnings_of(const MergePlan& plan,
                                     const std::vector<FinishedTensor>& results) {
  std::vector<std::string> warnings;
  for (const Fault& fault : plan.warnings) {
    warnings.push_back((fault.path.empty() ? "" : fault.path + ": ") + fault.message);
  }
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i].not_finite == 0) continue;
    warnings.push_back("tensor " + plan.tensors[i].name + " has " +
                       std::to_string(results[i].not_finite) + " values that are NaN or infinite");
  }
  return warnings;
}

fs::path output_path(const fs::path& path) {
  std::error_code error;
  fs::path absolute = fs::absolute(path, error).lexically_normal();
  return absolute.has_filename() ? absolute : absolute.parent_path();
}

Result<Preflight> describe_plan(const MergePlan& plan, const MergeOptions& options,
                                const fs::path& out_parent) {
  Preflight found;
  found.architecture = plan.models.front().architecture->model_type;
  found.layers = plan.layers;
  found.tensors = plan.tensors.size();
  found.parameters = plan.parameters();
  found.output_bytes = plan.output_bytes();
  found.input_bytes = plan.input_bytes();
  found.memory_bytes = plan_buffers(plan, options).bytes;
  found.dtype = tensor::torch_name(plan.main_dtype());
  found.warnings = plan.warnings;
  const auto free = io::free_bytes(out_parent);
  if (!free) return fail(free.error());
  found.free_disk_bytes = *free;
  if (*free < found.output_bytes + kSideFileBytes) {
    return fail(Error{ErrorCode::kNoSpace,
                      "not enough disk space for the merged model",
                      {{"",
                        "the model needs " + std::to_string(found.output_bytes + kSideFileBytes) +
                            " bytes with its tokenizer, " + out_parent.string() + " has " +
                            std::to_string(*free) + " free",
                        "free space, or write to another file system"}}});
  }
  return found;
}

ModelResolver resolve_beneath(std::vector<fs::path> folders) {
  return
      [folders = std::move(folders)](const recipe::ModelReference& reference) -> Result<fs::path> {
        const fs::path path = reference.path;
        std::error_code error;
        std::string tried;
        if (path.is_absolute()) {
          if (fs::exists(path, error)) return path;
          tried = path.string();
        } else {
          for (const fs::path& folder : folders) {
            if (fs::exists(folder / path, error)) return folder / path;
            tried += (tried.empty() ? "" : ", ") + (folder / path).string();
          }
        }
        return fail(ErrorCode::kNotFound, "model " + reference.path + " not found" +
                                              (tried.empty() ? "" : "; looked at " + tried));
      };
}

Result<Preflight> preflight(const recipe::Recipe& recipe, const ModelResolver& resolver,
                            const MergeOptions& options, const fs::path& out_parent) {
  const auto plan = build_plan(recipe, resolver, options);
  if (!plan) return fail(plan.error());
  return describe_plan(*plan, options, out_parent);
}

Result<MergeReport> execute(const MergePlan& plan, const SideFileWriter& write_files,
                            const MergeOptions& options, const fs::path& out,
                            const ProgressSink& progress, std::stop_token stop,
                            io::Syscalls& calls) {
  const auto begin = std::chrono::steady_clock::now();
  auto output = open_output(plan, options, out, calls);
  if (!output) return fail(std::move(output.error()));
  if (options.resume) output->staging.keep();
  const std::size_t resumed = output->journal.finished().size();
  const auto files = write_files(output->staging.path(), calls);
  if (!files) return fail(files.error());
  FolderSink sink(plan, *output);
  auto status = merge_tensors(plan, options, sink, progress, stop);
  if (status) status = output->writer.finish();
  if (status && stop.stop_requested())
    status = fail(ErrorCode::kCancelled, "the merge was cancelled");
  if (status) status = output->journal.remove();
  if (status) status = output->staging.publish(out, calls);
  if (!status) return fail(std::move(status.error()));

  MergeReport report;
  const std::vector<FinishedTensor>& results = output->journal.finished();
  std::map<std::string, Digest> tensors;
  for (std::size_t i = 0; i < results.size(); ++i)
    tensors.emplace(plan.tensors[i].name, results[i].digest);
  report.content_digest = checkpoint::combine_digests(files->config, files->tokenizer, tensors);
  report.tensors = plan.tensors.size();
  report.parameters = plan.parameters();
  report.output_bytes = plan.output_bytes();
  report.resumed_tensors = std::min(resumed, results.size());
  report.warnings = warnings_of(plan, results);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return report;
}

Result<MergeReport> execute(const MergePlan& plan, const recipe::Recipe& recipe,
                            const MergeOptions& options, const fs::path& out,
                            const ProgressSink& progress, std::stop_token stop,
                            io::Syscalls& calls) {
  const auto write_files = [&](const fs::path& folder, io::Syscalls& through) {
    return write_side_files(plan, recipe, folder, out.filename().string(), through);
  };
  return execute(plan, write_files, options, out, progress, std::move(stop), calls);
}

Result<MergeReport> merge(const recipe::Recipe& recipe, const ModelResolver& resolver,
                          const MergeOptions& options, const fs::path& out,
                          const ProgressSink& progress, std::stop_token stop) {
  const fs::path target = output_path(out);
  std::error_code error;
  if (fs::exists(target, error))
    return fail(ErrorCode::kConflict, target.string() + " exists already");
  const auto plan = build_plan(recipe, resolver, options);
  if (!plan) return fail(plan.error());
  const auto found = describe_plan(*plan, options, target.parent_path());
  if (!found) return fail(found.error());
  if (auto status = io::make_folders(target.parent_path()); !status)
    return fail(std::move(status.error()));
  return execute(*plan, recipe, options, target, progress, std::move(stop));
}

}  // namespace crucible::plan
