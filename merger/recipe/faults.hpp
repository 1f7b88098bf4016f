#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "merger/base/error.hpp"
#include "merger/recipe/yaml_tree.hpp"

namespace crucible::recipe {

// Collects the faults of one document; each is stamped with the line its path leads to.
class Faults {
 public:
  explicit Faults(const YamlDocument& document)
      : root_(document.root), from_reader_(document.faults) {}

  void add(std::string path, std::string message, std::string suggestion = {});
  // Something accepted that has no effect; no reason to refuse the document.
  void warn(std::string path, std::string message, std::string suggestion = {});
  std::vector<Fault> take_warnings();  // in the document's order
  bool empty() const { return found_.empty() && from_reader_.empty(); }
  // kInvalidArgument, faults in the document's order; at most 100 of them.
  Error to_error(std::string_view what) &&;

 private:
  struct Found {
    std::size_t line = 0;
    Fault fault;
  };
  const YamlNode& root_;
  std::vector<Fault> from_reader_;
  Found stamped(std::string path, std::string message, std::string suggestion) const;

  std::vector<Found> found_;
  std::vector<Found> warnings_;
  std::size_t dropped_ = 0;
};

// The node a path leads to, or the deepest one on the way that exists.
const YamlNode& deepest_node(const YamlNode& root, std::string_view path);

}  // namespace crucible::recipe
