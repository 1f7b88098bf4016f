#pragma once

#include <memory>

#include "server/config/options.hpp"
#include "server/pipeline/evaluation_stage.hpp"
#include "server/pipeline/sweep_stage.hpp"
#include "server/service/daemon_service.hpp"

namespace crucible::server::app {

// The daemon without its HTTP edge, built in one place in the order in which the parts need each
// other and taken down in the opposite one.
class Core {
 public:
  // Locks and opens the state folder, recovers what a previous life left, starts the workers.
  // `pool` says which program the workers run; limits and grace are taken from the options.
  static Result<std::unique_ptr<Core>> start(const config::Options& options,
                                             worker::PoolOptions pool = {});
  ~Core();

  Service& service() { return service_; }
  // What the HTTP edge asks; nullptr where nobody is asked.
  access::TokenBook* tokens() { return tokens_are_asked_ ? &tokens_ : nullptr; }
  const pipeline::StateFolder& state() const { return state_; }
  metrics::Metrics& metrics() { return metrics_; }
  bool healthy() const { return store_->healthy(); }
  // Ends the workers; their jobs go back to the queue.
  void stop();

 private:
  Core(pipeline::StateFolder state, std::unique_ptr<store::Store> store,
       pipeline::ModelCatalog models, std::vector<pipeline::JudgeSpec> judges,
       const config::Options& options, worker::PoolOptions pool);

  // Reads the tokens; makes an admin's in the state folder's `token` file where none is valid.
  Status open_tokens(const config::Options& options);

  // Destroyed between the store, which is then closed, and the folder, which is still locked.
  struct SealAtTheEnd {
    std::filesystem::path database;
    bool wanted = true;
    ~SealAtTheEnd();
  };

  pipeline::StateFolder state_;
  SealAtTheEnd seal_;
  std::unique_ptr<store::Store> store_;
  access::TokenBook tokens_;
  bool tokens_are_asked_ = true;
  SystemRandom random_;
  metrics::Metrics metrics_;
  queue::JobQueue queue_;
  pipeline::ModelCatalog models_;
  pipeline::SuiteCatalog suites_;
  pipeline::MergeStage merge_stage_;
  pipeline::EvaluationStage evaluation_stage_;
  pipeline::SweepStage sweep_stage_;
  worker::WorkerPool workers_;
  DaemonService service_;
};

}  // namespace crucible::server::app
