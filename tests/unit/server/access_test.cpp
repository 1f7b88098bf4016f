#include <gtest/gtest.h>

#include <set>

#include "server/access/token_book.hpp"

namespace crucible::server::access {
namespace {

constexpr std::int64_t kNow = 1'000'000'000;

struct Made {
  std::string text;
  Token token;
};

Made make(const std::string& name, Role role) {
  auto issued = issue_token();
  EXPECT_TRUE(issued.has_value());
  Token token;
  token.id = issued->id;
  token.name = name;
  token.role = role;
  token.digest = issued->digest;
  token.created_at = kNow - 1;
  return {issued->text, token};
}

TEST(TokenTest, HasTwoHundredAndFiftySixRandomBitsAndReadsBack) {
  std::set<std::string> secrets;
  for (int i = 0; i < 50; ++i) {
    const auto issued = issue_token();
    ASSERT_TRUE(issued.has_value());
    const auto parts = parse_token(issued->text);
    ASSERT_TRUE(parts.has_value()) << issued->text;
    EXPECT_EQ(parts->id, issued->id);
    EXPECT_EQ(parts->secret.size(), 64U);
    EXPECT_TRUE(matches(parts->secret, issued->digest));
    EXPECT_EQ(issued->text.find(issued->digest), std::string::npos);
    EXPECT_TRUE(secrets.insert(std::string(parts->secret)).second);
  }
}

TEST(TokenTest, RefusesEveryOtherForm) {
  const std::string id = "0123abcd";
  const std::string secret(64, 'a');
  ASSERT_TRUE(parse_token("cru_" + id + "_" + secret).has_value());
  for (const std::string& text :
       {std::string(), std::string("cru_"), "cru_" + id, "cru_" + id + "_", id + "_" + secret,
        "cru_" + id + "-" + secret, "cru_" + id + "_" + secret + "a",
        "cru_" + id + "_" + secret.substr(1), "cru_0123ABCD_" + secret,
        "cru_" + id + "_" + std::string(64, 'g'), "CRU_" + id + "_" + secret,
        "cru_" + id + "_" + secret + "\n", std::string(1 << 20, 'c')}) {
    EXPECT_FALSE(parse_token(text).has_value()) << text.substr(0, 100);
  }
}

TEST(TokenBookTest, LetsInByRole) {
  const Made reader = make("reader", Role::kRead);
  const Made admin = make("admin", Role::kAdmin);
  TokenBook book;
  book.load({reader.token, admin.token});
  const auto as = [&](const Made& who, Role needed) {
    return book.check("Bearer " + who.text, "127.0.0.1", needed, kNow);
  };
  ASSERT_TRUE(as(reader, Role::kRead).has_value());
  EXPECT_EQ(as(reader, Role::kRead)->token, "reader");
  EXPECT_EQ(as(reader, Role::kSubmit).error(), Refusal::kForbidden);
  EXPECT_EQ(as(reader, Role::kAdmin).error(), Refusal::kForbidden);
  for (const Role role : {Role::kRead, Role::kSubmit, Role::kAdmin}) {
    EXPECT_TRUE(as(admin, role).has_value());
  }
  EXPECT_TRUE(book.check("bearer  " + reader.text, "", Role::kRead, kNow).has_value());
  EXPECT_EQ(book.check("", "", Role::kRead, kNow).error(), Refusal::kMissing);
  EXPECT_EQ(book.check("Basic " + reader.text, "", Role::kRead, kNow).error(), Refusal::kInvalid);
}

TEST(TokenBookTest, KnowsExpiryAndRevocation) {
  Made expiring = make("expiring", Role::kRead);
  Made revoked = make("revoked", Role::kRead);
  expiring.token.expires_at = kNow;
  revoked.token.revoked_at = kNow - 5;
  TokenBook book;
  book.load({expiring.token, revoked.token});
  const auto check = [&](const Made& who, std::int64_t now) {
    return book.check("Bearer " + who.text, "", Role::kRead, now);
  };
  EXPECT_TRUE(check(expiring, kNow - 1).has_value());
  EXPECT_EQ(check(expiring, kNow).error(), Refusal::kInvalid);
  EXPECT_EQ(check(revoked, kNow).error(), Refusal::kInvalid);
  book.load({});
  EXPECT_EQ(check(expiring, kNow - 1).error(), Refusal::kInvalid);
}

TEST(TokenBookTest, SlowsGuessingWithoutLockingAnybodyOut) {
  const Made good = make("good", Role::kRead);
  TokenBook book;
  book.load({good.token});
  const std::string wrong = "Bearer cru_" + good.token.id + "_" + std::string(64, '0');
  for (std::size_t i = 0; i < kMostFailures; ++i) {
    EXPECT_EQ(book.check(wrong, "10.0.0.1", Role::kRead, kNow).error(), Refusal::kInvalid);
  }
  EXPECT_EQ(book.check(wrong, "10.0.0.1", Role::kRead, kNow).error(), Refusal::kTooMany);
  EXPECT_EQ(book.check(wrong, "10.0.0.2", Role::kRead, kNow).error(), Refusal::kInvalid);
  EXPECT_TRUE(book.check("Bearer " + good.text, "10.0.0.1", Role::kRead, kNow).has_value());
  EXPECT_EQ(book.check(wrong, "10.0.0.1", Role::kRead, kNow + kFailureWindowMs).error(),
            Refusal::kInvalid);
  // A clock that was set back by ten years.
  EXPECT_EQ(book.check(wrong, "10.0.0.1", Role::kRead, kNow - 315'360'000'000).error(),
            Refusal::kInvalid);
}

TEST(TokenBookTest, AFloodFromManyAddressesDoesNotWashAwayWhatIsCounted) {
  TokenBook book;
  const std::string wrong = "Bearer cru_0123abcd_" + std::string(64, '0');
  for (std::size_t i = 0; i < kMostFailures; ++i) {
    (void)book.check(wrong, "10.0.0.1", Role::kRead, kNow);
  }
  for (int i = 0; i < 10'000; ++i) {
    (void)book.check(wrong, "2001:db8::" + std::to_string(i), Role::kRead, kNow);
  }
  EXPECT_EQ(book.check(wrong, "10.0.0.1", Role::kRead, kNow).error(), Refusal::kTooMany);
  EXPECT_EQ(book.check(wrong, "2001:db9::1", Role::kRead, kNow).error(), Refusal::kTooMany);
  // Once the flood is over, addresses count each for themselves again.
  EXPECT_EQ(book.check(wrong, "2001:db9::1", Role::kRead, kNow + kFailureWindowMs).error(),
            Refusal::kInvalid);
}

}  // namespace
}  // namespace crucible::server::access
