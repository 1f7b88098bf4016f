#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "tests/support/scratch_folder.hpp"

namespace crucible::tokenizer {

// A model folder with tokenizer files.
class TokenizerFolder {
 public:
  const std::filesystem::path& path() const { return folder_.path(); }
  void write(const std::string& name, const nlohmann::json& value) const {
    std::ofstream(path() / name) << value.dump();
  }
  // A BPE tokenizer.json: a vocabulary, merges "a b" and added tokens with their flags.
  void write_bpe(const std::map<std::string, int>& vocabulary,
                 const std::vector<nlohmann::json>& added = {},
                 const std::vector<nlohmann::json>& merges = {}) const {
    write("tokenizer.json",
          {{"version", "1.0"},
           {"added_tokens", added},
           {"normalizer", nullptr},
           {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", merges}}}});
  }

 private:
  test::ScratchFolder folder_;
};

inline nlohmann::json added_token(const std::string& content, bool special = true, int id = 0) {
  return {{"id", id},        {"content", content},     {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", !special}, {"special", special}};
}

}  // namespace crucible::tokenizer
