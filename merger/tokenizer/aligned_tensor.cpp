#include "merger/tokenizer/aligned_tensor.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <span>
#include <utility>

#include "merger/recipe/text.hpp"
#include "merger/tokenizer/column_sums.hpp"

namespace crucible::tokenizer {
namespace {

using checkpoint::TensorSource;
using checkpoint::TensorSourcePtr;
using tensor::DType;

constexpr std::uint64_t kChunkElements = 1ULL << 16;  // converted at a time

// Where a row of the aligned matrix comes from: a row of an input, or one of these.
constexpr std::uint32_t kZero = 0xFFFF'FFFF;
constexpr std::uint32_t kAverage = 0xFFFF'FFFE;  // over the inputs that have the token
constexpr std::uint32_t kPadding = 0xFFFF'FFFD;
struct RowSource {
  std::uint32_t input = kZero;
  std::uint32_t row = 0;
  bool stored() const { return input < kPadding; }
};

// What all inputs of one tensor share.
struct Shared {
  std::shared_ptr<const OutputTokenizer> tokenizer;
  std::vector<AlignmentInput> inputs;
  DType dtype = DType::kF32;
  std::uint64_t width = 1;  // elements of a row

  std::int64_t row_in(std::size_t input, std::uint64_t id) const {
    return (*tokenizer->row_maps[inputs[input].model])[id];
  }
};

// Elements of an input as `dtype`.
Status read_as(const TensorSource& source, DType dtype, std::uint64_t first,
               std::span<std::byte> out) {
  if (source.dtype() == dtype) return source.read(first, out);
  const std::size_t size = tensor::byte_size(dtype);
  const std::size_t stored = tensor::byte_size(source.dtype());
  std::vector<std::byte> raw;
  std::vector<float> singles;
  std::vector<double> doubles;
  while (!out.empty()) {
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(kChunkElements, out.size() / size));
    raw.resize(count * stored);
    if (auto status = source.read(first, raw); !status) return status;
    if (dtype == DType::kF64) {
      doubles.resize(count);
      tensor::to_float64(source.dtype(), raw, doubles);
      tensor::from_float64(dtype, doubles, out.first(count * size));
    } else {
      singles.resize(count);
      tensor::to_float32(source.dtype(), raw, singles);
      tensor::from_float32(dtype, singles, out.first(count * size));
    }
    out = out.subspan(count * size);
    first += count;
  }
  return {};
}

void widen(DType dtype, std::span<const std::byte> in, std::span<float> out) {
  tensor::to_float32(dtype, in, out);
}
void widen(DType dtype, std::span<const std::byte> in, std::span<double> out) {
  tensor::to_float64(dtype, in, out);
}
void narrow(DType dtype, std::span<const float> in, std::span<std::byte> out) {
  tensor::from_float32(dtype, in, out);
}
void narrow(DType dtype, std::span<const double> in, std::span<std::byte> out) {
  tensor::from_float64(dtype, in, out);
}
float rounded(DType dtype, float value) { return tensor::round_to(dtype, value); }
double rounded(DType /*dtype*/, double value) { return value; }

class AlignedTensor : public TensorSource {
 public:
  AlignedTensor(std::shared_ptr<const Shared> shared, std::size_t own, std::vector<RowSource> rows)
      : shared_(std::move(shared)), own_(own), rows_(std::move(rows)) {
    shape_ = shared_->inputs[own].source->shape();
    shape_.front() = rows_.size();
  }

  DType dtype() const override { return shared_->dtype; }
  const tensor::Shape& shape() const override { return shape_; }
  std::uint64_t stored_bytes() const override {
    return shared_->inputs[own_].source->stored_bytes();
  }
  std::string origin() const override {
    return shared_->inputs[own_].source->origin() + ", rows aligned";
  }

  Status read(std::uint64_t first, std::span<std::byte> out) const override {
    const std::uint64_t width = shared_->width;
    const std::size_t size = tensor::byte_size(shared_->dtype);
    while (!out.empty()) {
      const std::uint64_t row = first / width;
      const std::uint64_t column = first % width;
      const std::uint64_t rows = run_length(row, out.size() / size / width + 2);
      const std::uint64_t count = std::min<std::uint64_t>(out.size() / size, rows * width - column);
      const auto part = out.first(static_cast<std::size_t>(count) * size);
      if (auto status = read_run(row, column, part); !status) return status;
      first += count;
      out = out.subspan(part.size());
    }
    return {};
  }

 private:
  // Rows from `row` on that lie one after the other in one input; at most `limit`.
  std::uint64_t run_length(std::uint64_t row, std::uint64_t limit) const {
    std::uint64_t length = 1;
    const RowSource& begin = rows_[row];
    while (begin.stored() && length < limit && row + length < rows_.size() &&
           rows_[row + length].input == begin.input &&
           rows_[row + length].row == begin.row + length) {
      ++length;
    }
    return length;
  }

  Status read_run(std::uint64_t row, std::uint64_t column, std::span<std::byte> out) const {
    const RowSource& from = rows_[row];
    if (from.stored()) {
      return read_as(*shared_->inputs[from.input].source, shared_->dtype,
                     from.row * shared_->width + column, out);
    }
    const bool wide = shared_->dtype == DType::kF64;
    if (from.input == kAverage)
      return wide ? average<double>(row, column, out) : average<float>(row, column, out);
    if (from.input == kZero) {
      std::ranges::fill(out, std::byte{0});
      return {};
    }
    std::call_once(padding_once_,
                   [&] { padding_status_ = wide ? find_mean<double>() : find_mean<float>(); });
    if (!padding_status_) return padding_status_;
    const std::size_t size = tensor::byte_size(shared_->dtype);
    std::memcpy(out.data(), padding_.data() + static_cast<std::size_t>(column) * size, out.size());
    return {};
  }

  template <typename Value>
  Status average(std::uint64_t id, std::uint64_t column, std::span<std::byte> out) const {
    const DType dtype = shared_->dtype;
    const std::size_t count = out.size() / tensor::byte_size(dtype);
    std::vector<Value> sums(count, Value(0));
    std::vector<Value> row(count);
    Value present = 0;
    for (std::size_t i = 0; i < shared_->inputs.size(); ++i) {
      const std::int64_t own = shared_->row_in(i, id);
      if (own < 0) continue;
      const std::uint64_t first = static_cast<std::uint64_t>(own) * shared_->width + column;
      if (auto status = read_as(*shared_->inputs[i].source, dtype, first, out); !status)
        return status;
      widen(dtype, out, std::span<Value>(row));
      for (std::size_t k = 0; k < count; ++k) sums[k] = rounded(dtype, sums[k] + row[k]);
      present += 1;
    }
    for (Value& sum : sums) sum /= present;
    narrow(dtype, std::span<const Value>(sums), out);
    return {};
  }

  // The mean over the rows of tokens, as bytes.
  template <typename Value>
  Status find_mean() const {
    const DType dtype = shared_->dtype;
    const auto width = static_cast<std::size_t>(shared_->width);
    const std::uint64_t tokens = shared_->tokenizer->tokens;
    const bool list = shape_.size() == 1;
    ColumnSums<Value> columns(tokens, list ? 0 : width);
    ListSum<Value> values(list ? tokens : 0);
    std::vector<std::byte> raw(width * tensor::byte_size(dtype));
    std::vector<Value> row(width);
    for (std::uint64_t id = 0; id < rows_.size(); ++id) {
      if (!shared_->tokenizer->is_token[id]) continue;
      if (auto status = read_run(id, 0, raw); !status) return status;
      widen(dtype, raw, std::span<Value>(row));
      if (list) {
        values.add(row.front());
      } else {
        columns.add(row);
      }
    }
    std::vector<Value> mean = list ? std::vector<Value>{values.finish()} : columns.finish();
    for (Value& value : mean) value /= static_cast<Value>(tokens);
    padding_.resize(raw.size());
    narrow(dtype, std::span<const Value>(mean), padding_);
    return {};
  }

  std::shared_ptr<const Shared> shared_;
  std::size_t own_;
  std::vector<RowSource> rows_;
  tensor::Shape shape_;
  mutable std::once_flag padding_once_;
  mutable Status padding_status_;
  mutable std::vector<std::byte> padding_;
};

class Aligner {
 public:
  Aligner(const Shared& shared, const std::string& name, std::optional<std::size_t> base)
      : shared_(shared), tokenizer_(*shared.tokenizer), name_(name), base_(base) {}

  std::vector<RowSource> rows_of(std::size_t own) {
    std::vector<RowSource> rows(tokenizer_.rows, RowSource{kPadding, 0});
    for (std::uint64_t id = 0; id < rows.size(); ++id) {
      if (!tokenizer_.is_token[id]) continue;
      const std::int64_t row = shared_.row_in(own, id);
      const auto rule = tokenizer_.rules.find(static_cast<std::uint32_t>(id));
      if (rule == tokenizer_.rules.end()) {
        rows[id] = row >= 0 ? stored(own, row) : missing(id);
      } else if (row >= 0 && !rule->second.force) {
        rows[id] = stored(own, row);
      } else {
        rows[id] = by_rule(rule->second);
      }
    }
    return rows;
  }

  std::vector<Fault> take_faults() { return std::move(faults_); }

 private:
  static RowSource stored(std::size_t input, std::int64_t row) {
    return {static_cast<std::uint32_t>(input), static_cast<std::uint32_t>(row)};
  }

  RowSource missing(std::uint64_t id) const {
    std::size_t present = 0;
    std::size_t last = 0;
    for (std::size_t i = 0; i < shared_.inputs.size(); ++i) {
      if (shared_.row_in(i, id) < 0) continue;
      ++present;
      last = i;
    }
    if (present == 0) return {};
    if (present == 1) return stored(last, shared_.row_in(last, id));
    if (base_ && shared_.row_in(*base_, id) >= 0) return stored(*base_, shared_.row_in(*base_, id));
    return {kAverage, 0};
  }

  RowSource by_rule(const TokenRule& rule) {
    if (rule.kind == TokenRule::Kind::kZero) return {};
    if (rule.kind == TokenRule::Kind::kUnset) {
      fault(rule.path, "a model lacks the token, and where its row comes from is not said",
            "source: a model that has it, {kind: zero} or {kind: model_token, …}");
      return {};
    }
    for (std::size_t i = 0; i < shared_.inputs.size(); ++i) {
      if (shared_.inputs[i].model != rule.model) continue;
      const std::uint64_t rows = shared_.inputs[i].source->shape().front();
      if (static_cast<std::uint64_t>(rule.row) < rows) return stored(i, rule.row);
      fault(rule.path + ".source",
            "row " + std::to_string(rule.row) + " is asked for, and " + name_ + " has " +
                std::to_string(rows),
            "name a token that the model has");
      return {};
    }
    fault(rule.path + ".source", "the model named is not among the sources of " + name_,
          "name a model that feeds the tensor");
    return {};
  }

  void fault(std::string path, std::string message, std::string suggestion) {
    Fault found{std::move(path), std::move(message), std::move(suggestion)};
    if (std::ranges::find(faults_, found) == faults_.end()) faults_.push_back(std::move(found));
  }

  const Shared& shared_;
  const OutputTokenizer& tokenizer_;
  const std::string& name_;
  std::optional<std::size_t> base_;
  std::vector<Fault> faults_;
};

// Rows that the maps ask for must be there.
std::optional<Fault> check_input(const Shared& shared, std::size_t input, const std::string& name) {
  const TensorSource& source = *shared.inputs[input].source;
  if (source.shape().empty() || tensor::element_count(source.shape()).value_or(0) == 0 ||
      !tensor::is_floating(source.dtype()))
    return Fault{"", source.origin() + " is no matrix of floating-point rows", ""};
  const RowMap& map = *shared.tokenizer->row_maps[shared.inputs[input].model];
  const std::int64_t most = *std::ranges::max_element(map);
  if (most < static_cast<std::int64_t>(source.shape().front())) return std::nullopt;
  return Fault{"",
               source.origin() + " has " + std::to_string(source.shape().front()) +
                   " rows, and the tokenizer has a token numbered " + std::to_string(most),
               "check vocab_size in config.json; " + name + " must have a row for every token"};
}

}  // namespace

Result<std::vector<TensorSourcePtr>> align(const std::shared_ptr<const OutputTokenizer>& tokenizer,
                                           const std::string& name,
                                           const std::vector<AlignmentInput>& inputs,
                                           std::optional<std::size_t> base, DType dtype) {
  auto shared = std::make_shared<Shared>(Shared{tokenizer, inputs, dtype, 1});
  Error error{ErrorCode::kInvalidArgument, name + " cannot be aligned", {}};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (auto fault = check_input(*shared, i, name)) error.faults.push_back(std::move(*fault));
  }
  if (!error.faults.empty()) return fail(std::move(error));
  const tensor::Shape& first = inputs.front().source->shape();
  for (const AlignmentInput& input : inputs) {
    const tensor::Shape& shape = input.source->shape();
    if (!std::ranges::equal(std::span(shape).subspan(1), std::span(first).subspan(1))) {
      error.faults.push_back({"",
                              input.source->origin() + " has rows of another length than " +
                                  inputs.front().source->origin(),
                              "models must have the same layer sizes"});
      return fail(std::move(error));
    }
  }
  shared->width = tensor::element_count({first.begin() + 1, first.end()}).value_or(1);
  Aligner aligner(*shared, name, base);
  std::vector<TensorSourcePtr> aligned;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    aligned.push_back(std::make_shared<const AlignedTensor>(shared, i, aligner.rows_of(i)));
  error.faults = aligner.take_faults();
  if (!error.faults.empty()) return fail(std::move(error));
  return aligned;
}

}  // namespace crucible::tokenizer
