#include "merger/tokenizer/chat_template.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "merger/tokenizer/model_tokenizer.hpp"

namespace crucible::tokenizer {
namespace {

// The prompt of Stanford Alpaca; its preamble stands where no system message does.
constexpr std::string_view kAlpaca =
    R"({%- if messages[0]['role'] == 'system' -%}
    {{- messages[0]['content'] + '\n\n' -}}
{%- else -%}
    {{- 'Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n' -}}
{%- endif -%}
{%- for message in messages -%}
    {%- if message['role'] == 'user' -%}
        {{- '### Instruction:\n' + message['content'] + '\n\n' -}}
    {%- elif message['role'] == 'assistant' -%}
        {{- '### Response:\n' + message['content'] + '\n\n' -}}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '### Response:\n' -}}
{%- endif -%}
)";

// ChatML: every message between <|im_start|> and <|im_end|>, the role on the first line.
constexpr std::string_view kChatMl =
    R"({%- for message in messages -%}
    {{- '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|im_start|>assistant\n' -}}
{%- endif -%}
)";

// EXAONE 3: [|role|] in front; all but the user's turns end with [|endofturn|].
constexpr std::string_view kExaone =
    R"({%- if messages[0]['role'] != 'system' -%}
    {{- '[|system|][|endofturn|]\n' -}}
{%- endif -%}
{%- for message in messages -%}
    {{- '[|' + message['role'] + '|]' + message['content'] -}}
    {{- '\n' if message['role'] == 'user' else '[|endofturn|]\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '[|assistant|]' -}}
{%- endif -%}
)";

// Llama 3: the role between header tokens, <|eot_id|> after every message.
constexpr std::string_view kLlama3 =
    R"({{- bos_token -}}
{%- for message in messages -%}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' -}}
    {{- message['content'] | trim + '<|eot_id|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}
{%- endif -%}
)";

// Mistral 7B Instruct: [INST] … [/INST]; a system message goes in front of the first question.
constexpr std::string_view kMistral =
    R"({{- bos_token -}}
{%- set turns = messages -%}
{%- set system = '' -%}
{%- if messages[0]['role'] == 'system' -%}
    {%- set system = messages[0]['content'] + '\n\n' -%}
    {%- set turns = messages[1:] -%}
{%- endif -%}
{%- for message in turns -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{- raise_exception('user and assistant must take turns, the user first') -}}
    {%- endif -%}
    {%- if message['role'] == 'user' -%}
        {{- ' [INST] ' + (system if loop.first else '') + message['content'] + ' [/INST]' -}}
    {%- elif message['role'] == 'assistant' -%}
        {{- ' ' + message['content'] + eos_token -}}
    {%- else -%}
        {{- raise_exception('only user and assistant may follow the system message') -}}
    {%- endif -%}
{%- endfor -%}
)";

constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kBuiltIn{
    {{"alpaca", kAlpaca},
     {"chatml", kChatMl},
     {"exaone", kExaone},
     {"llama3", kLlama3},
     {"mistral", kMistral}}};

std::string trimmed(const std::string& text) {
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

std::optional<std::string_view> built_in_chat_template(std::string_view name) {
  const auto found =
      std::ranges::find(kBuiltIn, name, &std::pair<std::string_view, std::string_view>::first);
  if (found == kBuiltIn.end()) return std::nullopt;
  return found->second;
}

Result<std::string> resolve_chat_template(const std::string& setting,
                                          const std::vector<std::filesystem::path>& folders,
                                          io::Syscalls& calls) {
  if (const auto text = built_in_chat_template(setting)) return std::string(*text);
  if (setting != "auto") return setting;
  std::vector<std::pair<std::string, std::size_t>> counts;  // in order of mention
  for (const auto& folder : folders) {
    const auto text = read_chat_template(folder, calls);
    if (!text) return fail(text.error());
    const std::string bare = trimmed(*text);
    if (bare.empty()) continue;
    const auto known = std::ranges::find(counts, bare, &std::pair<std::string, std::size_t>::first);
    if (known == counts.end()) {
      counts.emplace_back(bare, 1);
    } else {
      ++known->second;
    }
  }
  const auto most =
      std::ranges::max_element(counts, {}, &std::pair<std::string, std::size_t>::second);
  return most == counts.end() ? std::string() : most->first;
}

}  // namespace crucible::tokenizer
