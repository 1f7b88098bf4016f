#include "server/cli/progress_line.hpp"

#include <algorithm>
#include <array>

#include "merger/base/byte_count.hpp"
#include "merger/recipe/text.hpp"
#include "server/cli/table.hpp"

namespace crucible::server::cli {
namespace {

double share_of(const Progress& progress) {
  if (progress.total == 0) return 0;
  return std::min(1.0, static_cast<double>(progress.done) / static_cast<double>(progress.total));
}

std::string amount(const Progress& progress, std::uint64_t count) {
  return progress.unit == "bytes" ? format_byte_count(count) : std::to_string(count);
}

}  // namespace

std::string progress_text(const Progress& progress, std::size_t width) {
  std::string out = recipe::printable(progress.stage, 40);
  if (display_width(out) < 12) out += std::string(12 - display_width(out), ' ');
  if (progress.total == 0) {
    if (progress.done > 0) out += " " + amount(progress, progress.done) + " " + progress.unit;
    return out;
  }
  const double share = share_of(progress);
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(width));
  std::array<char, 16> percent{};
  std::snprintf(percent.data(), percent.size(), "%3d %%", static_cast<int>(share * 100));
  out += " [" + std::string(filled, '#') + std::string(width - filled, '.') + "] " + percent.data();
  out += "  " + amount(progress, progress.done) + " / " + amount(progress, progress.total);
  if (progress.unit != "bytes" && !progress.unit.empty()) out += " " + progress.unit;
  return out;
}

ProgressLine::ProgressLine(std::FILE* out, bool is_terminal, std::string label)
    : out_(out), is_terminal_(is_terminal), label_(std::move(label)) {
  if (!label_.empty()) label_ += ": ";
}

ProgressLine::~ProgressLine() { finish(); }

void ProgressLine::show(const Progress& progress) {
  const auto tenth = static_cast<std::uint64_t>(share_of(progress) * 10);
  const bool new_stage = progress.stage != last_stage_;
  if (is_terminal_) {
    const auto now = std::chrono::steady_clock::now();
    const bool complete = progress.total > 0 && progress.done >= progress.total;
    if (!new_stage && !complete && now - last_shown_ < std::chrono::milliseconds(100)) return;
    last_shown_ = now;
    std::fprintf(out_, "\r\x1b[K%s%s", label_.c_str(), progress_text(progress).c_str());
    open_ = true;
  } else if (new_stage || tenth > last_tenth_) {
    std::fprintf(out_, "%s%s\n", label_.c_str(), progress_text(progress).c_str());
  }
  last_stage_ = progress.stage;
  last_tenth_ = new_stage ? tenth : std::max(tenth, last_tenth_);
  std::fflush(out_);
}

void ProgressLine::note(const std::string& text) {
  if (open_) std::fprintf(out_, "\r\x1b[K");
  std::fprintf(out_, "%s%s\n", label_.c_str(), text.c_str());
  open_ = false;
  std::fflush(out_);
}

void ProgressLine::finish() {
  if (open_) std::fprintf(out_, "\n");
  open_ = false;
  std::fflush(out_);
}

}  // namespace crucible::server::cli
