#include "evaluator/text/regex.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <cctype>
#include <cstdint>
#include <stdexcept>

namespace crucible::text {
namespace {

constexpr std::uint32_t kMatchLimit = 2'000'000;
constexpr std::uint32_t kHeapLimitKib = 64 * 1024;
constexpr std::size_t kStackStart = 32 * 1024;
constexpr std::size_t kStackLimit = 8 * 1024 * 1024;
constexpr std::size_t kMaxPattern = 64 * 1024;

struct FreeMatchData {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
struct FreeMatchContext {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
struct FreeStack {
  void operator()(pcre2_jit_stack* stack) const { pcre2_jit_stack_free(stack); }
};

// One of each for a thread: what every match call needs.
struct Workspace {
  std::unique_ptr<pcre2_match_context, FreeMatchContext> context{
      pcre2_match_context_create(nullptr)};
  std::unique_ptr<pcre2_jit_stack, FreeStack> stack{
      pcre2_jit_stack_create(kStackStart, kStackLimit, nullptr)};
  Workspace() {
    pcre2_set_match_limit(context.get(), kMatchLimit);
    pcre2_set_heap_limit(context.get(), kHeapLimitKib);
    pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
  }
};
pcre2_match_context* match_context() {
  thread_local const Workspace kWorkspace;
  return kWorkspace.context.get();
}

std::string pcre_message(int code) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

std::uint32_t compile_options(const RegexFlags& flags) {
  std::uint32_t options =
      PCRE2_MATCH_INVALID_UTF | PCRE2_UTF | PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C;
  if (!flags.ascii) options |= PCRE2_UCP;
  if (flags.ignore_case) options |= PCRE2_CASELESS;
  if (flags.multiline) options |= PCRE2_MULTILINE;
  if (flags.dot_all) options |= PCRE2_DOTALL;
  if (flags.verbose) options |= PCRE2_EXTENDED;
  return options;
}

}  // namespace

struct Regex::Code {
  pcre2_code* code = nullptr;
  ~Code() { pcre2_code_free(code); }
};

Result<Regex> Regex::compile(std::string_view pattern, RegexFlags flags) {
  if (pattern.size() > kMaxPattern) {
    return fail(ErrorCode::kInvalidArgument, "regular expression: longer than 64 KiB");
  }
  Result<std::string> translated = pcre_from_python(pattern, flags);
  if (!translated) return fail(std::move(translated.error()));
  return build(*translated, flags);
}

Result<Regex> Regex::build(std::string_view pcre, const RegexFlags& flags) {
  std::unique_ptr<pcre2_compile_context, void (*)(pcre2_compile_context*)> context(
      pcre2_compile_context_create(nullptr), pcre2_compile_context_free);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int code = 0;
  PCRE2_SIZE offset = 0;
  auto compiled = std::make_shared<Code>();
  compiled->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pcre.data()), pcre.size(),
                                 compile_options(flags), &code, &offset, context.get());
  if (compiled->code == nullptr) {
    return fail(ErrorCode::kInvalidArgument, "regular expression: " + pcre_message(code) +
                                                 " at position " + std::to_string(offset) +
                                                 " of '" + std::string(pcre) + "'");
  }
  // Machine code where this build of PCRE2 has it; without, the interpreter runs.
  pcre2_jit_compile(compiled->code, PCRE2_JIT_COMPLETE);
  Regex regex;
  std::uint32_t groups = 0;
  pcre2_pattern_info(compiled->code, PCRE2_INFO_CAPTURECOUNT, &groups);
  regex.groups_ = groups;
  regex.code_ = std::move(compiled);
  return regex;
}

Regex Regex::fixed(std::string_view pattern, RegexFlags flags) {
  Result<Regex> regex = compile(pattern, flags);
  if (!regex) throw std::logic_error(regex.error().message);
  return std::move(*regex);
}

Regex Regex::fixed_pcre(std::string_view pattern) {
  Result<Regex> regex = build(pattern, {});
  if (!regex) throw std::logic_error(regex.error().message);
  return std::move(*regex);
}

Result<std::optional<Match>> Regex::run(std::string_view subject, std::size_t from, Anchor anchor,
                                        bool not_empty_at_start) const {
  const std::unique_ptr<pcre2_match_data, FreeMatchData> data(
      pcre2_match_data_create_from_pattern(code_->code, nullptr));
  std::uint32_t options = 0;
  if (anchor != Anchor::kNone) options |= PCRE2_ANCHORED;
  if (anchor == Anchor::kBoth) options |= PCRE2_ENDANCHORED;
  if (not_empty_at_start) options |= PCRE2_NOTEMPTY_ATSTART;
  const char* start = subject.empty() ? "" : subject.data();
  const int code = pcre2_match(code_->code, reinterpret_cast<PCRE2_SPTR>(start), subject.size(),
                               from, options, data.get(), match_context());
  if (code == PCRE2_ERROR_NOMATCH) return std::optional<Match>{};
  if (code < 0) {
    return fail(ErrorCode::kUnsupported,
                "regular expression: " + pcre_message(code) + " (it takes too many steps)");
  }
  const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(data.get());
  Match match;
  match.spans_.assign(groups_ + 1, {Match::kUnset, Match::kUnset});
  for (std::size_t i = 0; i < static_cast<std::size_t>(code); ++i) {
    if (offsets[2 * i] != PCRE2_UNSET) match.spans_[i] = {offsets[2 * i], offsets[2 * i + 1]};
  }
  return std::optional<Match>(std::move(match));
}

Result<std::optional<Match>> Regex::search(std::string_view subject, std::size_t from) const {
  return run(subject, from, Anchor::kNone, false);
}
Result<std::optional<Match>> Regex::match(std::string_view subject, std::size_t from) const {
  return run(subject, from, Anchor::kStart, false);
}
Result<std::optional<Match>> Regex::fullmatch(std::string_view subject) const {
  return run(subject, 0, Anchor::kBoth, false);
}

Result<std::vector<Match>> Regex::find_all(std::string_view subject) const {
  std::vector<Match> matches;
  std::size_t from = 0;
  bool not_empty = false;  // an empty match was found where the search goes on
  while (from <= subject.size()) {
    auto found = run(subject, from, Anchor::kNone, not_empty);
    if (!found) return fail(std::move(found.error()));
    if (!*found) break;
    Match& match = **found;
    if (match.end() < match.begin()) break;  // \K inside a look-around; Python has none
    not_empty = match.begin() == match.end();
    from = match.end();
    matches.push_back(std::move(match));
  }
  return matches;
}

Result<std::vector<std::string>> Regex::split(std::string_view subject) const {
  const auto matches = find_all(subject);
  if (!matches) return fail(matches.error());
  std::vector<std::string> pieces;
  std::size_t from = 0;
  for (const Match& match : *matches) {
    pieces.emplace_back(subject.substr(from, match.begin() - from));
    for (std::size_t i = 1; i <= groups_; ++i) pieces.emplace_back(match.group(subject, i));
    from = match.end();
  }
  pieces.emplace_back(subject.substr(from));
  return pieces;
}

Result<std::string> Regex::sub(std::string_view replacement, std::string_view subject) const {
  const auto matches = find_all(subject);
  if (!matches) return fail(matches.error());
  std::string out;
  std::size_t from = 0;
  for (const Match& match : *matches) {
    out += subject.substr(from, match.begin() - from);
    const auto text = expand(replacement, subject, match);
    if (!text) return fail(text.error());
    out += *text;
    from = match.end();
  }
  out += subject.substr(from);
  return out;
}

std::optional<std::size_t> Regex::group_number(const std::string& name) const {
  if (!name.empty() && name.find_first_not_of("0123456789") == std::string::npos) {
    if (name.size() > 3) return std::nullopt;
    const std::size_t number = std::stoul(name);
    return number <= groups_ ? std::optional(number) : std::nullopt;
  }
  const int number =
      pcre2_substring_number_from_name(code_->code, reinterpret_cast<PCRE2_SPTR>(name.c_str()));
  return number > 0 ? std::optional<std::size_t>(static_cast<std::size_t>(number)) : std::nullopt;
}

Result<std::string> Regex::expand(std::string_view replacement, std::string_view subject,
                                  const Match& match) const {
  constexpr std::string_view kEscapes = "abfnrtv";
  constexpr std::string_view kValues = "\a\b\f\n\r\t\v";
  std::string out;
  for (std::size_t i = 0; i < replacement.size(); ++i) {
    if (replacement[i] != '\\' || i + 1 == replacement.size()) {
      out += replacement[i];
      continue;
    }
    const char c = replacement[++i];
    std::optional<std::string> name;
    if (c == 'g' && i + 1 < replacement.size() && replacement[i + 1] == '<') {
      const std::size_t end = replacement.find('>', i);
      if (end == std::string_view::npos) {
        return fail(ErrorCode::kInvalidArgument, "replacement: missing '>' after \\g<");
      }
      name = std::string(replacement.substr(i + 2, end - i - 2));
      i = end;
    } else if (c >= '1' && c <= '9') {
      name = std::string(1, c);
      if (i + 1 < replacement.size() &&
          std::isdigit(static_cast<unsigned char>(replacement[i + 1])))
        *name += replacement[++i];
    }
    if (name) {
      const auto group = group_number(*name);
      if (!group) {
        return fail(ErrorCode::kInvalidArgument, "replacement: invalid group reference " + *name);
      }
      out += match.group(subject, *group);
    } else if (const std::size_t escape = kEscapes.find(c); escape != std::string_view::npos) {
      out += kValues[escape];
    } else {
      if (c != '\\') out += '\\';
      out += c;
    }
  }
  return out;
}

}  // namespace crucible::text
