#include "merger/method/mergekit_order.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

// Against the standard library's own algorithms, which only libstdc++ has in the order wanted.
namespace crucible::method {
namespace {

using Keys = std::vector<std::uint32_t>;

template <typename Entry>
std::vector<Entry> entries_of(const Keys& keys) {
  std::vector<Entry> entries;
  for (std::uint32_t i = 0; i < keys.size(); ++i) entries.push_back(Entry(keys[i], i));
  return entries;
}

template <typename Entry>
bool by_key(const Entry& a, const Entry& b) {
  return a.key() < b.key();
}

template <typename Entry>
std::vector<std::uint64_t> indices(const std::vector<Entry>& entries, std::size_t first,
                                   std::size_t last) {
  std::vector<std::uint64_t> found;
  for (std::size_t i = first; i < last; ++i) found.push_back(entries[i].index());
  return found;
}

template <typename Entry>
std::vector<std::uint64_t> index_set(const std::vector<Entry>& entries, std::size_t count) {
  auto found = indices(entries, 0, count);
  std::ranges::sort(found);
  return found;
}

// A median-of-three killer (Musser 1997): a fixed pivot rule needs quadratic time on it, so that
// the depth limit is reached.
Keys killer(std::size_t count) {
  Keys keys(count);
  const std::size_t half = count / 2;
  for (std::size_t i = 0; i < half; ++i) {
    keys[i] = static_cast<std::uint32_t>(i % 2 == 0 ? i + 1 : half + i);
    keys[half + i] = static_cast<std::uint32_t>(2 * (i + 1));
  }
  return keys;
}

// Turns a comparison sort against itself (McIlroy 1999, "A killer adversary for quicksort").
Keys adversary(std::size_t count) {
  std::vector<int> key(count, -1);
  int solid = 0;
  std::size_t candidate = 0;
  std::vector<std::size_t> order(count);
  for (std::size_t i = 0; i < count; ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (key[a] < 0 && key[b] < 0) key[a == candidate ? a : b] = solid++;
    if (key[a] < 0) candidate = a;
    if (key[b] < 0) candidate = b;
    const int left = key[a] < 0 ? static_cast<int>(count) : key[a];
    const int right = key[b] < 0 ? static_cast<int>(count) : key[b];
    return left < right;
  });
  Keys keys;
  for (const int value : key) keys.push_back(static_cast<std::uint32_t>(value < 0 ? solid : value));
  return keys;
}

std::vector<Keys> inputs(std::size_t count) {
  std::mt19937 random(static_cast<unsigned>(count));
  std::vector<Keys> all;
  const auto add = [&](const std::function<std::uint32_t(std::size_t)>& key) {
    Keys keys;
    for (std::size_t i = 0; i < count; ++i) keys.push_back(key(i));
    all.push_back(keys);
  };
  const auto number = [](std::size_t i) { return static_cast<std::uint32_t>(i); };
  add([&](std::size_t) { return static_cast<std::uint32_t>(random()); });
  add([&](std::size_t) { return static_cast<std::uint32_t>(random() % 3); });
  add([&](std::size_t) { return static_cast<std::uint32_t>(random() % 100); });
  add([&](std::size_t) { return static_cast<std::uint32_t>(random() % 5000); });
  add([](std::size_t) { return 7U; });
  add(number);
  add([&](std::size_t i) { return number(count - i); });
  add([&](std::size_t i) { return number(std::min(i, count - i)); });
  add([&](std::size_t i) { return number(i / 50); });
  add([&](std::size_t i) { return i % 7 == 0 ? static_cast<std::uint32_t>(random()) : 0U; });
  all.push_back(killer(count));
  all.push_back(adversary(count));
  return all;
}

constexpr std::size_t kSizes[] = {0,   1,   2,   3,   4,    15,   16,   17,    18,    33,
                                  100, 255, 256, 257, 1000, 2047, 5001, 20000, 100000};

template <typename Entry>
void compare_cuts(const Keys& keys, const std::vector<Entry>& sorted) {
  const std::size_t count = keys.size();
  const std::pair<std::size_t, std::size_t> cuts[] = {{0, count / 2},
                                                      {count / 3, count - count / 10},
                                                      {count / 2, count / 2},
                                                      {0, count},
                                                      {count / 100, count / 99}};
  for (const auto& [low, high] : cuts) {
    auto entries = entries_of<Entry>(keys);
    reference_sort_to<Entry>(entries, low, high);
    ASSERT_EQ(index_set(entries, low), index_set(sorted, low)) << count << " " << low;
    ASSERT_EQ(index_set(entries, high), index_set(sorted, high)) << count << " " << high;
  }
}

template <typename Entry>
void compare_top(const Keys& keys) {
  const std::size_t count = keys.size();
  for (const std::size_t top : {std::size_t{1}, count / 200, count / 64, count / 63, count / 2,
                                count - count / 50, count}) {
    if (top == 0 || top > count) continue;
    auto expected = entries_of<Entry>(keys);
    const auto nth = expected.begin() + static_cast<std::ptrdiff_t>(top);
    if (top * 64 <= count) {
      std::partial_sort(expected.begin(), nth, expected.end(), by_key<Entry>);
    } else {
      std::nth_element(expected.begin(), nth - 1, expected.end(), by_key<Entry>);
    }
    auto entries = entries_of<Entry>(keys);
    reference_top<Entry>(entries, top);
    ASSERT_EQ(index_set(entries, top), index_set(expected, top)) << count << " " << top;
  }
}

template <typename Entry>
class MergekitOrder : public ::testing::Test {};
using EntryTypes = ::testing::Types<Ranked, WideRanked>;
TYPED_TEST_SUITE(MergekitOrder, EntryTypes);

TYPED_TEST(MergekitOrder, IsThatOfTheStandardLibrary) {
  for (const std::size_t count : kSizes) {
    const auto all = inputs(count);
    for (std::size_t kind = 0; kind < all.size(); ++kind) {
      SCOPED_TRACE(kind);
      auto sorted = entries_of<TypeParam>(all[kind]);
      std::sort(sorted.begin(), sorted.end(), by_key<TypeParam>);
      auto entries = entries_of<TypeParam>(all[kind]);
      reference_sort<TypeParam>(entries);
      ASSERT_EQ(indices(entries, 0, count), indices(sorted, 0, count)) << count;
      compare_cuts<TypeParam>(all[kind], sorted);
      compare_top<TypeParam>(all[kind]);
    }
  }
}

}  // namespace
}  // namespace crucible::method
