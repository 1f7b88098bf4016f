#include "merger/base/parallel.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <stdexcept>

namespace crucible {
namespace {

TEST(ThreadPool, VisitsEveryIndexOnce) {
  for (const unsigned threads : {1U, 2U, 7U}) {
    ThreadPool pool(threads);
    for (const std::size_t count : {0U, 1U, 2U, 1000U}) {
      std::vector<std::atomic<int>> visits(count);
      pool.for_each(count, [&](unsigned worker, std::size_t index) {
        EXPECT_LT(worker, threads);
        ++visits[index];
      });
      for (const auto& visit : visits) EXPECT_EQ(visit.load(), 1);
    }
  }
}

TEST(ThreadPool, ZeroMeansHardwareThreads) { EXPECT_GE(ThreadPool(0).workers(), 1U); }

TEST(ThreadPool, WorkerNumbersAreNotSharedAtOneTime) {
  ThreadPool pool(4);
  std::vector<std::atomic<bool>> busy(4);
  pool.for_each(2000, [&](unsigned worker, std::size_t) {
    EXPECT_FALSE(busy[worker].exchange(true));
    busy[worker] = false;
  });
}

TEST(ThreadPool, ThrowsTheFirstExceptionAndStaysUsable) {
  ThreadPool pool(3);
  EXPECT_THROW(pool.for_each(100,
                             [](unsigned, std::size_t index) {
                               if (index == 5) throw std::runtime_error("five");
                             }),
               std::runtime_error);
  std::atomic<std::size_t> sum = 0;
  pool.for_each(10, [&](unsigned, std::size_t index) { sum += index; });
  EXPECT_EQ(sum.load(), 45U);
}

}  // namespace
}  // namespace crucible
