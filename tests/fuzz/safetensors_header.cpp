#include <cstdlib>
#include <vector>

#include "merger/safetensors/reader.hpp"
#include "tests/fuzz/scratch_file.hpp"

// A whole safetensors file. What is accepted must hold what the reader promises: every tensor lies
// inside the file, and its first and last byte can be read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace crucible;
  static const fuzz::ScratchFolder folder;
  const auto path = folder.path() / "model.safetensors";
  fuzz::put(path, {data, size});
  const auto reader = safetensors::Reader::open(path);
  if (!reader) {
    if (reader.error().message.empty()) std::abort();
    return 0;
  }
  for (const safetensors::TensorEntry& entry : reader->tensors()) {
    if (entry.offset > size || entry.bytes > size - entry.offset) std::abort();
    if (reader->find(entry.name) == nullptr) std::abort();
    std::vector<std::byte> byte(1);
    if (entry.bytes == 0) continue;
    if (!reader->read(entry, 0, byte) || !reader->read(entry, entry.bytes - 1, byte)) std::abort();
  }
  return 0;
}
