#pragma once

#include <cstdint>
#include <vector>

#include "evaluator/task/python_random.hpp"
#include "evaluator/task/task_definition.hpp"
#include "merger/base/error.hpp"

// Draws the worked examples that stand before each question, as lm_eval/api/samplers.py and, for
// the harness_v03 samplers, the harness's 0.3 line (lm_eval/base.py) do.
namespace crucible::task {

class FewshotDraw {
 public:
  // `pool` lives as long as the draw. `exclude_document`: examples come from the evaluated split,
  // or neither names one (the harness compares them as equal).
  FewshotDraw(Sampler sampler, const std::vector<Json>& pool, std::uint64_t seed,
              bool exclude_document)
      : sampler_(sampler), pool_(pool), random_(seed), exclude_(exclude_document) {}

  // The order documents are asked in: 0.3's samplers shuffle it with the generator of the draws.
  std::vector<std::size_t> document_order(std::size_t documents);
  // `n` examples for a document; called once for each, in that order. kInvalidArgument where the
  // pool has too few.
  Result<std::vector<const Json*>> draw(std::size_t n, const Json& document);

  static bool is_v03(Sampler sampler) {
    return sampler == Sampler::kHarnessV03 || sampler == Sampler::kHarnessV03FirstN;
  }

 private:
  std::vector<const Json*> first(std::size_t n, const Json& document) const;
  std::vector<const Json*> sampled(std::size_t n, const Json& document);

  Sampler sampler_;
  const std::vector<Json>& pool_;
  PythonRandom random_;
  bool exclude_;
};

}  // namespace crucible::task
