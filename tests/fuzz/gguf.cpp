#include "evaluator/engine/gguf_codec.hpp"
#include "evaluator/engine/gguf_file.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/scratch_file.hpp"

// A GGUF file. llama.cpp ends the process on metadata that contradicts itself, so whatever passes
// the check here is given to it: its vocabulary must load or be refused.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace crucible;
  static const fuzz::ScratchFolder folder;
  const auto path = folder.path() / "model.gguf";
  fuzz::put(path, {data, size});
  const auto facts = engine::read_gguf_facts(path);
  if (!fuzz::accepted(facts)) return 0;
  fuzz::require(facts->shape.layers > 0 && facts->shape.heads > 0 && facts->shape.head_size > 0);
  if (!facts->has_vocabulary) return 0;
  const auto codec = engine::open_gguf_codec(path, *facts);
  if (!fuzz::accepted(codec)) return 0;
  const auto ids = (*codec)->encode("Hello, world! 1 + 1 = 2\n\xC3\xA9", true);
  if (fuzz::accepted(ids)) (void)fuzz::accepted((*codec)->decode(*ids, true));
  return 0;
}
