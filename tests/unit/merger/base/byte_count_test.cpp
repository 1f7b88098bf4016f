#include "merger/base/byte_count.hpp"

#include <gtest/gtest.h>

namespace crucible {
namespace {

TEST(ByteCount, ReadsEveryUnit) {
  const std::pair<std::string_view, std::uint64_t> table[] = {{"0", 0},
                                                              {"512", 512},
                                                              {"1KiB", 1024},
                                                              {"1.5 MiB", 1572864},
                                                              {"1GiB", 1ULL << 30},
                                                              {"2tib", 1ULL << 41},
                                                              {"1kB", 1000},
                                                              {"5GB", 5'000'000'000},
                                                              {"5B", 5'000'000'000},
                                                              {"500m", 500'000'000},
                                                              {"7k", 7000},
                                                              {"1t", 1'000'000'000'000}};
  for (const auto& [text, bytes] : table) {
    const auto parsed = parse_byte_count(text);
    ASSERT_TRUE(parsed.has_value()) << text;
    EXPECT_EQ(*parsed, bytes) << text;
  }
}

TEST(ByteCount, RefusesTheRest) {
  for (const std::string_view text :
       {"", "GiB", "-1", "1 X", "1e400", "inf", "nan", "1GiBs", "99999999TiB", "0x10", "1,5GB"}) {
    EXPECT_FALSE(parse_byte_count(text).has_value()) << text;
  }
}

TEST(ByteCount, FormatsThreeDigits) {
  EXPECT_EQ(format_byte_count(0), "0 B");
  EXPECT_EQ(format_byte_count(1023), "1023 B");
  EXPECT_EQ(format_byte_count(1024), "1.00 KiB");
  EXPECT_EQ(format_byte_count(1536ULL << 20), "1.50 GiB");
  EXPECT_EQ(format_byte_count(99ULL << 20), "99.0 MiB");
  EXPECT_EQ(format_byte_count(1023ULL << 10), "1.00 MiB");
  EXPECT_EQ(format_byte_count(~0ULL), "16.0 EiB");
}

}  // namespace
}  // namespace crucible
