#include "evaluator/engine/model_shape.hpp"

#include "evaluator/engine/gguf_vocabulary.hpp"
#include "merger/checkpoint/architecture.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/scratch_file.hpp"

namespace {

using namespace crucible;

constexpr std::uint64_t kMostPlans = 100'000;

// A safetensors file with one empty tensor, so that only the configuration decides.
std::string weights() {
  std::string header =
      R"({"model.embed_tokens.weight":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})";
  header.append((8 - header.size() % 8) % 8, ' ');
  std::string file;
  for (unsigned shift = 0; shift < 64; shift += 8)
    file += static_cast<char>((header.size() >> shift) & 0xFF);
  return file + header;
}

}  // namespace

// config.json as the engine and the merger read it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::ScratchFolder folder;
  static const bool made = [] {
    fuzz::put(folder.path() / "model.safetensors", fuzz::bytes_of(weights()));
    return true;
  }();
  fuzz::require(made);
  fuzz::put(folder.path() / "config.json", {data, size});
  const auto checkpoint = checkpoint::Checkpoint::open(folder.path());
  if (!fuzz::accepted(checkpoint)) return 0;
  (void)fuzz::accepted(checkpoint::find_architecture(*checkpoint));
  const auto shape = engine::read_shape(*checkpoint);
  if (!fuzz::accepted(shape)) return 0;
  fuzz::require(shape->layers > 0 && shape->heads > 0 && shape->vocabulary > 0);
  if (shape->layers < kMostPlans / 1000) (void)engine::tensor_plans(*checkpoint, *shape);
  return 0;
}
