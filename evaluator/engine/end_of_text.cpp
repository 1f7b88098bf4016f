#include "evaluator/engine/end_of_text.hpp"

#include <limits>

#include "merger/checkpoint/json_file.hpp"

namespace crucible::engine {
namespace {

void add_id(const nlohmann::json& value, std::vector<TokenId>& ids) {
  if (!value.is_number_unsigned()) return;
  const auto id = value.get<std::uint64_t>();
  if (id <= std::numeric_limits<TokenId>::max()) ids.push_back(static_cast<TokenId>(id));
}

void add_ids(const nlohmann::json& config, std::vector<TokenId>& ids) {
  const auto found = config.find("eos_token_id");
  if (found == config.end()) return;
  if (found->is_array()) {
    for (const nlohmann::json& value : *found) add_id(value, ids);
  } else {
    add_id(*found, ids);
  }
}

}  // namespace

std::vector<TokenId> end_of_text_ids(const checkpoint::Documents& documents,
                                     const nlohmann::json& config,
                                     const tokenizer::TextCodec& codec) {
  constexpr std::string_view kName = "generation_config.json";
  std::vector<TokenId> ids = codec.ends();
  const auto text = documents.read(kName, checkpoint::kConfigLimitBytes);
  const auto generation =
      text ? checkpoint::parse_json_object(*text, documents.place(kName)) : fail(text.error());
  add_ids(generation ? *generation : config, ids);
  return ids;
}

}  // namespace crucible::engine
