#include "merger/plan/merged_model.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "merger/checkpoint/files.hpp"
#include "merger/plan/executor.hpp"
#include "merger/plan/output_folder.hpp"
#include "merger/plan/tensor_sink.hpp"

namespace crucible::plan {
namespace {

using nlohmann::json;

// A merged tensor, whole in memory.
class MergedTensor final : public checkpoint::TensorSource {
 public:
  MergedTensor(const PlannedTensor& planned, TensorBytes bytes)
      : planned_(planned), bytes_(std::move(bytes)) {}
  tensor::DType dtype() const override { return planned_.output; }
  const tensor::Shape& shape() const override { return planned_.shape; }
  std::uint64_t stored_bytes() const override { return 0; }
  std::string origin() const override { return "merged tensor " + planned_.name; }
  Status read(std::uint64_t first, std::span<std::byte> out) const override {
    const std::uint64_t size = bytes_->size();
    const std::uint64_t offset = first * tensor::byte_size(planned_.output);
    if (offset > size || out.size() > size - offset)
      return fail(ErrorCode::kInternal, origin() + " is read past its end");
    std::memcpy(out.data(), bytes_->data() + offset, out.size());
    return {};
  }

 private:
  const PlannedTensor& planned_;
  TensorBytes bytes_;
};

// Hands each tensor over when it is complete, from the cache or as computed.
class VisitorSink final : public TensorSink {
 public:
  VisitorSink(const MergePlan& plan, const TensorKeys& keys, TensorCache& cache,
              checkpoint::TensorVisitor& visitor)
      : plan_(plan), keys_(keys), cache_(cache), visitor_(visitor) {}

  bool wants_digests() const override { return false; }

  Result<std::optional<FinishedTensor>> find(std::size_t number, std::uint64_t draws,
                                             ThreadPool&) override {
    key_ = keys_.key(number, draws);
    draws_ = draws;
    const auto facts = cache_.facts(key_);
    if (!facts) return std::optional<FinishedTensor>();
    const PlannedTensor& planned = plan_.tensors[number];
    if (!visitor_.has(planned.name, key_)) {
      TensorBytes bytes = cache_.find(key_);
      if (bytes == nullptr) return std::optional<FinishedTensor>();
      if (auto taken = hand_over(planned, std::move(bytes)); !taken)
        return fail(std::move(taken.error()));
    }
    results_.push_back({{}, facts->not_finite, draws + facts->draws});
    return std::optional(results_.back());
  }

  Status begin(std::size_t number) override {
    const PlannedTensor& planned = plan_.tensors[number];
    direct_ = visitor_.begin(planned.name, {planned.output, planned.shape});
    if (direct_ != nullptr) {
      element_ = tensor::byte_size(planned.output);
      return {};
    }
    bytes_ =
        std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(planned.output_bytes()));
    return {};
  }

  Status write(std::size_t, std::uint64_t offset, std::span<const std::byte> data) override {
    if (direct_ != nullptr) return direct_->write(offset / element_, data);
    std::memcpy(bytes_->data() + offset, data.data(), data.size());
    return {};
  }

  Status finish(std::size_t number, const FinishedTensor& tensor) override {
    results_.push_back(tensor);
    const TensorCache::Facts facts{tensor.not_finite, tensor.draws - draws_};
    if (direct_ != nullptr) {
      direct_.reset();
      cache_.add(key_, facts, nullptr);
      return visitor_.finish(plan_.tensors[number].name, key_);
    }
    cache_.add(key_, facts, bytes_);
    return hand_over(plan_.tensors[number], std::move(bytes_));
  }

  const std::vector<FinishedTensor>& results() const { return results_; }

 private:
  Status hand_over(const PlannedTensor& planned, TensorBytes bytes) {
    return visitor_.take(planned.name, MergedTensor(planned, std::move(bytes)), key_);
  }

  const MergePlan& plan_;
  const TensorKeys& keys_;
  TensorCache& cache_;
  checkpoint::TensorVisitor& visitor_;
  Digest key_;                                       // of the tensor in work
  std::uint64_t draws_ = 0;                          // before it
  std::unique_ptr<checkpoint::ElementSink> direct_;  // where it goes piece by piece, or
  std::size_t element_ = 1;                          // (bytes of an element)
  std::shared_ptr<std::vector<std::byte>> bytes_;
  std::vector<FinishedTensor> results_;
};

}  // namespace

bool MergedModel::OutputDocuments::has(std::string_view name) const {
  return files_.contains(std::string(name));
}

Result<std::string> MergedModel::OutputDocuments::read(std::string_view name,
                                                       std::uint64_t limit_bytes) const {
  const auto found = files_.find(std::string(name));
  if (found == files_.end()) return fail(ErrorCode::kNotFound, label_ + " has no " + place(name));
  const SideFile& file = found->second;
  if (!file.copy_of.empty()) return io::read_text(file.copy_of, limit_bytes);
  if (file.text.size() > limit_bytes) {
    return fail(ErrorCode::kCorrupt,
                place(name) + " is longer than " + std::to_string(limit_bytes) + " bytes");
  }
  return file.text;
}

std::string MergedModel::OutputDocuments::place(std::string_view name) const {
  const auto found = files_.find(std::string(name));
  if (found != files_.end() && !found->second.copy_of.empty())
    return found->second.copy_of.string();
  return std::string(name) + " of " + label_;
}

MergedModel::MergedModel(MergePlan plan, const recipe::Recipe& recipe, const MergeOptions& options,
                         TensorCache& cache, json config, SideFiles files)
    : label_("the " + recipe.merge_method + " merge"),
      plan_(std::move(plan)),
      options_(options),
      cache_(cache),
      keys_(plan_, recipe.merge_method, options_),
      config_(std::move(config)),
      documents_(label_, std::move(files)),
      warnings_(warnings_of(plan_, {})) {
  for (const PlannedTensor& planned : plan_.tensors)
    tensors_.emplace(planned.name, checkpoint::TensorHeader{planned.output, planned.shape});
}

Result<std::unique_ptr<MergedModel>> MergedModel::open(const recipe::Recipe& recipe,
                                                       const ModelResolver& resolver,
                                                       const MergeOptions& options,
                                                       TensorCache& cache) {
  auto plan = build_plan(recipe, resolver, options);
  if (!plan) return fail(std::move(plan.error()));
  auto config = config_text(*plan);
  if (!config) return fail(std::move(config.error()));
  auto files = tokenizer_files(*plan);
  if (!files) return fail(std::move(files.error()));
  json parsed = json::parse(*config);
  (*files)[std::string(checkpoint::kConfigFile)] = {{}, std::move(*config)};
  return std::unique_ptr<MergedModel>(new MergedModel(std::move(*plan), recipe, options, cache,
                                                      std::move(parsed), std::move(*files)));
}

Status MergedModel::visit(checkpoint::TensorVisitor& visitor, const ProgressSink& progress,
                          std::stop_token stop) {
  VisitorSink sink(plan_, keys_, cache_, visitor);
  if (auto status = merge_tensors(plan_, options_, sink, progress, std::move(stop)); !status)
    return status;
  warnings_ = warnings_of(plan_, sink.results());
  return {};
}

}  // namespace crucible::plan
