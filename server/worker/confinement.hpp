#pragma once

#include <nlohmann/json.hpp>

#include "server/pipeline/spec.hpp"
#include "server/pipeline/sweep_stage.hpp"
#include "server/sandbox/sandbox.hpp"

// What one attempt needs of the machine, told from its spec.
namespace crucible::server::worker {

sandbox::Plan plan_for(const pipeline::MergeSpec& spec);
// Creates the cache folder, since a folder that is not there cannot be allowed.
sandbox::Plan plan_for(const pipeline::EvaluationSpec& spec);
// Reads models, suites and data sets, writes nothing.
sandbox::Plan plan_for(const pipeline::SweepSpec& spec);

// Key `sandbox` of a spec, {required, memory_bytes, roots, trusted}: what the operator decided.
// Absent = off.
struct Confinement {
  bool required = false;
  std::uint64_t memory_bytes = 0;
  // See merger/base/read_roots.
  std::vector<std::string> roots;
  std::vector<std::string> trusted;
};
Confinement confinement_from(const nlohmann::json& spec);

}  // namespace crucible::server::worker
