#include "merger/plan/journal.hpp"

#include <cerrno>
#include <optional>
#include <utility>

#include "merger/base/json_text.hpp"
#include "nlohmann/json.hpp"

namespace crucible::plan {
namespace {

using nlohmann::json;

constexpr std::uint64_t kLimitBytes = 64ULL << 20;

std::string line_of(const Digest& identity) {
  return json{{"merge", identity.hex()}}.dump() + "\n";
}

std::string line_of(const FinishedTensor& tensor) {
  return json{{"digest", tensor.digest.hex()},
              {"not_finite", tensor.not_finite},
              {"draws", tensor.draws}}
             .dump() +
         "\n";
}

// nullopt for a line that a kill cut short.
std::optional<FinishedTensor> read_line(std::string_view line) {
  const json object = parse_untrusted_json<json>(line);
  if (!object.is_object() || !object.contains("digest") || !object["digest"].is_string() ||
      !object.contains("not_finite") || !object["not_finite"].is_number_unsigned() ||
      !object.contains("draws") || !object["draws"].is_number_unsigned()) {
    return std::nullopt;
  }
  const auto digest = Digest::from_hex(object["digest"].get<std::string>());
  if (!digest) return std::nullopt;
  return FinishedTensor{*digest, object["not_finite"], object["draws"]};
}

}  // namespace

Result<Journal> Journal::create(const std::filesystem::path& folder, const Digest& identity,
                                io::Syscalls& calls) {
  auto file = io::File::create(folder / kFile, calls);
  if (!file) return fail(std::move(file.error()));
  Journal journal(std::move(*file), calls);
  if (auto status = journal.add_line(line_of(identity)); !status)
    return fail(std::move(status.error()));
  return journal;
}

Result<Journal> Journal::reopen(const std::filesystem::path& folder, const Digest& identity,
                                io::Syscalls& calls) {
  const auto text = io::read_text(folder / kFile, kLimitBytes, calls);
  if (!text) return fail(text.error());
  const std::string head = line_of(identity);
  if (!text->starts_with(head))
    return fail(ErrorCode::kNotFound, "what was left there is of another merge");
  auto file = io::File::open_write(folder / kFile, calls);
  if (!file) return fail(std::move(file.error()));
  Journal journal(std::move(*file), calls);
  journal.ends_.push_back(head.size());
  for (std::size_t begin = head.size(), end = 0;
       (end = text->find('\n', begin)) != std::string::npos; begin = end + 1) {
    const auto tensor = read_line(std::string_view(*text).substr(begin, end - begin));
    if (!tensor) break;
    journal.finished_.push_back(*tensor);
    journal.ends_.push_back(end + 1);
  }
  if (auto status = journal.truncate(journal.finished_.size()); !status)
    return fail(std::move(status.error()));
  return journal;
}

Status Journal::add_line(std::string line) {
  const std::uint64_t begin = ends_.empty() ? 0 : ends_.back();
  if (auto status = file_.pwrite(std::as_bytes(std::span(line)), begin); !status) return status;
  ends_.push_back(begin + line.size());
  return {};
}

Status Journal::append(const FinishedTensor& tensor) {
  if (auto status = add_line(line_of(tensor)); !status) return status;
  finished_.push_back(tensor);
  return {};
}

Status Journal::truncate(std::size_t tensors) {
  finished_.resize(tensors);
  ends_.resize(tensors + 1);
  return file_.truncate(ends_.back());
}

Status Journal::remove() {
  if (auto status = file_.close(); !status) return status;
  if (calls_->unlink(file_.path().c_str()) != 0)
    return fail(from_errno(errno, "cannot remove " + file_.path().string()));
  return {};
}

}  // namespace crucible::plan
