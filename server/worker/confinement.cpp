#include "server/worker/confinement.hpp"

#include "evaluator/endpoint/url.hpp"
#include "merger/base/io.hpp"
#include "server/pipeline/model_sources.hpp"

namespace crucible::server::worker {
namespace {

constexpr std::uint64_t kLargestReport = 16ULL << 30;  // bytes of one file of an evaluation

void allow_cache(const std::filesystem::path& folder, sandbox::Plan& plan) {
  if (folder.empty()) return;
  (void)io::make_folders(folder);  // where that fails, nothing is kept
  plan.write.push_back(folder);
}

// The one worker that gets a key and a way out: to the port of this endpoint.
void allow_endpoint(const endpoint::EndpointOptions& endpoint, sandbox::Plan& plan) {
  if (const auto url = endpoint::parse_url(endpoint.url)) {
    plan.ports.push_back(static_cast<std::uint16_t>(std::stoul(url->port)));
  }
  if (!endpoint.api_key_file.empty()) plan.read.push_back(endpoint.api_key_file);
  if (!endpoint.tokenizer.empty()) plan.read.push_back(endpoint.tokenizer);
  if (!endpoint.ca_file.empty()) plan.read.emplace_back(endpoint.ca_file);
  allow_cache(endpoint.cache, plan);
}

}  // namespace

sandbox::Plan plan_for(const pipeline::MergeSpec& spec) {
  sandbox::Plan plan;
  for (const auto& [reference, folder] : spec.folders) plan.read.emplace_back(folder);
  plan.write.push_back(std::filesystem::path(spec.out).parent_path());
  return plan;
}

sandbox::Plan plan_for(const pipeline::EvaluationSpec& spec) {
  sandbox::Plan plan;
  if (!spec.model_folder.empty()) plan.read.emplace_back(spec.model_folder);
  if (!spec.suite_file.empty()) {
    plan.read.push_back(std::filesystem::path(spec.suite_file).parent_path());
  }
  plan.read.insert(plan.read.end(), spec.datasets.begin(), spec.datasets.end());
  if (!spec.endpoint.is_null()) {
    allow_endpoint(pipeline::endpoint_options_from(spec.endpoint), plan);
  }
  if (!spec.judge.is_null()) {
    const auto judge = pipeline::judge_spec_from(spec.judge);
    if (!judge.source.folder.empty()) plan.read.push_back(judge.source.folder);
    if (!judge.source.rubric.empty()) plan.read.push_back(judge.source.rubric);
    if (!judge.source.endpoint.empty()) allow_endpoint(judge.endpoint, plan);
  }
  plan.write.push_back(std::filesystem::path(spec.out).parent_path());
  allow_cache(spec.cache, plan);
  plan.file_bytes = kLargestReport;
  return plan;
}

sandbox::Plan plan_for(const pipeline::SweepSpec& spec) {
  sandbox::Plan plan;
  for (const auto& [reference, folder] : spec.folders) plan.read.emplace_back(folder);
  for (const std::string& file : spec.suite_files) {
    plan.read.push_back(std::filesystem::path(file).parent_path());
  }
  plan.read.insert(plan.read.end(), spec.datasets.begin(), spec.datasets.end());
  return plan;
}

Confinement confinement_from(const nlohmann::json& spec) {
  const auto found = spec.find("sandbox");
  if (found == spec.end()) return {};
  return {found->at("required").get<bool>(), found->at("memory_bytes").get<std::uint64_t>(),
          found->value("roots", std::vector<std::string>()),
          found->value("trusted", std::vector<std::string>())};
}

}  // namespace crucible::server::worker
