#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "evaluator/task/import_registry.hpp"
#include "merger/base/error.hpp"

// The shapes data sets come in: the Hub's files as they are, and the files of the sets' own
// repositories, whose rows become the Hub's.
namespace crucible::task {

// What was found of one part: files to be copied, or rows to be written.
struct FoundPart {
  DatasetPart part;
  std::vector<std::filesystem::path> files;
  std::vector<Json> rows;  // of the files, or converted
  bool converted = false;
};

struct FoundDataset {
  std::vector<FoundPart> parts;
  std::vector<std::filesystem::path> sources;  // files that rows were read from
  std::vector<std::string> notes;              // what these files cannot give

  bool has(const DatasetPart& part) const;
};

// Looks in `place`, a file or a folder. kNotFound says which files were looked for; kCorrupt and
// kInvalidArgument come with the file's name.
Result<FoundDataset> find_shape(const KnownDataset& dataset, const std::filesystem::path& place);

// Folders that may stand for the data set's own: the place itself, and below it the path in full,
// its last name, or its name in the Hub's cache.
std::vector<std::filesystem::path> hub_folders(const DatasetPart& part,
                                               const std::filesystem::path& place);

// Reads upstream files below `place`, by the name they have or by any of several paths.
class UpstreamFiles {
 public:
  explicit UpstreamFiles(std::filesystem::path place) : place_(std::move(place)) {}

  // The file itself where `place` is one of that name, else the first of these below it.
  std::optional<std::filesystem::path> find(const std::vector<std::string>& names) const;
  // Adds the rows of a file to `found` after `convert`; nothing where the file is not there.
  using RowConverter = Result<Json> (*)(const Json& row);
  Status add(const DatasetPart& part, const std::vector<std::string>& names, RowConverter convert,
             FoundDataset& found) const;
  const std::filesystem::path& place() const { return place_; }

 private:
  std::filesystem::path place_;
};

// Applies `convert` to each row; faults carry the file and the row's number. A missing or mistyped
// field is a fault.
Result<std::vector<Json>> convert_rows(const std::filesystem::path& file,
                                       const std::vector<Json>& rows,
                                       const std::function<Result<Json>(const Json&)>& convert);

// Upstream readers by the data set's name; each fills what it finds.
using UpstreamReader = Status (*)(const KnownDataset&, const UpstreamFiles&, FoundDataset&);
UpstreamReader choice_reader(const std::string& name);      // import_choices.cpp
UpstreamReader generation_reader(const std::string& name);  // import_generations.cpp

}  // namespace crucible::task
