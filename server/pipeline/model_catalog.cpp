#include "server/pipeline/model_catalog.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "merger/base/io.hpp"
#include "merger/base/read_roots.hpp"
#include "merger/lora/adapter.hpp"
#include "server/pipeline/state_folder.hpp"
#include "server/store/near.hpp"

namespace crucible::server::pipeline {
namespace {

constexpr std::size_t kMostNamesShown = 8;

// The adapter of a reference as a reference of its own.
recipe::ModelReference adapter_of(const recipe::ModelReference& reference) {
  recipe::ModelReference adapter;
  adapter.path = reference.lora;
  adapter.revision = reference.lora_revision;
  return adapter;
}

bool is_beneath(const std::filesystem::path& path, const std::filesystem::path& root) {
  const auto [end, rest] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
  return end == root.end();
}

}  // namespace

CheckpointFacts describe(const checkpoint::Checkpoint& checkpoint) {
  std::map<tensor::DType, std::uint64_t> bytes;
  for (const std::string& name : checkpoint.tensor_names()) {
    const auto* entry = checkpoint.find(name).entry;
    if (entry != nullptr) bytes[entry->dtype] += entry->bytes;
  }
  CheckpointFacts facts{checkpoint.model_type(), "", checkpoint.parameter_count(),
                        checkpoint.weight_bytes()};
  const auto most = std::ranges::max_element(
      bytes, [](const auto& left, const auto& right) { return left.second < right.second; });
  if (most != bytes.end()) facts.dtype = std::string(tensor::torch_name(most->first));
  return facts;
}

Status check_name(const std::string& name) {
  const bool is_fine = name.size() <= 200 && std::ranges::none_of(name, [](char c) {
                         return static_cast<unsigned char>(c) < 0x20 || c == '/' || c == 0x7f;
                       });
  // A number would be taken for an id.
  const bool is_number =
      !name.empty() && std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
  if (is_fine && !is_number) return {};
  Error error{ErrorCode::kInvalidArgument, "the name cannot be used", {}};
  error.faults.push_back({"name",
                          is_number
                              ? "must not be a number"
                              : "must be at most 200 characters without / and control characters",
                          ""});
  return fail(std::move(error));
}

Result<ModelCatalog> ModelCatalog::open(store::Store& store, const Clock& clock,
                                        const std::vector<std::filesystem::path>& roots,
                                        unsigned threads, Endpoints endpoints) {
  std::vector<std::filesystem::path> canonical;
  for (const auto& root : roots) {
    std::error_code error;
    auto path = std::filesystem::canonical(root, error);
    if (error || !std::filesystem::is_directory(path, error)) {
      return fail(ErrorCode::kNotFound,
                  fmt::format("--allow-root {}: no such folder", root.string()));
    }
    if (auto status = io::add_read_root(path); !status) return fail(std::move(status).error());
    canonical.push_back(std::move(path));
  }
  return ModelCatalog(store, clock, std::move(canonical), threads, std::move(endpoints));
}

bool ModelCatalog::beneath_root(const std::filesystem::path& canonical) const {
  return std::ranges::any_of(roots_, [&](const auto& root) { return is_beneath(canonical, root); });
}

Result<std::filesystem::path> ModelCatalog::locate(const std::string& text) const {
  if (text.empty() || text.find('\0') != std::string::npos) {
    return fail(ErrorCode::kInvalidArgument, "a model path must not be empty");
  }
  const std::filesystem::path path(text);
  std::vector<std::filesystem::path> candidates;
  if (path.is_absolute()) {
    candidates.push_back(path);
  } else {
    for (const auto& root : roots_) candidates.push_back(root / path);
  }
  bool outside = false;
  for (const auto& candidate : candidates) {
    std::error_code error;
    auto canonical = std::filesystem::canonical(candidate, error);
    if (error || !std::filesystem::is_directory(canonical, error)) continue;
    if (beneath_root(canonical)) return canonical;
    outside = true;
  }
  // An absolute path outside the roots gets one answer whether it exists or not: the daemon does
  // not tell what else is on the machine.
  if (outside || (path.is_absolute() && !beneath_root(path.lexically_normal()))) {
    return fail(
        ErrorCode::kPermission,
        fmt::format("{} lies outside the folders that the daemon may read models from", text));
  }
  return fail(ErrorCode::kNotFound, fmt::format("no model and no folder {}", text));
}

Status ModelCatalog::check_links(const std::filesystem::path& folder) const {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code gone;
    if (!entry->is_symlink(gone)) continue;
    const int target = io::system().open(entry->path().c_str(), O_PATH | O_CLOEXEC, 0);
    const bool leaves = target < 0 && errno == EACCES;
    if (target >= 0) io::system().close(target);
    if (leaves) {
      return fail(
          ErrorCode::kPermission,
          fmt::format("{} is a link that leaves the folders that the daemon may read models "
                      "from; relative links inside of them are followed",
                      entry->path().string()));
    }
  }
  return {};
}

Result<store::NewModel> ModelCatalog::inspect(const std::filesystem::path& folder) const {
  if (auto status = check_links(folder); !status) return fail(std::move(status).error());
  auto before = folder_fingerprint(folder);
  if (!before) return fail(std::move(before).error());
  auto opened = checkpoint::Checkpoint::open(folder);
  if (!opened) return fail(std::move(opened).error());
  auto digest = checkpoint::content_digest(*opened, threads_);
  if (!digest) return fail(std::move(digest).error());
  auto after = folder_fingerprint(folder);
  if (!after) return fail(std::move(after).error());
  if (*before != *after) {
    return fail(ErrorCode::kConflict,
                fmt::format("{} changed while it was read; try again", folder.string()));
  }
  const CheckpointFacts facts = describe(*opened);
  store::NewModel added;
  added.fingerprint = std::move(*after);
  added.model.origin = "registered";
  added.model.digest = digest->hex();
  added.model.path = folder.string();
  added.model.architecture = facts.architecture;
  added.model.dtype = facts.dtype;
  added.model.parameters = facts.parameters;
  added.model.weight_bytes = facts.weight_bytes;
  added.model.created_at = clock_->now();
  return added;
}

Status ModelCatalog::check_unchanged(const store::StoredModel& stored) const {
  const Model& model = stored.model;
  if (model.removed_at) {
    return fail(ErrorCode::kConflict,
                fmt::format("the files of model {} were removed; submit its recipe again to have "
                            "them made",
                            model.name));
  }
  if (model.endpoint) {
    auto options = endpoint_of(model);
    if (!options) return fail(std::move(options).error());
    return {};
  }
  auto now = folder_fingerprint(model.path);
  if (!now) {
    return fail(ErrorCode::kConflict, fmt::format("the files of model {} cannot be read: {}",
                                                  model.name, now.error().message));
  }
  if (*now == stored.fingerprint) return {};
  return fail(
      ErrorCode::kConflict,
      fmt::format("the files of model {} in {} changed since they were hashed; restore them, "
                  "or register the new ones from another folder",
                  model.name, model.path));
}

Result<store::StoredModel> ModelCatalog::known_folder(const store::StoredModel& known) {
  if (check_unchanged(known)) return known;
  auto now = inspect(known.model.path);
  if (!now) return fail(std::move(now).error());
  if (now->model.digest != known.model.digest) return fail(check_unchanged(known).error());
  auto status = store_->write([&](store::Database& database) {
    return store::refresh_fingerprint(database, known.model.id, now->fingerprint);
  });
  if (!status) return fail(std::move(status).error());
  return store::StoredModel{known.model, now->fingerprint};
}

Result<store::StoredModel> ModelCatalog::ensure_registered(const std::filesystem::path& folder,
                                                           const std::string& name) {
  auto known = store_->read([&](store::Database& database) {
    return store::find_model_by_path(database, folder.string());
  });
  if (!known) return fail(std::move(known).error());
  if (*known) return known_folder(**known);
  auto added = inspect(folder);
  if (!added) return fail(std::move(added).error());
  return insert(std::move(*added), name, folder.filename().string());
}

Result<store::StoredModel> ModelCatalog::insert(store::NewModel added, const std::string& name,
                                                const std::string& usual_name) {
  return store_->write([&](store::Database& database) -> Result<store::StoredModel> {
    auto raced = store::find_model_by_path(database, added.model.path);
    if (!raced) return fail(std::move(raced).error());
    if (*raced) return std::move(**raced);
    auto free = store::free_model_name(database, name.empty() ? usual_name : name);
    if (!free) return fail(std::move(free).error());
    if (!name.empty() && *free != name) {
      Error error{ErrorCode::kConflict, fmt::format("there is already a model \"{}\"", name), {}};
      error.faults.push_back({"name", "is taken", fmt::format("\"{}\" is free", *free)});
      return fail(std::move(error));
    }
    added.model.name = std::move(*free);
    auto id = store::insert_model(database, added);
    if (!id) return fail(std::move(id).error());
    return store::get_model(database, *id);
  });
}

Result<Model> ModelCatalog::register_model(const std::string& path, const std::string& name) {
  if (auto status = check_name(name); !status) return fail(std::move(status).error());
  auto folder = locate(path);
  if (!folder) {
    Error error = std::move(folder).error();
    error.faults.push_back(
        {"path", error.message,
         roots_.empty()
             ? "start the daemon with --allow-root FOLDER"
             : fmt::format("allowed are {}",
                           fmt::join(roots_ | std::views::transform(
                                                  [](const auto& root) { return root.string(); }),
                                     ", "))});
    return fail(std::move(error));
  }
  auto stored = ensure_registered(*folder, name);
  if (!stored) return fail(std::move(stored).error());
  return std::move(stored->model);
}

Result<std::filesystem::path> ModelCatalog::find_folder(
    const recipe::ModelReference& reference) const {
  // A merged model's folder lies in the state directory, outside the roots, but is known by its
  // row.
  auto known = store_->read([&](store::Database& database) {
    auto named = store::find_model_by_name(database, reference.path);
    if (!named || *named) return named;
    return store::find_model_by_path(database, reference.path);
  });
  if (!known) return fail(std::move(known).error());
  if (*known && (*known)->model.endpoint) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is an endpoint, which has no weights to merge", reference.path));
  }
  if (*known && (*known)->model.removed_at) {
    return fail(
        ErrorCode::kConflict,
        fmt::format("the files of {} were removed; submit its recipe again to have them made",
                    reference.path));
  }
  if (*known) return std::filesystem::path((*known)->model.path);
  return locate(reference.path);
}

Fault ModelCatalog::fault_of(const std::string& path, const recipe::ModelReference& reference,
                             Error error) const {
  Fault fault{path, std::move(error.message), ""};
  if (error.code != ErrorCode::kNotFound && error.code != ErrorCode::kPermission) return fault;
  auto names = store_->read([](store::Database& database) { return store::model_names(database); });
  if (!names || names->empty()) {
    fault.suggestion = "register the model first, or give a path below an allowed folder";
    return fault;
  }
  const std::string near = nearest(reference.path, *names);
  if (!near.empty()) {
    fault.suggestion = fmt::format("did you mean \"{}\"?", near);
    return fault;
  }
  if (names->size() > kMostNamesShown) names->resize(kMostNamesShown);
  fault.suggestion = fmt::format("registered models: {}", fmt::join(*names, ", "));
  return fault;
}

Result<ModelFolders> ModelCatalog::locate_all(const MergeOrder& order) {
  ModelFolders folders;
  Error error{ErrorCode::kInvalidArgument, "the recipe names models that cannot be used", {}};
  std::set<std::string> seen;
  for (const ModelMention& mention : order.mentions()) {
    if (!seen.insert(mention.reference.text()).second) continue;
    auto folder = find_folder(mention.reference);
    if (folder) {
      folders[mention.reference.text()] = std::move(*folder);
    } else if (folder.error().code == ErrorCode::kIo ||
               folder.error().code == ErrorCode::kInternal) {
      return fail(std::move(folder).error());
    } else {
      error.faults.push_back(fault_of(mention.path, mention.reference, std::move(folder).error()));
    }
    if (mention.reference.lora.empty()) continue;
    auto adapter = locate(mention.reference.lora);
    if (adapter) {
      folders[adapter_of(mention.reference).text()] = std::move(*adapter);
    } else {
      error.faults.push_back(adapter_fault(mention.path, std::move(adapter).error()));
    }
  }
  if (!error.faults.empty()) return fail(std::move(error));
  return folders;
}

Fault ModelCatalog::adapter_fault(const std::string& path, Error error) const {
  const auto names = roots_ | std::views::transform([](const auto& root) { return root.string(); });
  return {path, "adapter: " + std::move(error.message),
          roots_.empty() ? "start the daemon with --allow-root FOLDER, above the adapter's folder"
                         : fmt::format("put the adapter's folder below one of {} and name it by "
                                       "its path there",
                                       fmt::join(names, ", "))};
}

Result<std::vector<ResolvedAdapter>> ModelCatalog::resolve_adapters(const MergeOrder& order) {
  std::vector<ResolvedAdapter> adapters;
  Error error{ErrorCode::kInvalidArgument, "the recipe names adapters that cannot be used", {}};
  std::set<std::string> seen;
  for (const ModelMention& mention : order.mentions()) {
    const std::string text = adapter_of(mention.reference).text();
    if (mention.reference.lora.empty() || !seen.insert(text).second) continue;
    auto adapter = inspect_adapter(mention.reference.lora);
    if (!adapter) {
      error.faults.push_back(adapter_fault(mention.path, std::move(adapter).error()));
      continue;
    }
    adapter->reference = text;
    adapters.push_back(std::move(*adapter));
  }
  if (!error.faults.empty()) return fail(std::move(error));
  return adapters;
}

Result<ResolvedAdapter> ModelCatalog::inspect_adapter(const std::string& path) const {
  auto folder = locate(path);
  if (!folder) return fail(std::move(folder).error());
  if (auto status = check_links(*folder); !status) return fail(std::move(status).error());
  const auto digest = lora::adapter_digest(*folder);
  if (!digest) return fail(digest.error());
  return ResolvedAdapter{"", std::move(*folder), digest->hex()};
}

Result<ResolvedInputs> ModelCatalog::resolve(const MergeOrder& order) {
  auto folders = locate_all(order);
  if (!folders) return fail(std::move(folders).error());
  ResolvedInputs resolved;
  Error error{ErrorCode::kInvalidArgument, "the recipe names models that cannot be used", {}};
  std::set<std::string> seen;
  for (const ModelMention& mention : order.mentions()) {
    const std::string text = mention.reference.text();
    if (!seen.insert(text).second) continue;
    auto model = ensure_registered(folders->at(text), "");
    if (!model) {
      error.faults.push_back(fault_of(mention.path, mention.reference, std::move(model).error()));
      continue;
    }
    resolved.inputs.push_back({text, model->model.id});
    resolved.models.push_back(std::move(*model));
  }
  if (!error.faults.empty()) return fail(std::move(error));
  auto adapters = resolve_adapters(order);
  if (!adapters) return fail(std::move(adapters).error());
  resolved.adapters = std::move(*adapters);
  return resolved;
}

}  // namespace crucible::server::pipeline
