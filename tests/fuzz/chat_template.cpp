#include "evaluator/chat/chat_template.hpp"

#include "tests/fuzz/input.hpp"
#include "tests/fuzz/scratch_file.hpp"

namespace {

using namespace crucible;
using templating::Json;

constexpr templating::Budget kBudget{200'000, 1U << 20, 16U << 20};

void render_task(std::string_view source) {
  static const Json kDocument = {{"question", "What is 1 + 1?"},
                                 {"choices", {"1", "2", "3"}},
                                 {"answer", 1},
                                 {"nested", {{"a", 1.5}, {"b", nullptr}, {"c", true}}}};
  const auto compiled = templating::Template::compile(source, templating::Dialect::kTask);
  if (!fuzz::accepted(compiled)) return;
  const auto text = compiled->render(kDocument, kBudget);
  if (fuzz::accepted(text)) fuzz::require(text->size() <= kBudget.output_bytes);
}

void render_chat(const Result<chat::ChatTemplate>& compiled) {
  if (!fuzz::accepted(compiled)) return;
  const std::vector<chat::ChatMessage> messages = {{"system", "Be brief."},
                                                   {"user", "Hello"},
                                                   {"assistant", "Hi"},
                                                   {"user", "\n<|end|>{{ 1 }}"}};
  (void)fuzz::accepted(compiled->apply(messages, true));
  (void)fuzz::accepted(compiled->apply(std::span(messages).first(3), false, true));
}

// A literal prints as Python prints it, which reads back as the same value.
void read_literal(std::string_view text) {
  const auto value = templating::parse_python_literal(text);
  if (!fuzz::accepted(value)) return;
  (void)templating::python_str(*value);
  const std::string printed = templating::python_repr(*value);
  const auto again = templating::parse_python_literal(printed);
  if (again) fuzz::require(templating::python_repr(*again) == printed);
}

void load_folder(std::string_view config, std::string_view special) {
  static const fuzz::ScratchFolder folder;
  fuzz::put(folder.path() / "tokenizer_config.json", fuzz::bytes_of(config));
  fuzz::put(folder.path() / "special_tokens_map.json", fuzz::bytes_of(special));
  render_chat(chat::ChatTemplate::load_folder(folder.path()));
}

}  // namespace

// Templates of strangers, in both dialects and from a model's files, and Python literals.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  switch (input.choice(4)) {
    case 0:
      render_task(input.rest());
      break;
    case 1:
      render_chat(chat::ChatTemplate::compile(std::string(input.rest()),
                                              {{"bos_token", "<s>"}, {"eos_token", "</s>"}}));
      break;
    case 2:
      read_literal(input.rest());
      break;
    default: {
      const std::string_view config = input.text();
      load_folder(config, input.rest());
    }
  }
  return 0;
}
