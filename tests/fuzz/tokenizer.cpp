#include "evaluator/tokenizer/tokenizer.hpp"

#include "evaluator/tokenizer/whitespace.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/scratch_file.hpp"

// tokenizer.json for the library that encodes with it, tokenizer_config.json, and a text, a zero
// byte between them. What loads must encode and decode without an end of the process; the library
// turns its own faults into errors.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace crucible;
  static const fuzz::ScratchFolder folder;
  fuzz::Input input(data, size);
  fuzz::put(folder.path() / "tokenizer.json", fuzz::bytes_of(input.text()));
  fuzz::put(folder.path() / "tokenizer_config.json", fuzz::bytes_of(input.text()));
  const std::string_view text = input.rest();
  (void)tokenizer::trailing_whitespace(text);
  const auto read = tokenizer::Tokenizer::load_folder(folder.path());
  if (!fuzz::accepted(read)) return 0;
  for (const bool special : {false, true}) {
    const auto ids = read->encode(text, special);
    if (!fuzz::accepted(ids)) continue;
    (void)fuzz::accepted(read->decode(*ids, !special));
    for (const std::int32_t id : *ids) (void)read->token(id);
  }
  return 0;
}
