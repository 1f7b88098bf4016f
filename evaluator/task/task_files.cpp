#include "evaluator/task/task_files.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include "evaluator/task/builtin_files.hpp"
#include "evaluator/task/yaml_value.hpp"
#include "merger/base/io.hpp"

namespace crucible::task {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kFileLimit = 4ULL << 20;
constexpr std::size_t kIncludeLimit = 16;
constexpr std::size_t kFolderFileLimit = 100'000;
constexpr int kFolderDepthLimit = 32;
constexpr std::string_view kBuiltinFolder = "data/";

std::string shown(const TaskFilePlace& place) {
  return place.builtin ? place.path.generic_string() : place.path.string();
}

tl::unexpected<Error> file_fault(const TaskFilePlace& place, std::string message,
                                 std::string suggestion = {}) {
  Error error{ErrorCode::kInvalidArgument, {}, {}};
  error.message = shown(place) + ": " + message;
  error.faults = {{shown(place), std::move(message), std::move(suggestion)}};
  return fail(std::move(error));
}

Result<std::string> text_of(const TaskFilePlace& place) {
  if (!place.builtin) return io::read_text(place.path, kFileLimit);
  const BuiltinFile* file = find_builtin_file(place.path.generic_string());
  if (file == nullptr) return fail(ErrorCode::kNotFound, "there is no built-in file of that name");
  return std::string(file->text);
}

// "utils.process_docs" as written in a folder's file: the path the module would have.
std::string function_path(const std::string& spec, const fs::path& folder) {
  const std::size_t dot = spec.rfind('.');
  std::string module = dot == std::string::npos ? std::string() : spec.substr(0, dot);
  std::replace(module.begin(), module.end(), '.', '/');
  const std::string file = (folder / module).lexically_normal().generic_string();
  return dot == std::string::npos ? spec : file + "." + spec.substr(dot + 1);
}

void complete_functions(Json& value, const fs::path& folder) {
  if (const std::string* spec = function_name(value)) {
    value = Json{{"!function", function_path(*spec, folder)}};
    return;
  }
  if (!value.is_structured()) return;
  for (Json& part : value) complete_functions(part, folder);
}

// Reads one file and, below it, what it includes.
class IncludeReader {
 public:
  explicit IncludeReader(const std::vector<fs::path>& folders) : folders_(folders) {}

  Result<MergedConfig> read(const TaskFilePlace& place) {
    if (std::find(open_.begin(), open_.end(), place) != open_.end())
      return file_fault(place, "includes itself");
    if (open_.size() >= kIncludeLimit)
      return file_fault(place, "is included more than 16 files deep");
    auto text = text_of(place);
    if (!text) return file_fault(place, text.error().message);
    auto parsed = parse_task_yaml(*text);
    if (!parsed) {
      Error error = std::move(parsed.error());
      for (Fault& fault : error.faults) {
        fault.path = shown(place) + (fault.path.empty() ? "" : ": " + fault.path);
      }
      return fail(std::move(error).with_context(shown(place)));
    }
    if (!parsed->is_object()) return file_fault(place, "is not a mapping");
    open_.push_back(place);
    auto merged = merge(place, std::move(*parsed));
    open_.pop_back();
    return merged;
  }

 private:
  Result<MergedConfig> merge(const TaskFilePlace& place, Json own) {
    MergedConfig merged;
    Json includes = own.contains("include") ? own["include"] : Json();
    own.erase("include");
    if (includes.is_string()) includes = Json::array({includes});
    if (!includes.is_null() && !includes.is_array())
      return file_fault(place, "include is neither a file nor a list of files");
    for (const Json& include : includes) {
      if (!include.is_string()) return file_fault(place, "include is not the name of a file");
      auto below = read_include(place, include.get<std::string>());
      if (!below) return below;
      below->values.erase("task_list");
      for (auto& [key, value] : below->values.items()) {
        merged.origins[key] = below->origins[key];
        merged.values[key] = std::move(value);
      }
    }
    complete_functions(own, place.path.parent_path());
    for (auto& [key, value] : own.items()) {
      merged.origins[key] = shown(place);
      merged.values[key] = std::move(value);
    }
    merged.folder = place.path.parent_path();
    merged.builtin = place.builtin;
    merged.place = shown(place);
    return merged;
  }

  Result<MergedConfig> read_include(const TaskFilePlace& place, const std::string& name) {
    const fs::path path = (place.path.parent_path() / name).lexically_normal();
    const auto inside = [&](const fs::path& folder) {
      const fs::path relative = path.lexically_relative(folder);
      return !relative.empty() && *relative.begin() != "..";
    };
    const bool allowed = place.builtin ? path.generic_string().starts_with(kBuiltinFolder)
                                       : std::any_of(folders_.begin(), folders_.end(), inside);
    if (!allowed) return file_fault(place, "include " + name + " leaves the folder of task files");
    auto below = read({place.builtin, path});
    if (!below) return fail(std::move(below.error()).with_context(shown(place)));
    return below;
  }

  const std::vector<fs::path>& folders_;
  std::vector<TaskFilePlace> open_;
};

std::vector<std::string> text_list(const Json& values, const char* key) {
  const auto found = values.find(key);
  if (found == values.end()) return {};
  if (found->is_string()) return {found->get<std::string>()};
  std::vector<std::string> list;
  if (!found->is_array()) return list;
  for (const Json& entry : *found) {
    if (entry.is_string()) list.push_back(entry.get<std::string>());
  }
  return list;
}

std::string description_of(const Json& values) {
  const auto metadata = values.find("metadata");
  if (metadata == values.end() || !metadata->is_object()) return {};
  const auto own = metadata->find("crucible");
  const Json& from = own != metadata->end() && own->is_object() ? *own : *metadata;
  const auto text = from.find("description");
  return text != from.end() && text->is_string() ? text->get<std::string>() : std::string();
}

using Entries = std::map<std::string, TaskEntry, std::less<>>;

// What a file's settings define: a group, a task, or the tasks of its task_list.
void index_config(const Json& values, const TaskFilePlace& place,
                  std::optional<std::size_t> in_list, Entries& entries) {
  TaskEntry entry;
  entry.place = place;
  entry.in_list = in_list;
  entry.description = description_of(values);
  const auto group = values.find("group");
  // A class in Python is a task, whatever group it names.
  const bool is_group =
      group != values.end() && group->is_string() && !in_list && !values.contains("class");
  const auto task = values.find("task");
  if (is_group) {
    entry.kind = TaskEntry::Kind::kGroup;
    entry.name = group->get<std::string>();
  } else if (task != values.end() && task->is_string()) {
    entry.name = task->get<std::string>();
  }
  if (entry.name.empty() || !entries.try_emplace(entry.name, entry).second || is_group) return;
  for (const std::string& tag : text_list(values, "tag")) {
    TaskEntry& tagged = entries[tag];
    if (tagged.name.empty()) {
      tagged.kind = TaskEntry::Kind::kTag;
      tagged.name = tag;
      tagged.place = place;
    }
    tagged.members.insert(entry.name);
  }
}

Result<std::vector<TaskFilePlace>> files_below(const fs::path& folder) {
  std::vector<TaskFilePlace> files;
  std::error_code error;
  fs::recursive_directory_iterator place(folder, error);
  if (error) return fail(ErrorCode::kNotFound, folder.string() + ": " + error.message());
  for (; place != fs::recursive_directory_iterator(); place.increment(error)) {
    const std::string name = place->path().filename().string();
    const bool folder_here = place->is_directory(error);
    if (folder_here && (name == "__pycache__" || name == ".ipynb_checkpoints" ||
                        place.depth() >= kFolderDepthLimit))
      place.disable_recursion_pending();
    if (!folder_here && name.ends_with(".yaml")) files.push_back({false, place->path()});
    if (files.size() > kFolderFileLimit)
      return fail(ErrorCode::kInvalidArgument, folder.string() + " holds over 100,000 task files");
    if (error) break;
  }
  if (error) return fail(ErrorCode::kIo, folder.string() + ": " + error.message());
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) {
    return a.path.generic_string() < b.path.generic_string();
  });
  return files;
}

}  // namespace

void TaskFiles::add_root(const std::vector<TaskFilePlace>& files) {
  Entries found;
  for (const TaskFilePlace& place : files) {
    auto merged = IncludeReader(folders_).read(place);
    if (!merged) {
      const std::string name = place.path.stem().string();
      TaskEntry broken;
      broken.name = name;
      broken.place = place;
      broken.fault = std::move(merged.error());
      found.try_emplace(name, std::move(broken));
      continue;
    }
    const auto list = merged->values.find("task_list");
    if (list == merged->values.end() || !list->is_array()) {
      index_config(merged->values, place, std::nullopt, found);
      continue;
    }
    for (std::size_t i = 0; i < list->size(); ++i) index_config((*list)[i], place, i, found);
  }
  for (auto& [name, entry] : found) entries_[name] = std::move(entry);
}

Result<TaskFiles> TaskFiles::open(const std::vector<std::filesystem::path>& folders) {
  TaskFiles files;
  std::vector<TaskFilePlace> builtin;
  for (const BuiltinFile& file : builtin_files()) {
    if (file.path.starts_with(kBuiltinFolder) && file.path.ends_with(".yaml"))
      builtin.push_back({true, fs::path(file.path)});
  }
  for (const fs::path& folder : folders) {
    files.folders_.push_back(fs::absolute(folder).lexically_normal());
  }
  files.add_root(builtin);
  for (const fs::path& folder : files.folders_) {
    auto found = files_below(folder);
    if (!found) return fail(std::move(found.error()));
    files.add_root(*found);
  }
  return files;
}

Result<MergedConfig> TaskFiles::load(const TaskEntry& entry) const {
  auto merged = IncludeReader(folders_).read(entry.place);
  if (!merged || !entry.in_list) {
    if (merged) merged->values.erase("task_list");
    return merged;
  }
  const Json list = merged->values["task_list"];
  merged->values.erase("task_list");
  if (!list.is_array() || *entry.in_list >= list.size() || !list[*entry.in_list].is_object())
    return file_fault(entry.place, "task_list has changed");
  for (const auto& [key, value] : list[*entry.in_list].items()) {
    merged->values[key] = value;
    merged->origins[key] = merged->place + ": " + child_path("task_list", *entry.in_list);
  }
  return merged;
}

}  // namespace crucible::task
