#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "evaluator/engine/language_model.hpp"
#include "evaluator/run/evaluation.hpp"
#include "evaluator/run/segments.hpp"

// Asking a model the items of one segment.
namespace crucible::run {

// What came back for one item. One of the three is filled.
struct ItemAnswers {
  std::vector<engine::LoglikelihoodResult> loglikelihoods;
  std::vector<engine::RollingResult> rolling;
  // Repeats of each request in turn; of a conversation the turns, `repeats` times.
  std::vector<engine::GenerationResult> generations;

  metric::Responses responses() const;
};

struct SegmentAnswers {
  std::vector<ItemAnswers> items;
  engine::ComputeAccount account;  // what answering took
};

// Generations that cannot be read are asked for again, warmer each time, while the task has
// attempts left. Errors are the model's.
Result<SegmentAnswers> ask(engine::LanguageModel& model, const task::Task& task,
                           const Segment& segment, const ProgressSink& progress,
                           std::stop_token stop);

// Bytes for the cache, and back; numbers survive exactly. kCorrupt for anything but what encode
// gives for a segment of as many items.
std::string encode(const SegmentAnswers& answers);
Result<SegmentAnswers> decode(std::string_view bytes, std::size_t items);

}  // namespace crucible::run
