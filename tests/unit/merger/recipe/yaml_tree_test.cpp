#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <random>

#include "merger/recipe/recipe.hpp"
#include "merger/recipe/text.hpp"
#include "merger/recipe/yaml_tree.hpp"
#include "real_recipes.hpp"

namespace crucible::recipe {
namespace {

using testing::HasSubstr;

std::string failure(std::string_view text, const YamlLimits& limits = {}) {
  const auto document = parse_yaml(text, limits);
  EXPECT_FALSE(document.has_value());
  return document ? std::string() : document.error().message;
}

std::string repeat(std::string_view text, std::size_t count) {
  std::string out;
  while (count-- > 0) out += text;
  return out;
}

TEST(ParseYaml, KeepsPositionsAndQuotes) {
  const auto document = parse_yaml("a: 1\nb:\n  - 'x'\n  - ~\n");
  ASSERT_TRUE(document.has_value());
  const YamlNode* list = document->root.find("b");
  ASSERT_NE(list, nullptr);
  EXPECT_EQ(list->items[0].line, 3U);
  EXPECT_TRUE(list->items[0].quoted);
  EXPECT_TRUE(list->items[1].is_null());
}

TEST(ParseYaml, LimitsHold) {
  EXPECT_THAT(failure(std::string(2 << 20, 'a')), HasSubstr("larger than"));
  EXPECT_THAT(failure(repeat("[", 65) + repeat("]", 65)), HasSubstr("nested deeper than 64"));
  EXPECT_THAT(failure("[" + repeat("1,", 200'000) + "1]"), HasSubstr("more than 100000 values"));
  EXPECT_TRUE(parse_yaml(repeat("[", 64) + repeat("]", 64)).has_value());
}

TEST(ParseYaml, RefusesWhatWouldBeDroppedSilently) {
  EXPECT_THAT(failure("a: 1\n---\nb: 2\n"), HasSubstr("more than one document"));
  EXPECT_THAT(failure(""), HasSubstr("empty"));
  EXPECT_THAT(failure("# only a comment\n"), HasSubstr("empty"));
  EXPECT_THAT(failure("a: 1\nb: \x04\nc: 2\n"), HasSubstr("line 2, column 4: a control character"));
  EXPECT_THAT(failure("a: \xC3(\n"), HasSubstr("not UTF-8"));
  EXPECT_THAT(failure("? [a, b]\n: 1\n"), HasSubstr("key is expected"));
  EXPECT_THAT(failure("a:\n\t- b\n"), HasSubstr("line 2"));
}

TEST(ParseYaml, AliasBombCostsNothing) {
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c < 'j'; ++c) {
    bomb += std::string(1, c) + ": &" + c + " [" +
            repeat(std::string("*") + static_cast<char>(c - 1) + ", ", 9) + "]\n";
  }
  const auto document = parse_yaml(bomb);
  ASSERT_TRUE(document.has_value());
  EXPECT_FALSE(document->faults.empty());
  EXPECT_EQ(document->faults.front().path, "a");
}

TEST(ParseYaml, DuplicateKeysKeepTheFirstAndAreReported) {
  const auto document = parse_yaml("x:\n  a: 1\n  b: {c: 1}\n  a: {d: [1, 2]}\n");
  ASSERT_TRUE(document.has_value());
  ASSERT_EQ(document->faults.size(), 1U);
  EXPECT_EQ(document->faults[0].path, "x.a");
  EXPECT_EQ(document->root.find("x")->entries.size(), 2U);
}

TEST(EmitYaml, RoundTripsTheTree) {
  for (const auto& [name, text] : kRealRecipes) {
    const auto first = parse_yaml(text);
    ASSERT_TRUE(first.has_value()) << name;
    const auto a = read_recipe(text);
    const auto b = read_recipe(emit_yaml(first->root));
    ASSERT_TRUE(a && b) << name << "\n" << emit_yaml(first->root) << (b ? "" : describe(b.error()));
    EXPECT_EQ(digest(*a), digest(*b)) << name;
  }
}

// Whatever happens to the bytes of a recipe, reading ends with a recipe or a described error.
TEST(ReadRecipe, SurvivesDamagedText) {
  std::mt19937 random(7);
  const std::string_view spice = "[]{}:,-&*!|>'\"%@`#?\n\t ~<\x04\xff";
  std::size_t read = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string text(kRealRecipes[random() % kRealRecipes.size()].second);
    for (std::size_t edits = 1 + random() % 6; edits-- > 0;) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = spice[random() % spice.size()];
          break;
        case 1:
          text.insert(at, 1, spice[random() % spice.size()]);
          break;
        default:
          text.erase(at, 1 + random() % 9);
          break;
      }
      if (text.empty()) text = "x";
    }
    const auto recipe = read_recipe(text);
    if (recipe) {
      ++read;
    } else {
      EXPECT_FALSE(recipe.error().faults.empty()) << text;
    }
  }
  EXPECT_GT(read, 0U);
}

TEST(ReadRecipe, HostileShapesEndQuickly) {
  for (const std::string& text :
       {repeat("- ", 100'000), repeat("? ", 100'000), repeat("a: ", 100'000),
        repeat("{a: ", 100'000), repeat("[", 500'000), "a: |\n" + repeat(" x\n", 200'000),
        "\"" + repeat("\\", 500'000), repeat("'", 300'001), repeat("!a ", 100'000),
        repeat("--- ", 100'000), repeat("%YAML 1.2\n", 10'000), repeat("k: v\n", 100'000),
        repeat("&a ", 50'000), repeat("- -\n", 50'000)}) {
    EXPECT_FALSE(read_recipe(text).has_value());
  }
}

// This and the next were found by fuzzing.
TEST(EmitYaml, CarriageReturnsAreReadBack) {
  const auto document = parse_yaml("a\rb\r");
  ASSERT_TRUE(document);
  const auto again = parse_yaml(emit_yaml(document->root));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->root.scalar, document->root.scalar);
}

// The emitter leaves such items bare between brackets, where they read otherwise.
TEST(EmitYaml, ItemsThatFlowStyleWouldTakeApartAreReadBack) {
  for (const std::string text :
       {"- a(b):\"]", "- 'x'\n- y:'", "- a:{b\n- ''", "[1, 2.5, a/b, \"c, d\"]", "- ~\n- null"}) {
    const auto document = parse_yaml(text);
    ASSERT_TRUE(document) << text;
    const std::string emitted = emit_yaml(document->root);
    const auto again = parse_yaml(emitted);
    ASSERT_TRUE(again) << emitted;
    ASSERT_EQ(again->root.items.size(), document->root.items.size()) << emitted;
    for (std::size_t i = 0; i < again->root.items.size(); ++i) {
      EXPECT_EQ(again->root.items[i].scalar, document->root.items[i].scalar) << emitted;
      EXPECT_EQ(again->root.items[i].kind, document->root.items[i].kind) << emitted;
    }
  }
}

TEST(Text, NumbersRoundTripAndRefuseTheRest) {
  EXPECT_EQ(number_text(0.1), "0.1");
  EXPECT_EQ(number_text(-0.0), "0");
  EXPECT_EQ(parse_number("1e-3"), 0.001);
  EXPECT_EQ(parse_number(" +.5 "), 0.5);
  EXPECT_EQ(parse_number("-2."), -2);
  EXPECT_EQ(parse_number("1e-999"), 0);
  for (const std::string_view bad :
       {"", "e5", "1e", "0x10", "1_000", "nan", "inf", ".", "1 2", "--1", "1e999", "true"}) {
    EXPECT_FALSE(parse_number(bad).has_value()) << bad;
  }
}

TEST(Text, NearestNeedsAPlausibleMistake) {
  constexpr std::array<std::string_view, 3> kKnown{"weight", "density", "normalize"};
  EXPECT_EQ(nearest("wieght", kKnown), "weight");
  EXPECT_EQ(nearest("DENSITY", kKnown), "density");
  EXPECT_EQ(nearest("normalise", kKnown), "normalize");
  EXPECT_EQ(nearest("temperature", kKnown), "");
}

}  // namespace
}  // namespace crucible::recipe
