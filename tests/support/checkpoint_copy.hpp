#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>

#include "nlohmann/json.hpp"
#include "tests/support/scratch_folder.hpp"

namespace crucible::test {

// A copy of a checkpoint with one safetensors file, to be damaged by a test.
class CheckpointCopy {
 public:
  explicit CheckpointCopy(const std::filesystem::path& original) {
    std::filesystem::copy(original, folder_.path());
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      std::filesystem::permissions(entry.path(), std::filesystem::perms::owner_write,
                                   std::filesystem::perm_options::add);
    }
  }
  const std::filesystem::path& path() const { return folder_.path(); }

  void edit_config(const std::function<void(nlohmann::json&)>& edit) {
    auto config = nlohmann::json::parse(folder_.read("config.json"));
    edit(config);
    folder_.write("config.json", config.dump());
  }
  // The data stays where it is; the edit must keep each tensor's size.
  void edit_header(const std::function<void(nlohmann::json&)>& edit) {
    const std::string file = folder_.read("model.safetensors");
    std::uint64_t length = 0;
    std::memcpy(&length, file.data(), sizeof length);
    auto header = nlohmann::json::parse(file.substr(8, length));
    edit(header);
    const std::string text = header.dump();
    length = text.size();
    std::string out(reinterpret_cast<const char*>(&length), sizeof length);
    folder_.write("model.safetensors", out + text + file.substr(file.size() - data_bytes(header)));
  }
  // Overwrites a tensor's first bytes.
  void poke(const std::string& tensor, const std::string& bytes) {
    std::string file = folder_.read("model.safetensors");
    std::uint64_t length = 0;
    std::memcpy(&length, file.data(), sizeof length);
    const auto header = nlohmann::json::parse(file.substr(8, length));
    const auto offset = header.at(tensor).at("data_offsets").at(0).get<std::size_t>();
    file.replace(8 + length + offset, bytes.size(), bytes);
    folder_.write("model.safetensors", file);
  }

 private:
  static std::size_t data_bytes(const nlohmann::json& header) {
    std::size_t end = 0;
    for (const auto& [name, entry] : header.items()) {
      if (name != "__metadata__") {
        end = std::max(end, entry.at("data_offsets").at(1).get<std::size_t>());
      }
    }
    return end;
  }
  ScratchFolder folder_;
};

}  // namespace crucible::test
