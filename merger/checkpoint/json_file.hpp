#pragma once

#include <cstdint>
#include <filesystem>

#include "merger/base/io.hpp"
#include "nlohmann/json.hpp"

namespace crucible::checkpoint {

inline constexpr std::uint64_t kConfigLimitBytes = 4ULL << 20;
inline constexpr std::uint64_t kIndexLimitBytes = 64ULL << 20;

// One JSON object from an untrusted file: at most `limit_bytes`, nesting at most 64, no duplicate
// keys. kCorrupt says what is wrong and where; kNotFound when there is no file.
Result<nlohmann::json> read_json_object(const std::filesystem::path& path,
                                        std::uint64_t limit_bytes,
                                        io::Syscalls& calls = io::system());
// The same of a text; `place` is for messages.
Result<nlohmann::json> parse_json_object(const std::string& text, const std::string& place);

}  // namespace crucible::checkpoint
