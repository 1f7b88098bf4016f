#include "server/config/options.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/scratch_file.hpp"

// The daemon's configuration file. What is accepted describes itself in YAML that says the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace crucible;
  namespace config = server::config;
  static const fuzz::ScratchFolder folder;
  const auto file = folder.path() / "crucible.yaml";
  fuzz::put(file, {data, size});
  const auto nothing = [](const char*) -> const char* { return nullptr; };
  const auto loaded = config::load({}, file, nothing);
  if (!fuzz::accepted(loaded)) return 0;
  const config::Options& options = loaded->options;
  fuzz::require(options.max_merges >= 1 && options.max_merges <= 64 && options.threads <= 1024);
  fuzz::require(options.memory_bytes > 0 && options.shard_bytes > 0);
  fuzz::require(options.access == "tokens" || options.access == "open");
  fuzz::require(options.sandbox == "required" || options.sandbox == "off");
  fuzz::require(!config::describe(*loaded).empty());
  return 0;
}
