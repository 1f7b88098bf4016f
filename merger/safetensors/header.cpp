#include "merger/safetensors/header.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <tuple>

#include "nlohmann/json.hpp"

namespace crucible::safetensors {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 8> kLaterTypes = {
    "C64", "F4", "F6_E2M3", "F6_E3M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "E8M0"};

// One tensor's fields as the header states them, before they are checked against each other.
struct Fields {
  std::optional<std::string> dtype;
  std::optional<tensor::Shape> shape;
  std::optional<std::vector<std::uint64_t>> offsets;
};

// SAX handler: sees duplicate keys and the kind of every number, which a parsed value would hide.
// The nesting is fixed: header > entry > array, so depth is bounded by the states.
class HeaderSax : public nlohmann::json_sax<json> {
 public:
  std::string fault;
  std::map<std::string, Fields> tensors;
  std::map<std::string, std::string> metadata;

  bool null() override { return reject("a null"); }
  bool boolean(bool) override { return reject("a boolean"); }
  bool number_integer(number_integer_t) override { return reject("a negative number"); }
  bool number_float(number_float_t, const string_t&) override {
    return reject("a number that is not a 64-bit integer");
  }
  bool binary(binary_t&) override { return reject("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (state_ != State::kArray) return reject("a number");
    if (array_->size() >= kRankLimit) return stop(name_ + ": " + key_ + " has more than 8 numbers");
    array_->push_back(value);
    return true;
  }

  bool string(string_t& text) override {
    if (state_ == State::kMetadata) {
      metadata[key_] = std::move(text);
      return true;
    }
    if (state_ == State::kEntry && key_ == "dtype") {
      tensors[name_].dtype = std::move(text);
      return true;
    }
    return reject("a string");
  }

  bool start_object(std::size_t) override {
    if (state_ == State::kStart) {
      state_ = State::kHeader;
      return true;
    }
    if (state_ != State::kHeader) return reject("an object");
    keys_.clear();
    if (name_ == "__metadata__") {
      state_ = State::kMetadata;
    } else {
      state_ = State::kEntry;
      tensors.try_emplace(name_);
    }
    return true;
  }

  bool key(string_t& text) override {
    if (state_ == State::kHeader) {
      if (text.size() > kNameLimitBytes) return stop("a tensor name is longer than 512 bytes");
      if (!names_.insert(text).second) return stop("duplicate tensor name \"" + text + "\"");
      if (names_.size() > kTensorLimit) return stop("more than a million tensors");
      name_ = std::move(text);
      return true;
    }
    key_ = std::move(text);
    if (!keys_.insert(key_).second) return stop(name_ + ": duplicate key \"" + key_ + "\"");
    if (state_ == State::kEntry && key_ != "dtype" && key_ != "shape" && key_ != "data_offsets") {
      return stop(name_ + ": unknown key \"" + key_ + "\"");
    }
    return true;
  }

  bool end_object() override {
    state_ = state_ == State::kHeader ? State::kDone : State::kHeader;
    return true;
  }

  bool start_array(std::size_t) override {
    if (state_ != State::kEntry || key_ == "dtype") return reject("an array");
    Fields& fields = tensors[name_];
    array_ = key_ == "shape" ? &fields.shape.emplace() : &fields.offsets.emplace();
    state_ = State::kArray;
    return true;
  }

  bool end_array() override {
    state_ = State::kEntry;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const json::exception&) override {
    return stop("not valid JSON in UTF-8 at byte " + std::to_string(position));
  }

 private:
  enum class State { kStart, kHeader, kEntry, kMetadata, kArray, kDone };

  bool stop(std::string message) {
    if (fault.empty()) fault = std::move(message);
    return false;
  }
  bool reject(std::string_view what) {
    return stop((state_ == State::kStart ? "header" : "\"" + name_ + "\"") + ": " +
                std::string(what) + " where the format has none");
  }

  State state_ = State::kStart;
  std::string name_;
  std::string key_;
  std::set<std::string> names_;
  std::set<std::string> keys_;
  std::vector<std::uint64_t>* array_ = nullptr;
};

tl::unexpected<Error> corrupt(std::string_view name, std::string_view message) {
  return fail(ErrorCode::kCorrupt,
              "safetensors tensor \"" + std::string(name) + "\": " + std::string(message));
}

// The tensor's own fields: type known, and its bytes equal to what shape and type ask for.
Result<TensorEntry> check_fields(const std::string& name, const Fields& fields) {
  if (!fields.dtype) return corrupt(name, "dtype is missing");
  if (!fields.shape) return corrupt(name, "shape is missing");
  if (!fields.offsets || fields.offsets->size() != 2) {
    return corrupt(name, "data_offsets must be two integers");
  }
  const auto dtype = tensor::from_safetensors_name(*fields.dtype);
  if (!dtype) {
    if (std::ranges::find(kLaterTypes, *fields.dtype) != kLaterTypes.end()) {
      return fail(ErrorCode::kUnsupported, "safetensors tensor \"" + name + "\": dtype " +
                                               *fields.dtype + " is not supported");
    }
    return corrupt(name, "unknown dtype \"" + *fields.dtype + "\"");
  }
  const auto count = tensor::element_count(*fields.shape);
  std::uint64_t bytes = 0;
  if (!count || __builtin_mul_overflow(*count, tensor::byte_size(*dtype), &bytes)) {
    return corrupt(name, "shape times element size exceeds 64 bits");
  }
  const std::uint64_t begin = (*fields.offsets)[0];
  const std::uint64_t end = (*fields.offsets)[1];
  if (begin > end) return corrupt(name, "data_offsets end before they begin");
  if (end - begin != bytes) {
    return corrupt(name, "data_offsets span " + std::to_string(end - begin) +
                             " bytes, shape and dtype need " + std::to_string(bytes));
  }
  return TensorEntry{name, *dtype, *fields.shape, begin, bytes};
}

// Tensors must tile the data from 0 to its end: no holes, no overlaps, nothing left over.
Status check_layout(const std::vector<TensorEntry>& by_offset, std::uint64_t data_bytes) {
  std::uint64_t expected = 0;
  for (const TensorEntry& entry : by_offset) {
    if (entry.offset != expected) {
      return corrupt(entry.name, entry.offset > expected ? "data has a hole before it"
                                                         : "data overlaps another tensor's");
    }
    expected = entry.offset + entry.bytes;
    if (expected > data_bytes) return corrupt(entry.name, "data reaches past the end of the file");
  }
  if (expected != data_bytes) {
    return fail(ErrorCode::kCorrupt, "safetensors file: " + std::to_string(data_bytes - expected) +
                                         " bytes after the last tensor");
  }
  return {};
}

}  // namespace

Result<Header> parse_header(std::string_view text, std::uint64_t data_bytes) {
  // The JSON library would take a NUL for the end of the text and skip a byte-order mark.
  if (text.find('\0') != std::string_view::npos) {
    return fail(ErrorCode::kCorrupt, "safetensors header: NUL byte");
  }
  if (text.starts_with("\xEF\xBB\xBF")) {
    return fail(ErrorCode::kCorrupt, "safetensors header: byte-order mark");
  }
  HeaderSax sax;
  if (!json::sax_parse(text.begin(), text.end(), &sax)) {
    return fail(ErrorCode::kCorrupt, "safetensors header: " + sax.fault);
  }
  Header header;
  header.metadata = std::move(sax.metadata);
  header.tensors.reserve(sax.tensors.size());
  for (const auto& [name, fields] : sax.tensors) {
    auto entry = check_fields(name, fields);
    if (!entry) return fail(std::move(entry.error()));
    header.tensors.push_back(std::move(*entry));
  }
  // A zero-size tensor may share its offset with the next one, so it comes first.
  std::ranges::stable_sort(header.tensors, {}, [](const TensorEntry& entry) {
    return std::pair(entry.offset, entry.bytes != 0);
  });
  if (auto status = check_layout(header.tensors, data_bytes); !status) return fail(status.error());
  return header;
}

}  // namespace crucible::safetensors
