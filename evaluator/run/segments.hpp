#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "evaluator/engine/language_model.hpp"
#include "evaluator/task/task.hpp"

// How a task's items are split into the pieces that are asked at once and kept at once. A segment's
// answers are computed together or taken from the cache together, so that an evaluation that was
// interrupted gives the bytes of one that was not.
namespace crucible::run {

// Items [begin, end) of a task.
struct Segment {
  std::size_t begin = 0;
  std::size_t end = 0;
  Digest digest;  // over every question in it and how it is asked
};

// What a segment holds at most, but for a single item that holds more. Prompt tokens are estimated
// as a quarter of the bytes, without what a request has in common with the one before it; the
// tokens that generations may grow to count in full.
struct SegmentLimits {
  std::size_t likelihood_tokens = 16'384;
  std::size_t generation_tokens = 131'072;
  std::size_t requests = 8'192;
};

// Cut from the first item on: a task with fewer items has the same segments, but for its last.
std::vector<Segment> split(const task::Task& task, const SegmentLimits& limits = {});

// What answers of this task depend on beside the model's weights.
Digest segment_key(const Segment& segment, const engine::ModelDescription& model);

// Requests that an item makes, repeats included; retries are not known beforehand.
std::size_t request_count(const task::Task& task, const task::Item& item);

}  // namespace crucible::run
