#include "merger/lora/extract.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <set>
#include <system_error>

#include "merger/base/staging_folder.hpp"
#include "merger/checkpoint/checkpoint.hpp"
#include "merger/lora/adapter_writer.hpp"
#include "merger/lora/module_kind.hpp"
#include "merger/lora/pattern.hpp"
#include "merger/lora/svd.hpp"

namespace crucible::lora {
namespace fs = std::filesystem;
namespace {

using checkpoint::Checkpoint;
using checkpoint::TensorSource;
using checkpoint::TensorSourcePtr;

constexpr std::uint64_t kPieceElements = 1U << 20;

// One tensor in both models.
struct Pair {
  std::string name;
  std::string module;  // the name without its last part, as PEFT names modules
  TensorSourcePtr base;
  TensorSourcePtr model;
  bool differs = false;
  bool is_matrix = false;  // a weight that factors can represent
};

std::string text_of(const tensor::Shape& shape) {
  std::string text = "[";
  for (const std::uint64_t extent : shape) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  }
  return text + "]";
}

// Module names come from the model in memory, which in GPT-2's case has one part more than some
// checkpoints.
std::string module_path(const Checkpoint& checkpoint, const std::string& tensor) {
  std::string module = tensor.substr(0, tensor.rfind('.'));
  if (checkpoint.model_type() == "gpt2" && !module.starts_with("transformer.") &&
      module != "lm_head") {
    module.insert(0, "transformer.");
  }
  return module;
}

void transpose(std::vector<float>& values, std::size_t rows, std::size_t columns) {
  std::vector<float> turned(values.size());
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) turned[j * rows + i] = values[i * columns + j];
  }
  values = std::move(turned);
}

std::vector<std::byte> narrowed(std::vector<float>& values, tensor::DType dtype) {
  std::vector<std::byte> raw(values.size() * tensor::byte_size(dtype));
  tensor::from_float32(dtype, values, raw);
  tensor::to_float32(dtype, raw, values);
  return raw;
}

class Extraction {
 public:
  Extraction(const Checkpoint& base, const Checkpoint& model, const ExtractOptions& options,
             const ProgressSink& progress, std::stop_token stop)
      : base_(base),
        model_(model),
        options_(options),
        progress_(progress),
        stop_(std::move(stop)),
        pool_(options.threads) {}

  Status run() {
    if (auto status = compile_filters(); !status) return status;
    pair_tensors();
    if (auto status = find_differences(); !status) return status;
    if (auto status = choose_saved(); !status) return status;
    for (const Pair& pair : pairs_) {
      if (auto status = pair.differs ? take(pair) : note(pair); !status) return status;
    }
    if (contents_.modules.empty()) {
      return fail(ErrorCode::kInvalidArgument,
                  "no matrix that was asked for differs between " + base_.folder().string() +
                      " and " + model_.folder().string() + "; there is no adapter to write");
    }
    report_.relative_error = whole_ > 0 ? std::sqrt(rest_ / whole_) : 0;
    finish_contents();
    return {};
  }

  const AdapterContents& contents() const { return contents_; }
  ExtractReport report() && { return std::move(report_); }

 private:
  Status compile_filters() {
    const auto compile = [](const std::string& text, const char* option,
                            std::optional<Pattern>& pattern) -> Status {
      if (text.empty()) return {};
      auto compiled = Pattern::compile(text);
      if (!compiled) return fail(std::move(compiled.error()).with_context(option));
      pattern = std::move(*compiled);
      return {};
    };
    if (auto status = compile(options_.include, "include", include_); !status) return status;
    return compile(options_.exclude, "exclude", exclude_);
  }

  Result<bool> is_asked_for(const std::string& module) const {
    if (include_) {
      const auto found = include_->occurs_in(module);
      if (!found || !*found) return found;
    }
    if (!exclude_) return true;
    const auto found = exclude_->occurs_in(module);
    if (!found) return found;
    return !*found;
  }

  void pair_tensors() {
    std::set<std::string> names(base_.tensor_names().begin(), base_.tensor_names().end());
    names.insert(model_.tensor_names().begin(), model_.tensor_names().end());
    for (const std::string& name : names) {
      const auto in_base = base_.find(name);
      const auto in_model = model_.find(name);
      if (in_base.shard == nullptr || in_model.shard == nullptr) {
        report_.skipped.push_back(
            {name, in_base.shard == nullptr ? "the base model lacks it" : "only the base has it"});
        continue;
      }
      const tensor::Shape& shape = in_base.entry->shape;
      if (shape != in_model.entry->shape) {
        report_.skipped.push_back({name, "it is " + text_of(in_model.entry->shape) +
                                             ", the base model's is " + text_of(shape)});
        continue;
      }
      if (!tensor::is_floating(in_base.entry->dtype) ||
          !tensor::is_floating(in_model.entry->dtype)) {
        report_.skipped.push_back({name, "it is not of floating-point numbers"});
        continue;
      }
      const bool is_matrix = shape.size() == 2 && name.ends_with(".weight");
      pairs_.push_back({name, module_path(base_, name),
                        std::make_shared<checkpoint::StoredTensor>(in_base),
                        std::make_shared<checkpoint::StoredTensor>(in_model), false, is_matrix});
      total_bytes_ += 2 * (in_base.entry->bytes + in_model.entry->bytes);
    }
  }

  Status note(const Pair& pair) {
    done_bytes_ += pair.base->stored_bytes() + pair.model->stored_bytes();
    if (progress_) progress_({"extract", done_bytes_, total_bytes_, "bytes"});
    if (stop_.stop_requested()) return fail(ErrorCode::kCancelled, "the extraction was cancelled");
    return {};
  }

  // Calls visit(first, difference) for pieces of the tensor, from several threads.
  template <typename Visit>
  Status for_each_piece(const Pair& pair, const Visit& visit) {
    const std::uint64_t elements = tensor::element_count(pair.base->shape()).value_or(0);
    const auto count = static_cast<std::size_t>((elements + kPieceElements - 1) / kPieceElements);
    std::vector<Status> statuses(count);
    pool_.for_each(count, [&](unsigned, std::size_t index) {
      const std::uint64_t first = index * kPieceElements;
      const auto size = static_cast<std::size_t>(std::min(kPieceElements, elements - first));
      std::vector<float> of_base(size);
      std::vector<float> difference(size);
      statuses[index] = read(*pair.base, first, of_base);
      if (statuses[index]) statuses[index] = read(*pair.model, first, difference);
      if (!statuses[index]) return;
      for (std::size_t i = 0; i < size; ++i) difference[i] -= of_base[i];
      visit(index, first, difference);
    });
    for (Status& status : statuses) {
      if (!status) return std::move(status);
    }
    return {};
  }

  static Status read(const TensorSource& source, std::uint64_t first, std::vector<float>& values) {
    std::vector<std::byte> raw(values.size() * tensor::byte_size(source.dtype()));
    if (auto status = source.read(first, raw); !status) return status;
    tensor::to_float32(source.dtype(), raw, values);
    return {};
  }

  Status find_differences() {
    for (Pair& pair : pairs_) {
      std::atomic<bool> differs = false;
      std::atomic<bool> is_finite = true;
      auto status = for_each_piece(
          pair, [&](std::size_t, std::uint64_t, const std::vector<float>& difference) {
            for (const float value : difference) {
              if (value != 0) differs.store(true, std::memory_order_relaxed);
              if (!std::isfinite(value)) is_finite.store(false, std::memory_order_relaxed);
            }
          });
      if (!status) return status;
      if (!is_finite) {
        return fail(ErrorCode::kInvalidArgument,
                    "tensor " + pair.name + " has NaN or infinite values in " +
                        base_.folder().string() + " or " + model_.folder().string() +
                        "; exclude its module");
      }
      pair.differs = differs;
      if (!differs) ++report_.unchanged;
      if (auto noted = note(pair); !noted) return noted;
    }
    return {};
  }

  // A module with a difference that factors cannot represent is saved whole.
  Status choose_saved() {
    if (!options_.save_modules) return {};
    std::set<std::string> whole;
    for (const Pair& pair : pairs_) {
      if (!pair.differs || pair.is_matrix) continue;
      const auto asked = is_asked_for(pair.module);
      if (!asked) return fail(asked.error());
      if (*asked) whole.insert(pair.module);
    }
    for (const Pair& pair : pairs_) {
      if (whole.contains(pair.module)) contents_.saved.push_back({saved_name(pair), pair.model});
    }
    contents_.modules_to_save.assign(whole.begin(), whole.end());
    report_.saved = contents_.modules_to_save;
    return {};
  }

  static std::string saved_name(const Pair& pair) {
    return pair.module + pair.name.substr(pair.name.rfind('.'));
  }

  Status take(const Pair& pair) {
    if (std::ranges::binary_search(contents_.modules_to_save, pair.module)) return note(pair);
    const auto asked = is_asked_for(pair.module);
    if (!asked) return fail(asked.error());
    if (!*asked) {
      report_.skipped.push_back({pair.name, "left out by include and exclude"});
    } else if (!pair.is_matrix) {
      report_.skipped.push_back({pair.name, "it is no matrix; save_modules keeps it whole"});
    } else if (auto status = factorise(pair); !status) {
      return status;
    }
    return note(pair);
  }

  Status factorise(const Pair& pair) {
    const tensor::Shape& shape = pair.base->shape();
    const auto rows = static_cast<std::size_t>(shape[0]);
    const auto columns = static_cast<std::size_t>(shape[1]);
    std::vector<float> difference(rows * columns);
    auto status = for_each_piece(
        pair, [&](std::size_t, std::uint64_t first, const std::vector<float>& piece) {
          std::ranges::copy(piece, difference.begin() + static_cast<std::ptrdiff_t>(first));
        });
    if (!status) return status;
    LowRankOptions options;
    options.max_rank = static_cast<std::size_t>(options_.max_rank);
    options.energy = options_.energy;
    options.exact = options_.exact;
    options.seed = options_.seed;
    LowRank found = approximate(difference, rows, columns, options, pool_);
    WrittenModule written;
    written.name = pair.module;
    written.rank = found.rank;
    std::vector<std::byte> left = narrowed(found.left, options_.dtype);
    std::vector<std::byte> right = narrowed(found.right, options_.dtype);
    const Residual residual = measure(difference, rows, columns, found, pool_);
    whole_ += residual.whole;
    rest_ += residual.rest;
    report_.modules.push_back({pair.module, shape, found.rank,
                               residual.whole > 0 ? std::sqrt(residual.rest / residual.whole) : 0});
    report_.bytes += left.size() + right.size();
    place_factors(written, found, rows, columns, std::move(left), std::move(right));
    contents_.modules.push_back(std::move(written));
    return {};
  }

  // Embeddings and Conv1D weights lie transposed: their left factor is A^T, their right one B^T.
  void place_factors(WrittenModule& written, LowRank& found, std::size_t rows, std::size_t columns,
                     std::vector<std::byte> left, std::vector<std::byte> right) {
    written.is_embedding = is_embedding(written.name);
    const bool is_conv1d = is_stored_in_out(base_.config(), written.name);
    contents_.fan_in_fan_out = contents_.fan_in_fan_out || is_conv1d;
    if (!written.is_embedding && !is_conv1d) {
      written.outputs = rows;
      written.inputs = columns;
      written.b = std::move(left);
      written.a = std::move(right);
      return;
    }
    written.inputs = rows;
    written.outputs = columns;
    transpose(found.left, rows, found.rank);
    transpose(found.right, found.rank, columns);
    written.a = narrowed(found.left, options_.dtype);
    written.b = narrowed(found.right, options_.dtype);
  }

  void finish_contents() {
    contents_.base_model =
        options_.base_model.empty() ? base_.folder().string() : options_.base_model;
    contents_.dtype = options_.dtype;
    contents_.target_modules = target_modules();
    for (const SavedTensor& saved : contents_.saved) report_.bytes += saved.source->stored_bytes();
  }

  // The last parts of the modules' names where they stand for exactly these modules, else whole
  // names.
  std::vector<std::string> target_modules() const {
    const auto last_part = [](const std::string& name) { return name.substr(name.rfind('.') + 1); };
    std::map<std::string, std::size_t> in_base;
    std::map<std::string, std::vector<std::string>> extracted;
    for (const std::string& name : base_.tensor_names()) {
      if (name.ends_with(".weight")) ++in_base[last_part(module_path(base_, name))];
    }
    for (const WrittenModule& module : contents_.modules) {
      extracted[last_part(module.name)].push_back(module.name);
    }
    std::vector<std::string> targets;
    for (const auto& [part, names] : extracted) {
      if (names.size() == in_base[part]) {
        targets.push_back(part);
      } else {
        targets.insert(targets.end(), names.begin(), names.end());
      }
    }
    return targets;
  }

  const Checkpoint& base_;
  const Checkpoint& model_;
  const ExtractOptions& options_;
  const ProgressSink& progress_;
  std::stop_token stop_;
  ThreadPool pool_;
  std::optional<Pattern> include_;
  std::optional<Pattern> exclude_;
  std::vector<Pair> pairs_;
  std::uint64_t done_bytes_ = 0;
  std::uint64_t total_bytes_ = 0;
  double whole_ = 0;
  double rest_ = 0;
  AdapterContents contents_;
  ExtractReport report_;
};

Status check_options(const ExtractOptions& options) {
  if (options.max_rank == 0) {
    return fail(ErrorCode::kInvalidArgument, "the largest rank must be at least 1");
  }
  if (!(options.energy > 0 && options.energy <= 1)) {
    return fail(ErrorCode::kInvalidArgument, "the energy to keep must be above 0 and at most 1");
  }
  if (!tensor::is_floating(options.dtype) || options.dtype == tensor::DType::kF64) {
    return fail(ErrorCode::kInvalidArgument,
                "an adapter's element type is float32, bfloat16 or float16");
  }
  return {};
}

}  // namespace

Result<ExtractReport> extract(const fs::path& base, const fs::path& model, const fs::path& out,
                              const ExtractOptions& options, const ProgressSink& progress,
                              std::stop_token stop, io::Syscalls& calls) {
  const auto begin = std::chrono::steady_clock::now();
  if (auto status = check_options(options); !status) return fail(std::move(status.error()));
  std::error_code error;
  fs::path target = fs::absolute(out, error).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();
  if (fs::exists(target, error)) {
    return fail(ErrorCode::kConflict, target.string() + " exists already");
  }
  auto opened_base = Checkpoint::open(base, calls);
  if (!opened_base) return fail(std::move(opened_base.error()));
  auto opened_model = Checkpoint::open(model, calls);
  if (!opened_model) return fail(std::move(opened_model.error()));
  Extraction extraction(*opened_base, *opened_model, options, progress, std::move(stop));
  if (auto status = extraction.run(); !status) return fail(std::move(status.error()));

  if (auto status = io::make_folders(target.parent_path()); !status) {
    return fail(std::move(status.error()));
  }
  auto staging = io::StagingFolder::create(target, calls);
  if (!staging) return fail(std::move(staging.error()));
  if (auto status = write_adapter(extraction.contents(), staging->path(), calls); !status) {
    return fail(std::move(status.error()));
  }
  if (auto status = staging->publish(target, calls); !status) {
    return fail(std::move(status.error()));
  }
  ExtractReport report = std::move(extraction).report();
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return report;
}

}  // namespace crucible::lora
