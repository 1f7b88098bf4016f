#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

#include "merger/checkpoint/architecture.hpp"
#include "merger/checkpoint/checkpoint.hpp"
#include "tests/fuzz/scratch_file.hpp"

namespace {

using namespace crucible;

// A shard with one float32 tensor of two elements.
std::string shard(const std::string& tensor) {
  std::string header = R"({")" + tensor + R"(":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  header.append((8 - header.size() % 8) % 8, ' ');
  std::string file;
  for (unsigned shift = 0; shift < 64; shift += 8)
    file += static_cast<char>((header.size() >> shift) & 0xFF);
  return file + header + std::string(8, '\0');
}

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

// config.json, a zero byte, and the index of a checkpoint of two shards.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::ScratchFolder folder;
  static const bool made = [] {
    const std::array<std::string, 2> shards{shard("a"), shard("b")};
    for (std::size_t i = 0; i < shards.size(); ++i) {
      fuzz::put(folder.path() / ("model-0000" + std::to_string(i + 1) + "-of-00002.safetensors"),
                bytes_of(shards[i]));
    }
    return true;
  }();
  if (!made) std::abort();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(text.find('\0'), size);
  fuzz::put(folder.path() / "config.json", bytes_of(text.substr(0, end)));
  fuzz::put(folder.path() / "model.safetensors.index.json",
            bytes_of(end < size ? text.substr(end + 1) : std::string_view()));
  const auto checkpoint = checkpoint::Checkpoint::open(folder.path());
  if (!checkpoint) {
    if (checkpoint.error().message.empty()) std::abort();
    return 0;
  }
  for (const std::string& name : checkpoint->tensor_names()) {
    if (checkpoint->find(name).shard == nullptr) std::abort();
  }
  (void)checkpoint::find_architecture(*checkpoint);
  return 0;
}
