#include <bit>
#include <cstdint>
#include <cstring>

#include "evaluator/run/answers.hpp"

// Little-endian fixed-width numbers, texts with their length before them.
namespace crucible::run {
namespace {

static_assert(std::endian::native == std::endian::little);

class Writer {
 public:
  template <typename Number>
  void number(Number value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void count(std::size_t value) { number(static_cast<std::uint32_t>(value)); }
  void flag(bool value) { number(static_cast<std::uint8_t>(value)); }
  void text(const std::string& value) {
    count(value.size());
    out_ += value;
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// Past the end everything reads as zero and `ok` turns false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <typename Number>
  Number number() {
    Number value{};
    if (rest_.size() < sizeof(value)) {
      ok_ = false;
      return value;
    }
    std::memcpy(&value, rest_.data(), sizeof(value));
    rest_.remove_prefix(sizeof(value));
    return value;
  }
  bool flag() { return number<std::uint8_t>() != 0; }
  std::string text() {
    const auto size = number<std::uint32_t>();
    if (rest_.size() < size) {
      ok_ = false;
      return {};
    }
    std::string value(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return value;
  }
  // A count of things that take at least one byte each.
  std::size_t count() {
    const auto value = number<std::uint32_t>();
    if (value <= rest_.size()) return value;
    ok_ = false;
    return 0;
  }
  bool at_end() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

void write(Writer& out, const engine::LoglikelihoodResult& result) {
  out.number(result.sum_logprob);
  out.flag(result.is_greedy);
  out.number(result.tokens);
  out.flag(result.truncated);
  out.flag(result.encoded_apart);
}
void read(Reader& in, engine::LoglikelihoodResult& result) {
  result.sum_logprob = in.number<double>();
  result.is_greedy = in.flag();
  result.tokens = in.number<std::uint32_t>();
  result.truncated = in.flag();
  result.encoded_apart = in.flag();
}

void write(Writer& out, const engine::RollingResult& result) {
  out.number(result.sum_logprob);
  out.number(result.tokens);
  out.number(result.windows);
}
void read(Reader& in, engine::RollingResult& result) {
  result.sum_logprob = in.number<double>();
  result.tokens = in.number<std::uint32_t>();
  result.windows = in.number<std::uint32_t>();
}

void write(Writer& out, const engine::GenerationResult& result) {
  out.text(result.text);
  out.number(static_cast<std::uint8_t>(result.stop));
  out.number(result.prompt_tokens);
  out.number(result.new_tokens);
  out.flag(result.truncated);
  out.count(result.tokens.size());
  for (const engine::TokenId token : result.tokens) out.number(token);
}
void read(Reader& in, engine::GenerationResult& result) {
  result.text = in.text();
  result.stop = static_cast<engine::StopReason>(in.number<std::uint8_t>());
  result.prompt_tokens = in.number<std::uint32_t>();
  result.new_tokens = in.number<std::uint32_t>();
  result.truncated = in.flag();
  result.tokens.resize(in.count());
  for (engine::TokenId& token : result.tokens) token = in.number<engine::TokenId>();
}

template <typename Answer>
void write_all(Writer& out, const std::vector<Answer>& answers) {
  out.count(answers.size());
  for (const Answer& answer : answers) write(out, answer);
}
template <typename Answer>
void read_all(Reader& in, std::vector<Answer>& answers) {
  answers.resize(in.count());
  for (Answer& answer : answers) read(in, answer);
}

}  // namespace

std::string encode(const SegmentAnswers& answers) {
  Writer out;
  out.number(answers.account.prompt_tokens_asked);
  out.number(answers.account.prompt_tokens_computed);
  out.number(answers.account.tokens_generated);
  out.count(answers.items.size());
  for (const ItemAnswers& item : answers.items) {
    write_all(out, item.loglikelihoods);
    write_all(out, item.rolling);
    write_all(out, item.generations);
  }
  return out.take();
}

Result<SegmentAnswers> decode(std::string_view bytes, std::size_t items) {
  Reader in(bytes);
  SegmentAnswers answers;
  answers.account.prompt_tokens_asked = in.number<std::uint64_t>();
  answers.account.prompt_tokens_computed = in.number<std::uint64_t>();
  answers.account.tokens_generated = in.number<std::uint64_t>();
  answers.items.resize(in.count());
  for (ItemAnswers& item : answers.items) {
    read_all(in, item.loglikelihoods);
    read_all(in, item.rolling);
    read_all(in, item.generations);
  }
  // Bytes that no answers are written as would be read too: a flag of 2, another stop reason.
  if (in.at_end() && answers.items.size() == items && encode(answers) == bytes) return answers;
  return fail(ErrorCode::kCorrupt, "kept answers are not those of this segment");
}

}  // namespace crucible::run
