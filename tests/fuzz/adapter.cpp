#include "merger/lora/adapter.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/scratch_file.hpp"

// adapter_config.json, a zero byte, and adapter_model.safetensors of a LoRA adapter. What is
// accepted has factors that fit each other and can be read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace crucible;
  static const fuzz::ScratchFolder folder;
  fuzz::Input input(data, size);
  fuzz::put(folder.path() / lora::kAdapterConfigFile, fuzz::bytes_of(input.text()));
  fuzz::put(folder.path() / lora::kAdapterWeightsFile, fuzz::bytes_of(input.rest()));
  const auto adapter = lora::Adapter::open(folder.path());
  if (!fuzz::accepted(adapter)) return 0;
  for (const lora::AdapterModule& module : adapter->modules()) {
    fuzz::require(module.a != nullptr && module.b != nullptr);
    const auto a = adapter->read(*module.a);
    const auto b = adapter->read(*module.b);
    fuzz::require(a.has_value() && b.has_value());
    fuzz::require(module.rank == 0 ||
                  (a->size() % module.rank == 0 && b->size() % module.rank == 0));
    (void)adapter->config().rank_of(module.name);
    (void)adapter->config().scale_of(module.name);
  }
  return 0;
}
