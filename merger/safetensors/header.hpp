#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "merger/safetensors/reader.hpp"

// The JSON header of a safetensors file, read strictly.
//
// File: 8 bytes N (little-endian), N bytes of UTF-8 JSON, then data. The JSON is one object: tensor
// name -> {dtype, shape, data_offsets: [begin, end) relative to the data}, and `__metadata__` ->
// object of strings. Leading and trailing white space is allowed (writers pad with spaces).
namespace crucible::safetensors {

inline constexpr std::uint64_t kHeaderLimitBytes = 25'000'000;
inline constexpr std::size_t kNameLimitBytes = 512;
inline constexpr std::size_t kTensorLimit = 1'000'000;
inline constexpr std::size_t kRankLimit = 8;

struct Header {
  std::vector<TensorEntry> tensors;  // by offset, then name; offsets relative to the data
  std::map<std::string, std::string> metadata;
};

// `data_bytes` is what follows the header in the file. kCorrupt names the rule that is broken;
// kUnsupported for element types of newer format revisions.
Result<Header> parse_header(std::string_view json, std::uint64_t data_bytes);

}  // namespace crucible::safetensors
