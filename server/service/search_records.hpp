#pragma once

#include <optional>
#include <string>

#include "merger/base/error.hpp"
#include "merger/base/progress.hpp"
#include "server/service/job_kinds.hpp"

// What a sweep that searches has come to: plain values.
namespace crucible::server {

// A merge of a search, or what it is measured against.
struct Candidate {
  std::string name;                   // "t17", "default", "parent sums"
  std::optional<std::int64_t> trial;  // none: a reference
  std::string point;                  // JSON: values by name
  std::string recipe;                 // "" for a parent
  std::string model;                  // of a parent
  std::string standing;               // "racing", "eliminated", "set aside", "failed"
  std::int64_t seen = 0;              // tune items answered
  std::optional<double> estimate;     // of the objective, from these
  std::string suites;                 // JSON: the estimate by suite
  std::optional<std::string> failure;
};
// A sweep that a sampler and races carry out, in one job.
struct Search {
  std::string document;
  std::optional<JobId> job_id;  // the last one
  JobState job_state = JobState::kQueued;
  Progress progress;
  std::optional<Error> error;         // of that job
  std::optional<std::string> result;  // JSON, once it is over
  std::int64_t trials = 0;
  std::int64_t racing = 0;       // of them
  std::int64_t evaluations = 0;  // answers to tune and report items so far
  double seconds = 0;            // of work for them
  std::optional<Candidate> best;
};

}  // namespace crucible::server
