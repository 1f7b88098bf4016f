#include "evaluator/judge/judging.hpp"

#include <utility>
#include <vector>

namespace crucible::judge {

Result<Judging> Judging::open(std::unique_ptr<engine::LanguageModel> model, Rubric rubric,
                              JudgeSettings settings, const std::filesystem::path& judgments) {
  Judging out;
  out.model_ = std::move(model);
  if (!judgments.empty()) {
    auto file = LineFile::open(judgments);
    if (!file) return fail(std::move(file.error()));
    out.file_ = std::make_unique<LineFile>(std::move(*file));
    settings.keep = [lines = out.file_.get()](const Json& line) { return lines->add(line); };
  }
  out.judge_ = std::make_unique<Judge>(*out.model_, std::move(rubric), std::move(settings));
  return out;
}

run::Grader Judging::grader(ProgressSink progress, std::stop_token stop) {
  return [this, progress = std::move(progress), stop = std::move(stop)](
             const task::Task& task, std::span<const run::AnsweredItem> answered) {
    std::vector<const task::Item*> items;
    std::vector<const metric::Responses*> responses;
    for (const run::AnsweredItem& one : answered) {
      items.push_back(one.item);
      responses.push_back(one.responses);
    }
    engine::Call call;
    call.stop = stop;
    if (progress) {
      call.progress = [&](const Progress& inner) {
        progress({"judge " + task.name, inner.done, inner.total, "judgments"});
      };
    }
    return judge_->grade(task, items, responses, call);
  };
}

}  // namespace crucible::judge
