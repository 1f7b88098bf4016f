#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "server/cli/exit_codes.hpp"
#include "server/cli/http_client.hpp"
#include "server/cli/progress_line.hpp"
#include "server/cli/table.hpp"
#include "server/cli/views.hpp"

namespace crucible::server::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(CliTable, AlignsByCodePointsWithoutTrailingBlanks) {
  Table table({{"NAME"}, {"SCORE", Align::kRight}, {"NOTE"}});
  table.add({"größe", "0.512 ± 0.031", ""});
  table.add({"a", "1", "x\x1b[31m"});
  EXPECT_EQ(table.text(),
            "NAME           SCORE  NOTE\n"
            "größe  0.512 ± 0.031\n"
            "a                  1  x?[31m\n");
}

TEST(CliTable, Texts) {
  EXPECT_EQ(score_text(0.5, 0.03125), "0.500 ± 0.031");
  EXPECT_EQ(score_text(0.5, std::nullopt), "0.500");
  EXPECT_EQ(score_text(std::nullopt, 0.1), "-");
  EXPECT_EQ(parameter_text(386624), "386,624");
  EXPECT_EQ(parameter_text(1234567), "1.2 M");
  EXPECT_EQ(parameter_text(7241732096), "7.24 B");
  EXPECT_EQ(duration_text(3.21), "3.2 s");
  EXPECT_EQ(duration_text(250), "4 min 10 s");
  EXPECT_EQ(duration_text(7500), "2 h 5 min");
}

TEST(CliProgress, BarAndUnits) {
  EXPECT_EQ(progress_text({"merge", 512, 1024, "bytes"}, 10),
            "merge        [#####.....]  50 %  512 B / 1.00 KiB");
  EXPECT_EQ(progress_text({"evaluate sums", 3, 4, "items"}, 4),
            "evaluate sums [###.]  75 %  3 / 4 items");
  EXPECT_EQ(progress_text({"evaluate", 9, 4, "items"}, 4),
            "evaluate     [####] 100 %  9 / 4 items");
  EXPECT_EQ(progress_text({"load", 0, 0, ""}), "load        ");
}

TEST(CliProgress, PlainLinesOncePerTenth) {
  std::FILE* out = std::tmpfile();
  {
    ProgressLine line(out, false, "job 1");
    for (std::uint64_t i = 0; i <= 1000; ++i) line.show({"merge", i, 1000, "bytes"});
    line.show({"write", 0, 10, "bytes"});
  }
  std::rewind(out);
  std::string text(100'000, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), out));
  std::fclose(out);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 12);
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, HasSubstr("job 1: write"));
}

TEST(CliClient, EventParserTakesPiecesOfAnySize) {
  const std::string text =
      "retry: 2000\n\n: heartbeat\n\nid: 7\nevent: job\ndata: {\"a\":\ndata: 1}\n\nid: 8\r\ndata: "
      "x\r\n\r\n";
  for (std::size_t size = 1; size < text.size(); ++size) {
    EventParser parser;
    std::vector<std::string> seen;
    for (std::size_t at = 0; at < text.size(); at += size) {
      parser.feed(std::string_view(text).substr(at, size), [&](const StreamEvent& event) {
        seen.push_back(event.id + "|" + event.type + "|" + event.data);
        return true;
      });
    }
    EXPECT_THAT(seen, testing::ElementsAre("7|job|{\"a\":\n1}", "8||x")) << size;
  }
}

TEST(CliClient, Urls) {
  EXPECT_EQ(HttpClient::create("http://127.0.0.1:7345/")->url(), "http://127.0.0.1:7345");
  EXPECT_TRUE(HttpClient::create("http://[::1]:80").has_value());
  EXPECT_TRUE(HttpClient::create("http://localhost").has_value());
  for (const std::string_view bad : {"", "localhost:1", "https://x", "http://", "http://h:x",
                                     "http://h/p", "http://u@h", "http://h:123456"}) {
    EXPECT_FALSE(HttpClient::create(bad).has_value()) << bad;
  }
  EXPECT_EQ(encode_component("a b/ü"), "a%20b%2F%C3%BC");
}

TEST(CliClient, ProblemsBecomeErrors) {
  const Error error = error_from_reply(
      {422, "application/problem+json",
       R"({"code":"invalid_argument","detail":"the recipe has one fault","errors":[{"path":"models[0]","message":"m","suggestion":"s"}]})"});
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  ASSERT_EQ(error.faults.size(), 1U);
  EXPECT_EQ(error.faults[0].path, "models[0]");
  EXPECT_EQ(
      error_from_reply({415, "application/problem+json", R"({"code":"unsupported_media_type"})"})
          .code,
      ErrorCode::kInvalidArgument);
  EXPECT_EQ(error_from_reply({502, "text/html", "<p>"}).code, ErrorCode::kInternal);
  EXPECT_EQ(error_from_reply({404, "text/html", "<p>"}).code, ErrorCode::kNotFound);
}

TEST(CliExitCodes, EveryErrorHasOne) {
  EXPECT_EQ(exit_code_of(ErrorCode::kInvalidArgument), 3);
  EXPECT_EQ(exit_code_of(ErrorCode::kNotFound), 4);
  EXPECT_EQ(exit_code_of(ErrorCode::kNoSpace), 5);
  EXPECT_EQ(exit_code_of(ErrorCode::kUnavailable), 6);
  EXPECT_EQ(exit_code_of(ErrorCode::kCancelled), 130);
  EXPECT_EQ(exit_code_of(ErrorCode::kInternal), 1);
}

TEST(CliViews, LeaderboardShowsErrorsAndGaps) {
  const Json board = Json::parse(R"({"suites":["sums","words"],"rows":[
    {"rank":1,"model":{"id":1,"name":"half"},"origin":"merged","merge_method":"slerp",
     "scores":{"sums":{"value":0.5,"standard_error":0.01}},"mean":null},
    {"rank":2,"model":{"id":2,"name":"base"},"origin":"registered","merge_method":"",
     "scores":{},"mean":{"value":0.25,"standard_error":null}}]})");
  EXPECT_EQ(leaderboard_view(board),
            "RANK  MODEL  METHOD       MEAN           sums  words\n"
            "   1  half   slerp           -  0.500 ± 0.010      -\n"
            "   2  base   registered  0.250              -      -\n");
}

TEST(CliViews, SweepMarksItsBestTrial) {
  const Json sweep =
      Json::parse(R"({"id":3,"name":"s","state":"running","parameter":"parameters.t","suites":[],
    "best_trial":1,"trials":[{"value":0,"job_id":1,"state":"failed","mean":null},
                             {"value":0.5,"job_id":2,"state":"succeeded","mean":{"value":0.75,"standard_error":0.1}}]})");
  EXPECT_THAT(sweep_view(sweep), HasSubstr("*           0.5    2  succeeded  0.750 ± 0.100"));
}

TEST(CliViews, SurviveStrangeAnswers) {
  for (const char* text : {"null", "[]", "{}", "7", R"({"rows": 3, "suites": "x", "error": 1})"}) {
    const Json json = Json::parse(text);
    for (const auto view :
         {job_view, model_view, leaderboard_view, sweep_view, preflight_view, evaluation_view}) {
      EXPECT_NO_THROW(view(json)) << text;
    }
  }
}

}  // namespace
}  // namespace crucible::server::cli
