#include "evaluator/endpoint/budget.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace crucible::endpoint {
namespace {

Usage operator+(const Usage& a, const Usage& b) {
  return {a.prompt_tokens + b.prompt_tokens, a.completion_tokens + b.completion_tokens};
}

std::uint64_t total(const Usage& usage) { return usage.prompt_tokens + usage.completion_tokens; }

std::string decimal(double value) {
  std::array<char, 48> text{};
  const int size = std::snprintf(text.data(), text.size(), "%.6g", value);
  return std::string(text.data(), static_cast<std::size_t>(std::max(size, 0)));
}

}  // namespace

double Budget::cost(const Usage& usage) const {
  return (static_cast<double>(usage.prompt_tokens) * limits_.prompt_price +
          static_cast<double>(usage.completion_tokens) * limits_.completion_price) /
         1e6;
}

bool Budget::fits(const Usage& more) const {
  const Usage sum = spent_ + reserved_ + more;
  return (limits_.tokens == 0 || total(sum) <= limits_.tokens) &&
         (limits_.cost <= 0 || cost(sum) <= limits_.cost);
}

Status Budget::reserve(const Usage& most, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const bool ready = settled_.wait(lock, stop, [&] { return fits(most) || total(reserved_) == 0; });
  if (!ready) return fail(ErrorCode::kCancelled, "the request was cancelled");
  if (fits(most)) {
    reserved_ = reserved_ + most;
    return {};
  }
  lock.unlock();
  std::string message = "the budget is spent: " + spent_text() + " so far, and the next request " +
                        "may use " + std::to_string(total(most)) + " tokens more";
  if (limits_.tokens > 0) message += "; at most " + std::to_string(limits_.tokens) + " tokens";
  if (limits_.cost > 0) message += "; at most " + decimal(limits_.cost) + " in cost";
  return fail(ErrorCode::kNoSpace, message);
}

void Budget::settle(const Usage& most, const Usage& used) {
  {
    const std::lock_guard lock(mutex_);
    reserved_.prompt_tokens -= most.prompt_tokens;
    reserved_.completion_tokens -= most.completion_tokens;
    spent_ = spent_ + used;
  }
  settled_.notify_all();
}

Usage Budget::spent() const {
  const std::lock_guard lock(mutex_);
  return spent_;
}

std::string Budget::spent_text() const {
  const Usage usage = spent();
  std::string text = std::to_string(usage.prompt_tokens) + " prompt and " +
                     std::to_string(usage.completion_tokens) + " completion tokens";
  if (limits_.prompt_price > 0 || limits_.completion_price > 0) {
    text += ", cost " + decimal(cost(usage));
  }
  return text;
}

}  // namespace crucible::endpoint
