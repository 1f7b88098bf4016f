#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "evaluator/metric/eq_bench.hpp"
#include "merger/base/io.hpp"

// check_eq_bench QUESTIONS RESULTS: recomputes the scores of published EQ-Bench v2 runs
// (github.com/EQ-bench/EQ-Bench, MIT: data/eq_bench_v2_questions_171.json, results/eq-bench) from
// the models' raw texts. Exit code 1 when one differs by more than 0.02 (published scores were made
// with a slightly other constant) or when an answer is parsed differently.
namespace {

namespace fs = std::filesystem;
using namespace crucible;
using task::Json;

constexpr double kTolerance = 0.02;

Json read(const fs::path& file) {
  const auto text = io::read_text(file, 64ULL << 20);
  const Json json = text ? Json::parse(*text, nullptr, false) : Json();
  if (!json.is_object()) {
    std::fprintf(stderr, "%s is no JSON object\n", file.c_str());
    std::exit(2);
  }
  return json;
}

metric::Emotions stored(const Json& ratings) {
  metric::Emotions emotions;
  for (const auto& [name, score] : ratings.items()) {
    emotions[name] = score.is_string() ? std::stod(score.get<std::string>()) : score.get<double>();
  }
  return emotions;
}

struct Run {
  double score = 0;
  std::size_t parseable = 0;
  int other_answers = 0;  // that were parsed in another way than the benchmark's authors did
};

// Runs with revision have both headings in their answers; others are read whole.
metric::EqBenchAnswer parse(const std::string& text) {
  metric::EqBenchAnswer answer = metric::parse_eq_bench(text);
  const bool revises = text.find("Revised scores:") != std::string::npos;
  if (!revises) answer.first_pass = metric::parse_emotions(text);
  return answer;
}

Run recompute(const Json& questions, const Json& iterations) {
  Run run;
  for (const auto& [number, iteration] : iterations.items()) {
    std::vector<std::optional<double>> first, revised;
    for (const auto& [id, text] : iteration.at("raw_inference").items()) {
      const auto reference =
          metric::eq_bench_reference(questions.at(id).at("reference_answer_fullscale"));
      const auto answer = parse(text.get<std::string>());
      const Json& known = iteration.at("respondent_answers").at(id);
      run.other_answers += answer.first_pass != stored(known.at("first_pass"));
      run.other_answers += answer.revised != stored(known.at("revised"));
      first.push_back(metric::eq_bench_v2_score(answer.first_pass, *reference));
      revised.push_back(metric::eq_bench_v2_score(answer.revised, *reference));
    }
    const auto total = metric::eq_bench_total(first, revised);
    run.score += total.score / static_cast<double>(iterations.size());
    run.parseable += total.parseable;
  }
  return run;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: check_eq_bench QUESTIONS RESULTS\n");
    return 2;
  }
  const Json questions = read(argv[1]);
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(argv[2])) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  int differ = 0;
  double largest = 0;
  std::printf("published, recomputed, difference, readable answers, run\n");
  for (const fs::path& file : files) {
    const Json results = read(file);
    const Run run = recompute(questions, results.at("raw_results"));
    const double rounded = std::round(run.score * 100) / 100;  // as published scores are
    const double difference = std::fabs(rounded - results.at("benchmark_score").get<double>());
    largest = std::max(largest, difference);
    std::printf("%6.2f  %7.3f  %+.3f  %3zu  %s\n", results.at("benchmark_score").get<double>(),
                run.score, run.score - results.at("benchmark_score").get<double>(), run.parseable,
                file.stem().c_str());
    if (run.other_answers > 0) std::printf("  %d parsed differently\n", run.other_answers);
    differ += difference > kTolerance + 1e-9 || run.other_answers > 0 ? 1 : 0;
  }
  std::printf("%zu runs, largest difference %.4f, %d differ\n", files.size(), largest, differ);
  return files.empty() || differ > 0 ? 1 : 0;
}
