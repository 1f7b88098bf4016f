#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "evaluator/task/task.hpp"
#include "merger/base/error.hpp"

// IFEval (Zhou et al. 2023, arXiv:2311.07911): 25 kinds of instruction whose following is checked
// by rules, as lm-evaluation-harness 0.4.13 checks them (tasks/ifeval, Apache-2.0).
//
// Where the harness draws a random argument because the prompt's own cannot be used (a letter that
// is none of a-z, a paragraph number past the last), the prompt's own is used here. Languages are
// told apart by another detector than langdetect (text/language.hpp).
namespace crucible::metric {

// Whether `response` follows one instruction; false for a blank response. kUnsupported for an
// unknown id, kInvalidArgument for a missing argument.
Result<bool> follows_instruction(std::string_view id, const task::Json& arguments,
                                 const std::string& response);

// The response and what is left without its first line, its last, and both, each also without
// asterisks: one of the eight has to follow in the loose reading.
std::vector<std::string> loose_variants(const std::string& response);

std::vector<std::string_view> instruction_ids();

}  // namespace crucible::metric
