#include "merger/lora/pattern.hpp"

#include <boost/regex.hpp>
#include <stdexcept>

namespace crucible::lora {

struct Pattern::Compiled {
  std::string text;
  boost::regex expression;
};

Result<Pattern> Pattern::compile(std::string_view expression) {
  constexpr std::size_t kLengthLimit = 1024;
  if (expression.size() > kLengthLimit) {
    return fail(ErrorCode::kInvalidArgument, "a regular expression of more than 1024 bytes");
  }
  auto compiled = std::make_shared<Compiled>();
  compiled->text = expression;
  try {
    compiled->expression.assign(compiled->text, boost::regex::perl);
  } catch (const std::runtime_error& error) {
    return fail(ErrorCode::kInvalidArgument,
                "regular expression \"" + compiled->text + "\": " + error.what());
  }
  return Pattern(std::move(compiled));
}

Result<Pattern> Pattern::compile_module_key(std::string_view key) {
  return compile("(?:.*\\.)?(?:" + std::string(key) + ")");
}

namespace {

template <typename Search>
Result<bool> guarded(const std::string& text, const Search& search) {
  try {
    return search();
  } catch (const std::runtime_error& error) {  // too complex
    return fail(ErrorCode::kInvalidArgument,
                "regular expression \"" + text + "\": " + error.what());
  }
}

}  // namespace

Result<bool> Pattern::matches(std::string_view text) const {
  return guarded(compiled_->text, [&] {
    return boost::regex_match(text.begin(), text.end(), compiled_->expression);
  });
}

Result<bool> Pattern::occurs_in(std::string_view text) const {
  return guarded(compiled_->text, [&] {
    return boost::regex_search(text.begin(), text.end(), compiled_->expression);
  });
}

}  // namespace crucible::lora
