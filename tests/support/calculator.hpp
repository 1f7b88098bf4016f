#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace crucible::test {

// + - * / and brackets over whole numbers, by recursive descent.
class Calculator {
 public:
  explicit Calculator(std::string text) : text_(std::move(text)) { std::erase(text_, ' '); }
  std::int64_t sum() {
    std::int64_t value = product();
    while (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) {
      value += text_[at_++] == '+' ? product() : -product();
    }
    return value;
  }

 private:
  std::int64_t product() {
    std::int64_t value = operand();
    while (at_ < text_.size() && (text_[at_] == '*' || text_[at_] == '/')) {
      if (text_[at_++] == '*') {
        value *= operand();
      } else {
        const std::int64_t divisor = operand();
        EXPECT_EQ(value % divisor, 0) << text_;
        value /= divisor;
      }
    }
    return value;
  }
  std::int64_t operand() {
    if (text_[at_] == '(') {
      ++at_;
      const std::int64_t value = sum();
      ++at_;
      return value;
    }
    std::size_t used = 0;
    const std::int64_t value = std::stoll(text_.substr(at_), &used);
    at_ += used;
    return value;
  }
  std::string text_;
  std::size_t at_ = 0;
};

}  // namespace crucible::test
