#pragma once

#include <chrono>
#include <cstdio>
#include <string>

#include "merger/base/progress.hpp"

namespace crucible::server::cli {

// One line of progress, as a bar of `width` characters: "merge      [#####.....]  50 %  1.2 GiB
// / 2.4 GiB".
std::string progress_text(const Progress& progress, std::size_t width = 24);

// Shows progress on a stream: on a terminal one line that is rewritten, elsewhere a plain line at
// each new stage and each further tenth. Not thread-safe.
class ProgressLine {
 public:
  // `label` stands before each line ("job 7"), may be empty.
  ProgressLine(std::FILE* out, bool is_terminal, std::string label = {});
  ~ProgressLine();  // ends the line
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const Progress& progress);
  // A line of its own, above the bar.
  void note(const std::string& text);
  void finish();

 private:
  std::FILE* out_;
  bool is_terminal_;
  std::string label_;
  std::string last_stage_;
  std::uint64_t last_tenth_ = 0;
  std::chrono::steady_clock::time_point last_shown_{};
  bool open_ = false;
};

}  // namespace crucible::server::cli
