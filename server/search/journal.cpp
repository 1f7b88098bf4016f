#include "server/search/journal.hpp"

namespace crucible::server::search {
namespace {

using nlohmann::json;

constexpr std::uint64_t kLargestJournal = 1ULL << 30;

}  // namespace

Result<Journal> Journal::open(const std::filesystem::path& folder) {
  Journal journal;
  journal.folder_ = folder;
  if (folder.empty()) return journal;
  if (auto status = io::make_folders(folder); !status) return fail(std::move(status).error());
  const auto path = folder / "journal.jsonl";
  std::error_code error;
  const bool known = std::filesystem::exists(path, error);
  auto file = known ? io::File::open_write(path) : io::File::create(path);
  if (!file) return fail(std::move(file).error());
  journal.file_.emplace(std::move(*file));
  if (auto status = journal.read_back(); !status) return fail(std::move(status).error());
  if (auto status = io::sync_folder(folder); !status) return fail(std::move(status).error());
  return journal;
}

Status Journal::read_back() {
  auto text = io::read_text(folder_ / "journal.jsonl", kLargestJournal);
  if (!text) return fail(std::move(text).error());
  std::vector<json> events;
  while (end_ < text->size()) {
    const std::size_t stop = text->find('\n', end_);
    if (stop == std::string::npos) break;  // torn
    json event = json::parse(text->begin() + static_cast<std::ptrdiff_t>(end_),
                             text->begin() + static_cast<std::ptrdiff_t>(stop), nullptr, false);
    if (!event.is_object()) break;
    events.push_back(std::move(event));
    end_ = stop + 1;
  }
  auto kept = kept_from(events);
  if (!kept) return fail(std::move(kept).error());
  kept_ = std::move(*kept);
  return file_->truncate(end_);
}

Status Journal::add(const json& event) {
  if (!file_ || (event["event"] != "scores" && event["event"] != "failed")) return {};
  const std::string line = event.dump() + "\n";
  if (auto status = file_->pwrite(std::as_bytes(std::span(line)), end_); !status) return status;
  end_ += line.size();
  return file_->sync();
}

Status Journal::finish(const json& report) {
  if (folder_.empty()) return {};
  auto status = io::replace_file(folder_ / "result.json", report.dump(1) + "\n");
  if (!status || report["winner"].is_null()) return status;
  return io::replace_file(folder_ / "winner.yml", report["winner"]["recipe"].get<std::string>());
}

}  // namespace crucible::server::search
