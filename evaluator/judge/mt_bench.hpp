#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "evaluator/task/suite.hpp"

// MT-Bench from FastChat's files (fastchat/llm_judge/data, Apache-2.0): question.jsonl,
// reference_answer/gpt-4.jsonl and judge_prompts.jsonl in one folder.
namespace crucible::judge {

// The first folder `mt_bench` below the data set folders that holds the questions. kNotFound says
// what to fetch and where to put it.
Result<std::filesystem::path> mt_bench_folder(const std::vector<std::filesystem::path>& datasets);

// `limit`: first questions only.
Result<task::Task> mt_bench_task(const std::filesystem::path& folder,
                                 std::optional<std::size_t> limit = {});

// One task, whose overall rating is the score. A judge makes it its own (Judge::prepare).
Result<task::Suite> mt_bench_suite(const std::filesystem::path& folder,
                                   std::optional<std::size_t> limit = {});

// As suites are listed: what it is and which data set it needs.
task::SuiteListing mt_bench_listing();

}  // namespace crucible::judge
