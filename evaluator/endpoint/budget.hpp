#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stop_token>
#include <string>

#include "merger/base/error.hpp"

namespace crucible::endpoint {

// Tokens of requests and answers.
struct Usage {
  std::uint64_t prompt_tokens = 0;
  std::uint64_t completion_tokens = 0;
};

struct BudgetLimits {
  std::uint64_t tokens = 0;  // prompt and completion together; 0 = no limit
  double cost = 0;           // in the currency of the prices; 0 = no limit
  double prompt_price = 0;   // of a million tokens
  double completion_price = 0;
};

// What may still be spent. A request first reserves the most that it can use, so that requests in
// flight cannot pass the limit together, and then pays what it did use. Thread-safe.
class Budget {
 public:
  explicit Budget(BudgetLimits limits) : limits_(limits) {}

  // Waits while others in flight may still give back enough. kNoSpace when the limit is reached,
  // naming what was spent; kCancelled.
  Status reserve(const Usage& most, const std::stop_token& stop);
  // Ends a reservation. A request that failed pays nothing.
  void settle(const Usage& most, const Usage& used);

  Usage spent() const;
  double cost(const Usage& usage) const;
  std::string spent_text() const;  // "1200 prompt and 30 completion tokens, cost 0.0021"

 private:
  bool fits(const Usage& more) const;

  BudgetLimits limits_;
  mutable std::mutex mutex_;
  std::condition_variable_any settled_;
  Usage spent_;
  Usage reserved_;
};

}  // namespace crucible::endpoint
