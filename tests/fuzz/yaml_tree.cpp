#include "merger/recipe/yaml_tree.hpp"

#include <cctype>

#include "tests/fuzz/input.hpp"

namespace {

using namespace crucible;
using recipe::YamlNode;

// Quotes matter only around what could be a number, a truth value or null.
bool is_text(std::string_view scalar) {
  const auto is_alnum = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  return std::ranges::none_of(scalar, is_alnum) || std::ranges::any_of(scalar, [&](char c) {
           return !is_alnum(c) && std::string_view("+-._~").find(c) == std::string_view::npos;
         });
}

bool same(const YamlNode& a, const YamlNode& b) {
  const bool equal = a.kind == b.kind && a.scalar == b.scalar && a.items.size() == b.items.size() &&
                     a.entries.size() == b.entries.size() &&
                     (a.quoted == b.quoted || is_text(a.scalar));
  if (!equal) return false;
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    if (!same(a.items[i], b.items[i])) return false;
  }
  for (std::size_t i = 0; i < a.entries.size(); ++i) {
    if (a.entries[i].key != b.entries[i].key || !same(a.entries[i].value, b.entries[i].value))
      return false;
  }
  return true;
}

std::size_t depth(const YamlNode& node) {
  std::size_t below = 0;
  for (const YamlNode& item : node.items) below = std::max(below, depth(item));
  for (const YamlNode::Entry& entry : node.entries) below = std::max(below, depth(entry.value));
  return below + 1;
}

}  // namespace

// A YAML document within limits. What was read without a fault is written so that it reads back as
// the same tree.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const recipe::YamlLimits limits;
  const auto document = recipe::parse_yaml(input.rest(), limits);
  if (!fuzz::accepted(document)) return 0;
  fuzz::require(depth(document->root) <= limits.depth + 1);
  if (!document->faults.empty()) return 0;
  const auto again = recipe::parse_yaml(recipe::emit_yaml(document->root));
  fuzz::require(again.has_value() && same(document->root, again->root));
  return 0;
}
