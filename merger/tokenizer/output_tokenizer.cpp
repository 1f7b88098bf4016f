#include "merger/tokenizer/output_tokenizer.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "merger/recipe/text.hpp"
#include "merger/recipe/yaml_tree.hpp"

namespace crucible::tokenizer {
namespace {

using recipe::TokenizerChoice;
using recipe::TokenizerSetting;
using recipe::TokenSource;

class Builder {
 public:
  Builder(const TokenizerSetting& setting, const std::vector<InputTokenizer>& inputs,
          std::size_t base, io::Syscalls& calls)
      : setting_(setting), inputs_(inputs), base_(base), calls_(calls) {}

  Result<OutputTokenizer> build(const std::filesystem::path& source) {
    if (!open_inputs()) return fail(std::move(error_));
    auto chosen = choose(source);
    if (!chosen) return fail(std::move(error_));
    OutputTokenizer out{std::move(*chosen), 0, 0, {}, {}, {}, {}};
    for (const recipe::TokenSetting& token : setting_.tokens) {
      if (!out.tokenizer.find(token.text)) out.tokenizer.add(AddedToken{token.text});
    }
    // The output grew out of the base's own tokenizer, which therefore has the new tokens too.
    if (setting_.choice == TokenizerChoice::kBase) opened_[base_] = out.tokenizer;
    count_rows(out);
    map_rows(out);
    add_rules(out);
    if (!error_.faults.empty()) return fail(std::move(error_));
    out.warnings = std::move(warnings_);
    return out;
  }

 private:
  void fault(std::string path, std::string message, std::string suggestion,
             ErrorCode code = ErrorCode::kInvalidArgument) {
    error_.code = error_.faults.empty() || error_.code == code ? code : ErrorCode::kInvalidArgument;
    error_.message = "the recipe does not fit its models";
    error_.faults.push_back({std::move(path), std::move(message), std::move(suggestion)});
  }

  void fault(std::string path, Error error) {
    const auto code = error.code == ErrorCode::kUnsupported ? ErrorCode::kUnsupported
                                                            : ErrorCode::kInvalidArgument;
    fault(std::move(path), std::move(error.message), "", code);
  }

  bool open_inputs() {
    opened_.resize(inputs_.size());
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      auto tokenizer = ModelTokenizer::open(inputs_[i].folder, calls_);
      if (tokenizer) {
        opened_[i] = std::move(*tokenizer);
      } else if (tokenizer.error().code == ErrorCode::kNotFound && i != base_) {
        warnings_.push_back({inputs_[i].path,
                             inputs_[i].model.text() + " has no tokenizer; it is taken to have " +
                                 inputs_[base_].model.text() + "'s",
                             ""});
      } else {
        fault(inputs_[i].path, std::move(tokenizer.error()));
      }
    }
    if (!error_.faults.empty()) return false;
    const InputTokenizer& base = inputs_[base_];
    if (base.rows == 0) return true;
    auto status = opened_[base_]->strip(base.rows);
    if (!status) fault(base.path, std::move(status.error()));
    return status.has_value();
  }

  std::optional<ModelTokenizer> choose(const std::filesystem::path& source) {
    if (setting_.choice == TokenizerChoice::kBase) return opened_[base_];
    if (setting_.choice == TokenizerChoice::kUnion) return make_union();
    auto tokenizer = ModelTokenizer::open(source, calls_);
    if (tokenizer) return std::move(*tokenizer);
    fault("tokenizer_source", std::move(tokenizer.error()));
    return std::nullopt;
  }

  // The base's tokenizer, and what the others have beside it: ordinary tokens first, then those
  // that some model has as added ones, with the settings seen first.
  std::optional<ModelTokenizer> make_union() {
    ModelTokenizer merged = *opened_[base_];
    std::vector<std::string> ordinary;
    std::vector<AddedToken> added;
    std::set<std::string> added_texts;
    for (const std::size_t i : base_first()) {
      if (!opened_[i]) continue;
      const std::uint64_t rows = rows_of(i);
      for (auto& [id, text] : opened_[i]->tokens()) {
        if (id < rows && !opened_[base_]->find(text)) ordinary.push_back(std::move(text));
      }
      for (const auto& [id, token] : opened_[i]->added()) {
        if (id < rows && added_texts.insert(token.content).second) added.push_back(token);
      }
    }
    if (merged.stripped()) merged.add_special_tokens();
    for (const std::string& text : ordinary) {
      if (!added_texts.contains(text) && !merged.find(text)) merged.add(AddedToken{text});
    }
    for (const AddedToken& token : added) merged.add(token);
    return merged;
  }

  std::vector<std::size_t> base_first() const {
    std::vector<std::size_t> order{base_};
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      if (i != base_) order.push_back(i);
    }
    return order;
  }

  const ModelTokenizer& tokenizer_of(std::size_t input) const {
    return opened_[input] ? *opened_[input] : *opened_[base_];
  }
  std::uint64_t rows_of(std::size_t input) const {
    return inputs_[input].rows != 0 ? inputs_[input].rows : tokenizer_of(input).size();
  }

  void count_rows(OutputTokenizer& out) {
    const auto tokens = out.tokenizer.tokens();
    out.tokens = tokens.size();
    out.rows = std::max<std::uint64_t>(out.tokens, tokens.empty() ? 0 : tokens.back().first + 1ULL);
    if (const std::uint64_t multiple = setting_.pad_to_multiple_of; multiple > 1)
      out.rows = (out.rows + multiple - 1) / multiple * multiple;
    out.is_token.resize(out.rows);
    for (const auto& [id, text] : tokens) out.is_token[id] = true;
    if (tokens.empty()) fault("tokenizer_source", "the tokenizer has no tokens", "");
  }

  void map_rows(OutputTokenizer& out) {
    const auto tokens = out.tokenizer.tokens();
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      auto map = std::make_shared<RowMap>(out.rows, -1);
      const std::uint64_t rows = rows_of(i);
      for (const auto& [id, text] : tokens) {
        const auto own = tokenizer_of(i).find(text);
        if (own && *own < rows) (*map)[id] = *own;
      }
      out.row_maps.push_back(std::move(map));
    }
  }

  std::optional<std::size_t> input_number(const recipe::ModelReference& model,
                                          const std::string& path) {
    const auto found = std::ranges::find(inputs_, model, &InputTokenizer::model);
    if (found != inputs_.end()) return static_cast<std::size_t>(found - inputs_.begin());
    fault(path, "`" + recipe::printable(model.text()) + "` is not among the merged models",
          "name one of the recipe's models");
    return std::nullopt;
  }

  void add_rules(OutputTokenizer& out) {
    for (const recipe::TokenSetting& token : setting_.tokens) {
      const std::string path = recipe::child_path("tokenizer.tokens", token.text);
      const auto id = out.tokenizer.find(token.text);
      if (!id) continue;
      TokenRule rule{TokenRule::Kind::kUnset, 0, -1, token.force, path};
      switch (token.source.kind) {
        case TokenSource::Kind::kUnset:
          break;
        case TokenSource::Kind::kZero:
          rule.kind = TokenRule::Kind::kZero;
          break;
        case TokenSource::Kind::kModel:
        case TokenSource::Kind::kModelToken:
          if (!find_row(token.source, *id, out, rule)) continue;
          break;
      }
      out.rules.emplace(*id, std::move(rule));
    }
  }

  bool find_row(const TokenSource& source, std::uint32_t id, const OutputTokenizer& out,
                TokenRule& rule) {
    const std::string path = rule.path + ".source";
    const auto input = input_number(source.model, path);
    if (!input) return false;
    rule.kind = TokenRule::Kind::kRow;
    rule.model = *input;
    if (source.kind == TokenSource::Kind::kModel) {
      rule.row = (*out.row_maps[*input])[id];
    } else if (source.token_id) {
      rule.row = static_cast<std::int64_t>(*source.token_id);
    } else if (const auto own = tokenizer_of(*input).find(source.token)) {
      rule.row = *own;
    }
    if (rule.row >= 0) return true;
    fault(path, source.model.text() + " does not have the token", "name a model that has it");
    return false;
  }

  const TokenizerSetting& setting_;
  const std::vector<InputTokenizer>& inputs_;
  std::size_t base_;
  io::Syscalls& calls_;
  std::vector<std::optional<ModelTokenizer>> opened_;
  std::vector<Fault> warnings_;
  Error error_{ErrorCode::kInvalidArgument, {}, {}};
};

}  // namespace

Result<OutputTokenizer> build_output_tokenizer(const TokenizerSetting& setting,
                                               const std::vector<InputTokenizer>& inputs,
                                               std::size_t base,
                                               const std::filesystem::path& source,
                                               io::Syscalls& calls) {
  return Builder(setting, inputs, base, calls).build(source);
}

}  // namespace crucible::tokenizer
