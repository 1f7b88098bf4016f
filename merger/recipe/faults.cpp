#include "merger/recipe/faults.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace crucible::recipe {
namespace {
constexpr std::size_t kMostFaults = 100;
}

const YamlNode& deepest_node(const YamlNode& root, std::string_view path) {
  const YamlNode* node = &root;
  const auto parts = split_path(path);
  if (!parts) return root;
  for (const auto& [name, is_index] : *parts) {
    const YamlNode* next = nullptr;
    if (!is_index) {
      next = node->find(name);
    } else if (node->is_sequence()) {
      std::size_t index = std::numeric_limits<std::size_t>::max();
      std::from_chars(name.data(), name.data() + name.size(), index);
      if (index < node->items.size()) next = &node->items[index];
    }
    if (next == nullptr) break;
    node = next;
  }
  return *node;
}

void Faults::add(std::string path, std::string message, std::string suggestion) {
  if (found_.size() >= kMostFaults) {
    ++dropped_;
    return;
  }
  found_.push_back(stamped(std::move(path), std::move(message), std::move(suggestion)));
}

void Faults::warn(std::string path, std::string message, std::string suggestion) {
  if (warnings_.size() >= kMostFaults) return;
  warnings_.push_back(stamped(std::move(path), std::move(message), std::move(suggestion)));
}

Faults::Found Faults::stamped(std::string path, std::string message, std::string suggestion) const {
  const std::size_t line = deepest_node(root_, path).line;
  if (line != 0) message = "line " + std::to_string(line) + ": " + message;
  return {line, {std::move(path), std::move(message), std::move(suggestion)}};
}

std::vector<Fault> Faults::take_warnings() {
  std::stable_sort(warnings_.begin(), warnings_.end(),
                   [](const Found& a, const Found& b) { return a.line < b.line; });
  std::vector<Fault> all;
  for (Found& found : warnings_) all.push_back(std::move(found.fault));
  warnings_.clear();
  return all;
}

Error Faults::to_error(std::string_view what) && {
  std::stable_sort(found_.begin(), found_.end(),
                   [](const Found& a, const Found& b) { return a.line < b.line; });
  Error error{ErrorCode::kInvalidArgument, {}, std::move(from_reader_)};
  for (Found& found : found_) error.faults.push_back(std::move(found.fault));
  if (dropped_ > 0)
    error.faults.push_back({"", std::to_string(dropped_) + " more faults are not shown", ""});
  const std::size_t count = error.faults.size();
  error.message = std::string(what) + " has " +
                  (count == 1 ? std::string("one fault") : std::to_string(count) + " faults");
  return error;
}

}  // namespace crucible::recipe
