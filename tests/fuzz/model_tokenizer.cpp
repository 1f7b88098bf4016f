#include "merger/tokenizer/model_tokenizer.hpp"

#include "tests/fuzz/input.hpp"
#include "tests/fuzz/scratch_file.hpp"

namespace {

using namespace crucible;
using tokenizer::ModelTokenizer;

const fuzz::ScratchFolder& folder() {
  static const fuzz::ScratchFolder made;
  return made;
}

void put(std::string_view name, std::string_view text) {
  const auto path = folder().path() / name;
  if (text.empty()) {
    std::filesystem::remove(path);
  } else {
    fuzz::put(path, fuzz::bytes_of(text));
  }
}

// What is written for a vocabulary is read back as that vocabulary.
void check_round_trip(const ModelTokenizer& read) {
  const auto text = read.tokenizer_json();
  if (!fuzz::accepted(text)) return;
  put("tokenizer.json", *text);
  put("tokenizer_config.json", read.tokenizer_config().dump());
  put("special_tokens_map.json", read.special_tokens_map().dump());
  put("added_tokens.json", "");
  const auto again = ModelTokenizer::open(folder().path());
  fuzz::require(again.has_value());
  fuzz::require(again->tokens() == read.tokens());
}

}  // namespace

// tokenizer.json, tokenizer_config.json, special_tokens_map.json and added_tokens.json, a zero byte
// after each.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                           "added_tokens.json"}) {
    put(name, input.text());
  }
  (void)fuzz::accepted(tokenizer::read_chat_template(folder().path()));
  auto read = ModelTokenizer::open(folder().path());
  if (!fuzz::accepted(read)) return 0;
  for (const auto& [id, text] : read->tokens()) fuzz::require(read->find(text).has_value());
  check_round_trip(*read);
  auto changed = ModelTokenizer::open(folder().path());
  if (!changed) return 0;
  changed->add({"<|new|>", false, false, false, false, true});
  fuzz::require(changed->find("<|new|>").has_value());
  (void)fuzz::accepted(changed->strip(changed->size() / 2));
  (void)fuzz::accepted(changed->tokenizer_json());
  return 0;
}
