#include <cstdint>
#include <cstdio>
#include <string>

#include "merger/safetensors/reader.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/scratch_file.hpp"

// Reads safetensors files from standard input, each as its size, a little-endian number of 64 bits,
// and its bytes. Writes one line for each: "+" and the tensors' types, shapes and bytes in order of
// their offsets, or "-" and why the file is refused.
namespace {

using crucible::safetensors::Reader;

bool read_size(std::uint64_t& size) {
  unsigned char bytes[8];
  if (std::fread(bytes, 1, sizeof bytes, stdin) != sizeof bytes) return false;
  size = 0;
  for (unsigned i = 0; i < 8; ++i) size |= std::uint64_t{bytes[i]} << (8 * i);
  return true;
}

std::string in_words(const Reader& reader) {
  std::string line = "+";
  for (const auto& tensor : reader.tensors()) {
    line += " " + std::string(crucible::tensor::safetensors_name(tensor.dtype)) + "[";
    for (std::size_t i = 0; i < tensor.shape.size(); ++i)
      line += (i > 0 ? "," : "") + std::to_string(tensor.shape[i]);
    line += "]" + std::to_string(tensor.bytes);
  }
  return line;
}

std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

}  // namespace

int main() {
  const crucible::fuzz::ScratchFolder folder;
  const auto path = folder.path() / "model.safetensors";
  std::uint64_t size = 0;
  std::string file;
  while (read_size(size)) {
    file.resize(size);
    if (std::fread(file.data(), 1, size, stdin) != size) return 1;
    crucible::fuzz::put(path, crucible::fuzz::bytes_of(file));
    const auto reader = Reader::open(path);
    const std::string line = reader ? in_words(*reader) : "- " + one_line(reader.error().message);
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fputc('\n', stdout);
    std::fflush(stdout);
  }
  return 0;
}
