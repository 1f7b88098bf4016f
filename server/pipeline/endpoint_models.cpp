#include <fmt/format.h>

#include "evaluator/endpoint/endpoint_model.hpp"
#include "server/pipeline/model_catalog.hpp"
#include "server/pipeline/model_sources.hpp"
#include "server/store/near.hpp"

// The part of ModelCatalog that asks endpoints.
namespace crucible::server::pipeline {
namespace {

Error no_such_endpoint(const std::string& name, const Endpoints& endpoints) {
  std::vector<std::string> names;
  for (const auto& [known, options] : endpoints) names.push_back(known);
  Error error{ErrorCode::kNotFound, fmt::format("there is no endpoint \"{}\"", name), {}};
  const std::string near = nearest(name, names);
  error.faults.push_back({"endpoint", error.message,
                          names.empty()  ? "start the daemon with --endpoints FILE"
                          : near.empty() ? "the operator's file has other names"
                                         : fmt::format("did you mean \"{}\"?", near)});
  return error;
}

}  // namespace

Result<endpoint::EndpointOptions> ModelCatalog::endpoint_of(const Model& model) const {
  const std::string name = model.endpoint ? model.endpoint->name : "";
  const auto found = endpoints_.find(name);
  if (found == endpoints_.end()) {
    return fail(ErrorCode::kConflict,
                fmt::format("model {} is endpoint \"{}\", which is no longer configured",
                            model.name, name));
  }
  if (identity_of(found->second).hex() != model.digest) {
    return fail(ErrorCode::kConflict,
                fmt::format("endpoint \"{}\" leads elsewhere than when model {} was registered; "
                            "give the new one another name",
                            name, model.name));
  }
  return found->second;
}

Result<Model> ModelCatalog::register_endpoint(const std::string& endpoint,
                                              const std::string& name) {
  if (auto status = check_name(name); !status) return fail(std::move(status).error());
  const auto found = endpoints_.find(endpoint);
  if (found == endpoints_.end()) return fail(no_such_endpoint(endpoint, endpoints_));
  store::NewModel added;
  added.model.path = std::string(store::kEndpointPath) + endpoint;
  auto known = store_->read([&](store::Database& database) {
    return store::find_model_by_path(database, added.model.path);
  });
  if (!known) return fail(std::move(known).error());
  if (*known) {
    auto same = endpoint_of((*known)->model);
    if (!same) return fail(std::move(same).error());
    return std::move((*known)->model);
  }
  auto probed = endpoint::load_endpoint_model(found->second);
  if (!probed) {
    return fail(std::move(probed).error().with_context(fmt::format("endpoint \"{}\"", endpoint)));
  }
  const engine::Capabilities can = (*probed)->capabilities();
  const engine::ModelDescription description = (*probed)->description();
  added.fingerprint = nlohmann::json{
      {"prompt_logprobs", can.prompt_logprobs},
      {"generation", can.generation},
      {"chat", can.chat}}.dump();
  added.model.origin = "registered";
  added.model.digest = identity_of(found->second).hex();
  added.model.architecture = description.architecture;
  added.model.dtype = description.dtype;
  added.model.created_at = clock_->now();
  auto stored = insert(std::move(added), name, endpoint);
  if (!stored) return fail(std::move(stored).error());
  return std::move(stored->model);
}

}  // namespace crucible::server::pipeline
