#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "merger/base/error.hpp"

// One YAML (or JSON) document as a plain tree with positions, read within limits: untrusted text
// cannot cost more than its size, and nothing in it is silently dropped.
namespace crucible::recipe {

struct YamlNode {
  enum class Kind { kNull, kScalar, kSequence, kMap };
  Kind kind = Kind::kNull;
  bool quoted = false;  // the scalar stood in quotes: it is text, whatever it looks like
  std::string scalar;
  std::vector<YamlNode> items;  // kSequence
  struct Entry;
  std::vector<Entry> entries;  // kMap, in the text's order, keys distinct
  std::size_t line = 0;        // from 1
  std::size_t column = 0;      // from 1

  bool is_null() const { return kind == Kind::kNull; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_sequence() const { return kind == Kind::kSequence; }
  bool is_map() const { return kind == Kind::kMap; }
  const YamlNode* find(std::string_view key) const;  // nullptr when absent or not a map
  YamlNode* find(std::string_view key);
};

struct YamlNode::Entry {
  std::string key;
  YamlNode value;
};

struct YamlLimits {
  std::size_t bytes = 1 << 20;
  std::size_t depth = 64;
  std::size_t nodes = 100'000;
};

struct YamlDocument {
  YamlNode root;
  std::vector<Fault> faults;  // duplicate keys, anchors, aliases, tags, keys that are not scalars
};

// Error kInvalidArgument, with line and column, when the text is not one well-formed document of
// valid UTF-8 within the limits. Never throws.
Result<YamlDocument> parse_yaml(std::string_view text, const YamlLimits& limits = {});

// Block-style YAML that parses to the same tree. Comments are gone.
std::string emit_yaml(const YamlNode& node);

// Path notation of faults: "models[1].parameters.weight". Keys that are not plain words are quoted
// in brackets: `parameters["a.b"]`.
std::string child_path(std::string_view parent, std::string_view key);
std::string child_path(std::string_view parent, std::size_t index);
// The inverse: keys and indices in order ("models", "1", "parameters"); an index is flagged true.
// Error kInvalidArgument for malformed text.
Result<std::vector<std::pair<std::string, bool>>> split_path(std::string_view path);

}  // namespace crucible::recipe
