#include "evaluator/engine/vocabulary_probe.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <memory>
#include <utility>

#include "evaluator/engine/llama_loading.hpp"
#include "llama.h"
#include "merger/base/io.hpp"
#include "nlohmann/json.hpp"

namespace crucible::engine {
namespace {

using Ids = std::vector<TokenId>;

constexpr std::uint64_t kVocabularyProbes = 2048;

constexpr std::string_view kTexts[] = {
    "Hello world",
    "The quick brown fox jumps over the lazy dog.",
    "1 12 123 1234 12345 123456 1234567 12345678 a1b22c333 3.14159 1,000,000 007",
    "x=1234567890123; year 1999/2024 v1.2.3-rc4 ٣٤٥ १२३४ ½²³ Ⅷ",
    "I'm you're he'll we've they'd it's don't o'clock",
    "I'M YOU'RE HE'LL WE'VE THEY'D IT'S DON'T O'Clock 'Tis 'twas",
    "can’t won’t ‘quoted’ “double”",
    " leading",
    "  two leading",
    "trailing ",
    "trailing  ",
    "a  b   c    d     e         f",
    "tab\tand\t\ttabs\t\t\tx",
    "line\nline\n\nline\n\n\nend\n",
    "\r\nwindows\r\n\r\nlines\r\n",
    "\n",
    "\n\n",
    "\n\n\n",
    " \n",
    "\n ",
    " \n \n  \n",
    "\t",
    "\t\n",
    " ",
    "  ",
    "   ",
    "                ",
    "a \n b",
    "a\n  b\n    c",
    "\u00a0no\u00a0break \u3000wide \u2003em",
    "...!!!??? --- *** ### @@@ $$$ %% ^^ && ((())) [[]] {{}} <<>> ||\\\\//",
    "Wait...what?! (yes) [no] {maybe} <tag/> \"q\"'q' ~`",
    ".hello ,world ;x :y !z ?w /path/to/file.txt C:\\dir\\file user@example.com #tag $5.00 50%",
    "!\n!!\n\n ?\n//\n#\n",
    "word/\n word.\n word-\n\n$\n",
    "def f(x, y=3):\n    \"\"\"Doc.\"\"\"\n    return {'a': x**2, \"b\": [y]}  # done\n\n\nf(1)",
    "for (int i = 0; i < 10; ++i) { a[i] += b->c; }\t// x\n#include <map>\r\n",
    "<div class=\"a\">&nbsp;</div>\n<!-- c -->",
    "camelCase snake_case SCREAMING_CASE PascalCase2Go",
    "HTTPServer XMLHttpRequest iPhone McDonald USA's ABCdef abcDEF aB Ab",
    "É état ÉCOLE naïve Ünïcödé straße Œuvre İstanbul ñandú ÀÉÎ",
    "Привет, как дела? ПРИВЕТ мир",
    "Γειά σου Κόσμε",
    "שלום עולם",
    "مرحبا بالعالم",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "你好，世界！今天天气很好。",
    "こんにちは世界カタカナ。",
    "안녕하세요 세계",
    "数学 math 数学123号",
    "Việt Nam đẹp",
    "ไทย123 русский456 中文789",
    "😀 😃😄 👍🏽 👨‍👩‍👧‍👦 🇩🇪 ❤️ ✈",
    "∑∫√∞≠≤ €£¥ ©®™ → ← ⇒ • … — –",
    "a😀b 1😀2 .😀",
    "\u200bzero\u200bwidth",
    "'s's 'S x's's ''ll '' 's",
    "a's\nb'S\nc",
    "_underscore_ __init__ a_1_b",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "=================",
    "----------------\n----",
    "\x01\x02\x7f",
    "",
    "A",
    "0",
    "-1",
    "+1-2*3/4=5",
    "x.y.z a.b 1.a a.1",
    "Question: 2 + 3 = 5\nAnswer:",
};

// Byte-level pre-tokenizers that llama.cpp knows, the common ones first. Those for text that is
// not byte-encoded are left out.
constexpr std::string_view kByteLevel[] = {
    "gpt-2",       "llama-bpe",  "qwen2",        "smollm",
    "gpt-4o",      "tekken",     "deepseek-llm", "deepseek-coder",
    "deepseek-v3", "falcon",     "starcoder",    "refact",
    "command-r",   "mpt",        "olmo",         "stablelm2",
    "dbrx",        "smaug-bpe",  "qwen35",       "chatglm-bpe",
    "glm4",        "bloom",      "gpt3-finnish", "poro-chat",
    "viking",      "jais",       "jais-2",       "codeshell",
    "exaone",      "exaone4",    "exaone-moe",   "minerva-7b",
    "megrez",      "superbpe",   "trillion",     "granite-docling",
    "bailingmoe",  "seed-coder", "hunyuan",      "hunyuan-dense",
    "minimax-m2",  "mellum2",    "afmoe",        "solar-open",
    "grok-2",      "laguna",     "ufakzeka",     "joyai-llm",
    "youtu",       "minicpm5",   "tiny_aya",     "chameleon",
    "default",
};

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

struct Probe {
  std::string text;
  Ids expected;
};

llama_model_params vocabulary_only() {
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  params.load_mode = LLAMA_LOAD_MODE_NONE;  // a file without tensors has nothing to map
  params.n_gpu_layers = 0;
  return params;
}

Result<ModelHandle> load_in_memory(const GgufVocabulary& vocabulary,
                                   std::string_view architecture) {
  GgufHeader header;
  header.set("general.architecture", architecture);
  set_vocabulary(header, vocabulary);
  const std::string text = header.serialize();
  const int fd = memfd_create("crucible-vocabulary", MFD_CLOEXEC);
  const std::unique_ptr<std::FILE, CloseFile> file(fd < 0 ? nullptr : fdopen(fd, "r+b"));
  if (!file || std::fwrite(text.data(), 1, text.size(), file.get()) != text.size()) {
    return fail(from_errno(errno, "keeping the vocabulary in memory"));
  }
  std::rewind(file.get());
  forget_complaint();
  ModelHandle model(llama_model_load_from_file_ptr(file.get(), vocabulary_only()));
  if (!model) {
    return fail(ErrorCode::kUnsupported, with_complaint("llama.cpp refuses the vocabulary"));
  }
  return model;
}

Result<ModelHandle> load_from(const std::filesystem::path& gguf) {
  start_llama();
  forget_complaint();
  ModelHandle model(llama_model_load_from_file(gguf.c_str(), vocabulary_only()));
  if (!model) {
    return fail(ErrorCode::kCorrupt, with_complaint("llama.cpp refuses " + gguf.string()));
  }
  return model;
}

// llama.cpp throws where a rule's regular expression or a byte's token fails it.
Result<Ids> encode(const llama_model* model, const std::string& text, bool add_special) {
  const llama_vocab* vocabulary = llama_model_get_vocab(model);
  Ids ids(text.size() + 8);
  const auto length = static_cast<std::int32_t>(text.size());
  try {
    const std::int32_t count =
        llama_tokenize(vocabulary, text.data(), length, ids.data(),
                       static_cast<std::int32_t>(ids.size()), add_special, true);
    if (count < 0) return fail(ErrorCode::kInternal, "llama.cpp gives more tokens than bytes");
    ids.resize(static_cast<std::size_t>(count));
  } catch (const std::exception& error) {
    return fail(ErrorCode::kUnsupported, std::string("llama.cpp cannot encode: ") + error.what());
  }
  return ids;
}

// Some ids from where two encodings of a text part.
std::string shown(const Ids& ids, const Ids& other) {
  constexpr std::size_t kBefore = 2;
  constexpr std::size_t kShown = 8;
  std::size_t from = 0;
  while (from < ids.size() && from < other.size() && ids[from] == other[from]) ++from;
  from -= std::min(from, kBefore);
  const std::size_t to = std::min(ids.size(), from + kShown);
  std::string text = from > 0 ? "[…" : "[";
  for (std::size_t i = from; i < to; ++i) {
    text += (i == 0 ? "" : " ") + std::to_string(ids[i]);
  }
  return text + (to < ids.size() ? " …]" : "]");
}

// The number of probes that agree before the first that does not, which `difference` tells.
std::size_t agreeing(const llama_model* model, const std::vector<Probe>& probes,
                     std::string& difference) {
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const auto ids = encode(model, probes[i].text, false);
    if (ids && *ids == probes[i].expected) continue;
    const std::string text = nlohmann::json(probes[i].text)
                                 .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    const Ids& expected = probes[i].expected;
    difference = text + " is " + shown(expected, ids ? *ids : Ids()) + " by tokenizer.json, but " +
                 (ids ? shown(*ids, expected) + " by llama.cpp" : ids.error().message);
    return i;
  }
  return probes.size();
}

Status add_probe(std::vector<Probe>& probes, const tokenizer::Tokenizer& tokenizer,
                 std::string text) {
  auto ids = tokenizer.encode(text, false);
  if (!ids) return fail(std::move(ids.error()));
  probes.push_back({std::move(text), std::move(*ids)});
  return {};
}

// Found in text before anything else.
bool is_added(std::int32_t type) {
  return type == static_cast<std::int32_t>(GgufTokenType::kControl) ||
         type == static_cast<std::int32_t>(GgufTokenType::kUserDefined) ||
         type == static_cast<std::int32_t>(GgufTokenType::kUnknown);
}

// The fixed texts, then tokens spread over the vocabulary: they show merges that are not taken.
Result<std::vector<Probe>> required_probes(const tokenizer::Tokenizer& tokenizer,
                                           const std::vector<std::int32_t>& types) {
  std::vector<Probe> probes;
  for (const std::string_view text : kTexts) {
    if (auto added = add_probe(probes, tokenizer, std::string(text)); !added) {
      return fail(added.error());
    }
  }
  const std::size_t step = std::max<std::size_t>(1, types.size() / kVocabularyProbes);
  for (std::size_t id = 0; id < types.size(); id += step) {
    if (types[id] != static_cast<std::int32_t>(GgufTokenType::kNormal)) continue;
    const Ids one = {static_cast<TokenId>(id)};
    auto text = tokenizer.decode(one, false);
    if (!text || text->empty() || text->find("\xEF\xBF\xBD") != std::string::npos) continue;
    if (auto added = add_probe(probes, tokenizer, std::move(*text)); !added) {
      return fail(added.error());
    }
  }
  return probes;
}

// Texts that llama.cpp may treat otherwise without harm to plain text.
Result<std::vector<Probe>> optional_probes(const tokenizer::Tokenizer& tokenizer,
                                           const GgufVocabulary& vocabulary) {
  std::vector<Probe> probes;
  std::vector<std::string> texts = {"e\u0301tat \u1112\u1161\u11ab", "ﬁne ①"};
  for (std::size_t id = 0; id < vocabulary.types.size() && texts.size() < 34; ++id) {
    if (!is_added(vocabulary.types[id])) continue;
    texts.push_back("text " + vocabulary.tokens[id] + " text" + vocabulary.tokens[id] + "\ntext");
  }
  for (std::string& text : texts) {
    if (auto added = add_probe(probes, tokenizer, std::move(text)); !added) {
      return fail(added.error());
    }
  }
  return probes;
}

void warn_of_differences(const llama_model* model, const std::vector<Probe>& probes,
                         std::vector<std::string>& warnings) {
  std::size_t differing = 0;
  std::string first;
  for (const Probe& probe : probes) {
    std::string difference;
    if (agreeing(model, {probe}, difference) == 1) continue;
    if (differing++ == 0) first = std::move(difference);
  }
  if (differing == 0) return;
  warnings.push_back("llama.cpp encodes " + std::to_string(differing) + " of " +
                     std::to_string(probes.size()) +
                     " texts with added tokens or unnormalised characters otherwise: " + first);
}

// A value for each of what read_vocabulary leaves open.
struct Choice {
  std::string_view pre;
  std::optional<bool> add_space_prefix;
};

std::vector<Choice> choices_for(std::string_view model) {
  if (model == "llama") return {{"default", true}, {"default", false}};
  std::vector<Choice> choices;
  for (const std::string_view pre : kByteLevel) choices.push_back({pre, std::nullopt});
  return choices;
}

}  // namespace

std::span<const std::string_view> probe_texts() { return kTexts; }

Status fit_vocabulary(GgufVocabulary& vocabulary, std::string_view architecture,
                      const tokenizer::Tokenizer& tokenizer) {
  start_llama();
  const auto required = required_probes(tokenizer, vocabulary.types);
  if (!required) return fail(required.error());
  const auto optional = optional_probes(tokenizer, vocabulary);
  if (!optional) return fail(optional.error());
  const std::vector<Choice> choices = choices_for(vocabulary.model);
  std::size_t furthest = 0;
  std::string reason;
  for (const Choice& choice : choices) {
    vocabulary.pre = choice.pre;
    vocabulary.add_space_prefix = choice.add_space_prefix;
    const auto model = load_in_memory(vocabulary, architecture);
    if (!model) {
      if (reason.empty()) reason = model.error().message;
      continue;
    }
    std::string difference;
    const std::size_t agreed = agreeing(model->get(), *required, difference);
    if (agreed == required->size()) {
      warn_of_differences(model->get(), *optional, vocabulary.warnings);
      return {};
    }
    if (furthest > 0 && agreed <= furthest) continue;
    furthest = agreed;
    reason = "with pre-tokenizer " + std::string(choice.pre) + " the text " + difference;
  }
  return fail(ErrorCode::kUnsupported,
              "llama.cpp has no pre-tokenizer that splits text as tokenizer.json says (" +
                  std::to_string(choices.size()) + " tried); " + reason);
}

Status verify_vocabulary(const std::filesystem::path& gguf, const tokenizer::Tokenizer& tokenizer,
                         const GgufVocabulary& vocabulary) {
  const auto required = required_probes(tokenizer, vocabulary.types);
  if (!required) return fail(required.error());
  const auto model = load_from(gguf);
  if (!model) return fail(model.error());
  std::string difference;
  if (agreeing(model->get(), *required, difference) == required->size()) return {};
  return fail(ErrorCode::kInternal, "the written vocabulary differs: the text " + difference);
}

Result<std::vector<std::vector<TokenId>>> encode_by_gguf(const std::filesystem::path& gguf,
                                                         std::span<const std::string> texts,
                                                         bool add_special) {
  const auto model = load_from(gguf);
  if (!model) return fail(model.error());
  std::vector<Ids> all;
  for (const std::string& text : texts) {
    auto ids = encode(model->get(), text, add_special);
    if (!ids) return fail(std::move(ids.error()));
    all.push_back(std::move(*ids));
  }
  return all;
}

}  // namespace crucible::engine
