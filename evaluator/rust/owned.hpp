#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "evaluator/rust/crucible_native.h"

// Memory that the Rust library hands out.
namespace crucible::native {

struct Release {
  void operator()(void* memory) const { crucible_native_release(memory); }
};
template <typename T>
using Owned = std::unique_ptr<T, Release>;

inline std::string message_of(const Owned<char>& error) {
  return error ? std::string(error.get()) : std::string("no reason given");
}

}  // namespace crucible::native
