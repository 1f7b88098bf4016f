#include <algorithm>
#include <map>
#include <system_error>
#include <utility>

#include "evaluator/task/builtin_files.hpp"
#include "evaluator/task/suite.hpp"
#include "evaluator/task/suite_outline.hpp"
#include "merger/base/io.hpp"
#include "yaml-cpp/yaml.h"

namespace crucible::task {
namespace {

// What can be said of a suite whose items cannot be read: its own name and description, if any.
void name_from_yaml(SuiteListing& listing) {
  const auto text = io::read_text(listing.file, 1ULL << 20);
  if (!text) return;
  try {
    const YAML::Node root = YAML::Load(*text);
    if (!root.IsMap()) return;
    if (root["name"] && root["name"].IsScalar() && !root["name"].Scalar().empty()) {
      listing.name = root["name"].Scalar();
    }
    if (root["description"] && root["description"].IsScalar()) {
      listing.description = root["description"].Scalar();
    }
  } catch (const YAML::Exception&) {
    return;  // the listing's error says that the file is not YAML
  }
}

SuiteListing list_file(const std::filesystem::path& file) {
  SuiteListing listing{file.stem().string(), {}, file, {}, {}};
  auto suite = outline_suite(file);
  if (suite) {
    listing.name = std::move(suite->name);
    listing.description = std::move(suite->description);
    listing.needs = std::move(suite->needs);
  } else {
    listing.error = describe(suite.error());
    name_from_yaml(listing);
  }
  return listing;
}

}  // namespace

std::vector<SuiteListing> list_suites(const std::vector<std::filesystem::path>& folders) {
  std::vector<SuiteListing> listings;
  std::map<std::string, std::filesystem::path> taken;
  for (const std::filesystem::path& folder : folders) {
    std::vector<std::filesystem::path> files;
    std::error_code failure;
    for (std::filesystem::directory_iterator it(folder, failure), end; !failure && it != end;
         it.increment(failure)) {
      const auto extension = it->path().extension();
      if (extension == ".yaml" || extension == ".yml") files.push_back(it->path());
    }
    std::sort(files.begin(), files.end());
    for (const std::filesystem::path& file : files) {
      SuiteListing listing = list_file(file);
      const auto [first, is_new] = taken.emplace(listing.name, file);
      if (!is_new && listing.error.empty()) {
        listing.error = "the name '" + listing.name + "' is taken by " + first->second.string();
      }
      listings.push_back(std::move(listing));
    }
  }
  std::stable_sort(listings.begin(), listings.end(),
                   [](const auto& a, const auto& b) { return a.name < b.name; });
  return listings;
}

std::vector<SuiteListing> list_builtin_suites() {
  constexpr std::string_view kFolder = "suites/";
  std::vector<SuiteListing> listings;
  for (const BuiltinFile& file : builtin_files()) {
    if (!file.path.starts_with(kFolder)) continue;
    const std::filesystem::path name = std::filesystem::path(file.path).stem();
    listings.push_back(list_file("builtin:" + name.string()));
  }
  std::ranges::sort(listings, {}, &SuiteListing::name);
  return listings;
}

}  // namespace crucible::task
