#include "evaluator/endpoint/response_cache.hpp"
#include "evaluator/run/answers.hpp"
#include "evaluator/run/result_cache.hpp"
#include "merger/plan/journal.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/scratch_file.hpp"

namespace {

using namespace crucible;
using fuzz::accepted;
using fuzz::require;
namespace fs = std::filesystem;

const Digest& digest() {
  static const Digest kDigest = sha256("x");
  return kDigest;
}

// Only what encode gives is decoded.
void decode_answers(std::string_view bytes, unsigned items) {
  const auto answers = run::decode(bytes, items);
  if (accepted(answers)) require(run::encode(*answers) == bytes);
}

fs::path emptied(const char* name) {
  static const fuzz::ScratchFolder folder;
  const fs::path path = folder.path() / name;
  fs::remove_all(path);
  fs::create_directory(path);
  return path;
}

void open_result_cache(std::string_view bytes) {
  const fs::path folder = emptied("results");
  fuzz::put(folder / (digest().hex() + "-0.answers"), fuzz::bytes_of(bytes));
  auto cache = run::ResultCache::open(folder, digest());
  if (!accepted(cache)) return;
  require(cache->add(digest(), "payload").has_value());
  const auto found = cache->find(digest());
  require(found.has_value());
}

void open_response_cache(std::string_view answers, std::string_view model) {
  const fs::path folder = emptied("responses");
  fuzz::put(folder / "answers-0.jsonl", fuzz::bytes_of(answers));
  fuzz::put(folder / "model-0.json", fuzz::bytes_of(model));
  auto cache = endpoint::ResponseCache::open(folder);
  if (!accepted(cache)) return;
  (void)accepted(cache->space("http://127.0.0.1/v1", "m", {-1.0, -2.0}));
  require(cache->store(digest(), "body").has_value());
  require(cache->find(digest()).has_value());
}

// The head is put before the input: without it a journal is another merge's.
void reopen_journal(std::string_view lines) {
  const fs::path folder = emptied("journal");
  const std::string text = R"({"merge":")" + digest().hex() + "\"}\n" + std::string(lines);
  fuzz::put(folder / plan::Journal::kFile, fuzz::bytes_of(text));
  auto journal = plan::Journal::reopen(folder, digest());
  require(accepted(journal));
  const std::size_t kept = journal->finished().size();
  require(journal->append({digest(), 1, 2}).has_value());
  const auto again = plan::Journal::reopen(folder, digest());
  require(again.has_value() && again->finished().size() == kept + 1);
}

}  // namespace

// Files that a run leaves and a later one reads: answers, caches, journals.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  switch (const unsigned kind = input.choice(5)) {
    case 0:
    case 1:
      decode_answers(input.rest(), kind + 1);
      break;
    case 2:
      open_result_cache(input.rest());
      break;
    case 3: {
      const std::string_view answers = input.text();
      open_response_cache(answers, input.rest());
      break;
    }
    default:
      reopen_journal(input.rest());
  }
  return 0;
}
