#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "evaluator/endpoint/endpoint_options.hpp"
#include "merger/checkpoint/checkpoint.hpp"
#include "server/pipeline/merge_order.hpp"
#include "server/queue/clock.hpp"
#include "server/store/jobs.hpp"
#include "server/store/models.hpp"
#include "server/store/store.hpp"

// Which folders are models, and what a recipe means by a name. Thread-safe.
namespace crucible::server::pipeline {

// What the headers of a checkpoint say, in the words of the API.
struct CheckpointFacts {
  std::string architecture;  // "llama"
  std::string dtype;         // of most of the weights, "bfloat16"
  std::uint64_t parameters = 0;
  std::uint64_t weight_bytes = 0;
};
CheckpointFacts describe(const checkpoint::Checkpoint& checkpoint);

// A LoRA adapter that a recipe folds into a model.
struct ResolvedAdapter {
  std::string reference;  // the part of a model reference after the +
  std::filesystem::path folder;
  std::string digest;  // of its configuration and weights
};

// The models a recipe names, resolved: one entry a distinct reference, in order of first mention.
struct ResolvedInputs {
  std::vector<store::JobInput> inputs;
  std::vector<store::StoredModel> models;  // beside inputs
  std::vector<ResolvedAdapter> adapters;
};

// Folders of models and adapters by reference, as ModelReference::text() writes it.
using ModelFolders = std::map<std::string, std::filesystem::path>;

// Named by the operator.
using Endpoints = std::map<std::string, endpoint::EndpointOptions>;

// A model's or job's name: kInvalidArgument with a fault at `name`. "" is allowed.
Status check_name(const std::string& name);

class ModelCatalog {
 public:
  // `roots`: folders models may be registered from; made canonical here, missing ones are
  // kNotFound.
  static Result<ModelCatalog> open(store::Store& store, const Clock& clock,
                                   const std::vector<std::filesystem::path>& roots,
                                   unsigned threads, Endpoints endpoints = {});

  // Asks the endpoint what it can answer. The same endpoint again returns the first model.
  // kNotFound: the operator named no such endpoint; kConflict: the name is taken, or the endpoint
  // leads elsewhere than when it was registered; kUnavailable and kPermission as EndpointClient.
  Result<Model> register_endpoint(const std::string& endpoint, const std::string& name);
  // Its settings now; errors as check_unchanged.
  Result<endpoint::EndpointOptions> endpoint_of(const Model& model) const;

  // Hashes the folder's weights the first time. The same folder again returns the first model.
  // kPermission outside the roots (symbolic links followed), kConflict when the name is taken or
  // the folder changed since it was registered.
  Result<Model> register_model(const std::string& path, const std::string& name);

  // Where the recipe's models lie: names first, then paths below a root (absolute, or relative to
  // one). Reads no file. Every reference that leads nowhere is a fault with its path.
  Result<ModelFolders> locate_all(const MergeOrder& order);
  // The same models as rows; folders not yet registered become models (their weights are hashed),
  // so that lineage is complete.
  Result<ResolvedInputs> resolve(const MergeOrder& order);
  // Its adapters alone: folders below a root, in order of first mention. Hashes their files.
  Result<std::vector<ResolvedAdapter>> resolve_adapters(const MergeOrder& order);

  // kConflict when the model's files are not the ones that were hashed.
  Status check_unchanged(const store::StoredModel& model) const;

  const std::vector<std::filesystem::path>& roots() const { return roots_; }

 private:
  ModelCatalog(store::Store& store, const Clock& clock, std::vector<std::filesystem::path> roots,
               unsigned threads, Endpoints endpoints)
      : store_(&store),
        clock_(&clock),
        roots_(std::move(roots)),
        threads_(threads),
        endpoints_(std::move(endpoints)) {}

  Result<std::filesystem::path> locate(const std::string& path) const;
  bool beneath_root(const std::filesystem::path& canonical) const;
  Status check_links(const std::filesystem::path& folder) const;
  Result<std::filesystem::path> find_folder(const recipe::ModelReference& reference) const;
  Result<store::StoredModel> ensure_registered(const std::filesystem::path& folder,
                                               const std::string& name);
  Result<store::StoredModel> insert(store::NewModel added, const std::string& name,
                                    const std::string& usual_name);
  Result<store::StoredModel> known_folder(const store::StoredModel& known);
  Result<store::NewModel> inspect(const std::filesystem::path& folder) const;
  Result<ResolvedAdapter> inspect_adapter(const std::string& path) const;
  Fault adapter_fault(const std::string& path, Error error) const;
  Fault fault_of(const std::string& path, const recipe::ModelReference& reference,
                 Error error) const;

  store::Store* store_;
  const Clock* clock_;
  std::vector<std::filesystem::path> roots_;
  unsigned threads_;
  Endpoints endpoints_;
};

}  // namespace crucible::server::pipeline
