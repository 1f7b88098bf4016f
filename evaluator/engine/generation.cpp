#include "evaluator/engine/generation.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "evaluator/engine/log_softmax.hpp"
#include "evaluator/engine/slot_memory.hpp"

namespace crucible::engine {
namespace {

constexpr std::size_t kMostSlots = 32;
constexpr std::size_t kMemoryBytes = 512U << 20;
constexpr std::size_t kStepTokens = 256;
// Bytes of weights a processor reads while it does one multiply-add of an attention product: what
// two cores of a server measured.
constexpr double kReadCost = 6.5 / 4;

std::size_t common_prefix(std::span<const TokenId> a, std::span<const TokenId> b) {
  const auto [end, unused] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<std::size_t>(end - a.begin());
}

std::size_t whole_length(const Prompt& prompt) {
  return prompt.tokens.size() + prompt.settings.max_new_tokens;
}

class Generator {
 public:
  Generator(Decoder& decoder, std::span<const Prompt> prompts, std::span<const TokenId> end_tokens,
            const GenerationPlan& plan, GenerationCounts& counts, const std::function<void()>& done)
      : decoder_(decoder),
        prompts_(prompts),
        end_tokens_(end_tokens),
        plan_(plan),
        counts_(counts),
        done_(done),
        memory_(decoder, plan.slots),
        slots_(plan.slots),
        results_(prompts.size()) {}

  Result<std::vector<GenerationResult>> run() {
    while (true) {
      while (admit_next()) {
      }
      if (!plan_step()) break;
      if (auto decoded = decoder_.decode(step_); !decoded) return fail(std::move(decoded.error()));
      if (auto read = read_step(); !read) return fail(std::move(read.error()));
    }
    if (next_ < prompts_.size()) {
      return fail(ErrorCode::kInternal, "a prompt does not fit the memory planned for it");
    }
    return std::move(results_);
  }

 private:
  // A slot that has ended keeps its tokens for others to begin with until its place is needed.
  struct Slot {
    std::vector<TokenId> tokens;  // prompt and answer
    std::size_t prompt = 0;       // number of the request
    bool is_active = false;
    std::uint64_t since = 0;  // admission number; orders prefills and evictions

    std::size_t remaining_cells(const Prompt& of, std::size_t held) const {
      return is_active ? whole_length(of) - held : 0;
    }
  };
  struct Donor {
    std::size_t slot = 0;
    std::size_t shared = 0;
  };

  // The slot with the longest beginning in common, computed already; nullopt when waiting for one
  // that is still computing its prompt brings more.
  std::optional<Donor> find_donor(const Prompt& prompt) const {
    Donor best;
    std::size_t promised = 0;
    const std::span<const TokenId> wanted =
        std::span(prompt.tokens).first(prompt.tokens.size() - 1);
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      const std::size_t common = common_prefix(slots_[i].tokens, wanted);
      const std::size_t shared = std::min(common, memory_.length(i));
      const bool better =
          shared > best.shared ||
          (shared == best.shared && slots_[best.slot].is_active && !slots_[i].is_active);
      if (better) best = {i, shared};
      if (slots_[i].is_active) promised = std::max(promised, common);
    }
    if (promised > best.shared) return std::nullopt;
    return best;
  }

  // The place for a new prompt: the donor's own if it has ended, else the one that ended first.
  std::optional<std::size_t> free_slot(const Donor& donor) const {
    if (!slots_[donor.slot].is_active) return donor.slot;
    std::optional<std::size_t> oldest;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].is_active) continue;
      if (!oldest || slots_[i].since < slots_[*oldest].since) oldest = i;
    }
    return oldest;
  }

  std::size_t reserved_cells() const {
    std::size_t cells = memory_.used_cells();
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      const Slot& slot = slots_[i];
      if (slot.is_active) {
        cells += slot.remaining_cells(prompts_[slot.prompt], memory_.length(i));
      }
    }
    return cells;
  }

  // Empties slots that have ended, the oldest first, until `cells` more fit.
  bool make_room(std::size_t cells, std::size_t place) {
    while (reserved_cells() + cells > plan_.cells) {
      std::optional<std::size_t> oldest;
      for (std::size_t i = 0; i < slots_.size(); ++i) {
        if (slots_[i].is_active || i == place || memory_.length(i) == 0) continue;
        if (!oldest || slots_[i].since < slots_[*oldest].since) oldest = i;
      }
      if (!oldest) return false;
      forget(*oldest, 0);
    }
    return true;
  }

  void forget(std::size_t slot, std::size_t length) {
    memory_.truncate(slot, length);
    slots_[slot].tokens.resize(std::min(slots_[slot].tokens.size(), length));
  }

  bool admit_next() {
    while (next_ < prompts_.size() && prompts_[next_].settings.max_new_tokens == 0) {
      finish_unasked(next_++);
    }
    if (next_ == prompts_.size()) return false;
    const Prompt& prompt = prompts_[next_];
    const auto donor = find_donor(prompt);
    if (!donor) return false;
    const auto place = free_slot(*donor);
    if (!place) return false;
    memory_.share(donor->slot, *place, donor->shared);
    slots_[*place].tokens.assign(
        prompt.tokens.begin(), prompt.tokens.begin() + static_cast<std::ptrdiff_t>(donor->shared));
    // Alone it fits always; else others have to end first.
    if (!make_room(whole_length(prompt) - donor->shared, *place)) return false;
    slots_[*place] = {prompt.tokens, next_, true, ++admissions_};
    results_[next_].prompt_tokens = static_cast<std::uint32_t>(prompt.tokens.size());
    results_[next_].truncated = prompt.truncated;
    ++next_;
    return true;
  }

  void finish_unasked(std::size_t index) {
    GenerationResult& result = results_[index];
    result.stop = StopReason::kLength;
    result.prompt_tokens = static_cast<std::uint32_t>(prompts_[index].tokens.size());
    result.truncated = prompts_[index].truncated;
    done_();
  }

  // First the next token of every answer, then prompts in order of admission.
  bool plan_step() {
    step_.clear();
    readers_.clear();
    std::vector<std::size_t> prefills;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (!slots_[i].is_active) continue;
      if (slots_[i].tokens.size() > prompts_[slots_[i].prompt].tokens.size()) {
        add_tokens(i, 1);
      } else {
        prefills.push_back(i);
      }
    }
    std::sort(prefills.begin(), prefills.end(),
              [&](std::size_t a, std::size_t b) { return slots_[a].since < slots_[b].since; });
    for (const std::size_t slot : prefills) {
      const std::size_t room = plan_.step_tokens - step_.size();
      const std::size_t tokens = std::min(room, slots_[slot].tokens.size() - memory_.length(slot));
      if (tokens == 0) break;
      add_tokens(slot, tokens);
      counts_.prompt_tokens += tokens;
    }
    return !step_.empty();
  }

  void add_tokens(std::size_t slot, std::size_t count) {
    const std::size_t held = memory_.length(slot);
    const auto& tokens = slots_[slot].tokens;
    for (std::size_t i = held; i < held + count; ++i) {
      step_.push_back({tokens[i], static_cast<std::int32_t>(i), static_cast<std::int32_t>(slot), 1,
                       i + 1 == tokens.size()});
    }
    memory_.append(slot, count);
    if (held + count == tokens.size()) readers_.push_back({step_.size() - 1, slot});
  }

  Status read_step() {
    for (const Reader& reader : readers_) {
      Slot& slot = slots_[reader.slot];
      const Prompt& prompt = prompts_[slot.prompt];
      const std::span<const float> logits = decoder_.logits(reader.index);
      if (logits.empty() || !all_finite(logits)) {
        return fail(ErrorCode::kCorrupt, "the model yields NaN or infinite logits (request " +
                                             std::to_string(slot.prompt) + ")");
      }
      const std::size_t made = slot.tokens.size() - prompt.tokens.size();
      slot.tokens.push_back(choose_token(logits, prompt.settings, prompt.draws.at(made)));
      ++counts_.new_tokens;
      if (auto ended = end_if_due(slot, prompt); !ended) return ended;
    }
    return {};
  }

  Status end_if_due(Slot& slot, const Prompt& prompt) {
    const auto answer = std::span<const TokenId>(slot.tokens).subspan(prompt.tokens.size());
    GenerationResult& result = results_[slot.prompt];
    if (std::find(end_tokens_.begin(), end_tokens_.end(), answer.back()) != end_tokens_.end()) {
      result.stop = StopReason::kEndOfText;
    } else {
      const auto reached = prompt.stops->reached(answer);
      if (!reached) return fail(reached.error());
      if (*reached) {
        const auto is_end = prompt.stops->is_end_of_text(answer);
        if (!is_end) return fail(is_end.error());
        result.stop = *is_end ? StopReason::kEndOfText : StopReason::kStopString;
      } else if (answer.size() == prompt.settings.max_new_tokens) {
        result.stop = StopReason::kLength;
      } else {
        return {};
      }
    }
    auto text = prompt.stops->text(answer);
    if (!text) return fail(std::move(text.error()));
    result.text = std::move(*text);
    result.new_tokens = static_cast<std::uint32_t>(answer.size());
    result.tokens.assign(answer.begin(), answer.end());
    slot.is_active = false;
    done_();
    return {};
  }

  struct Reader {
    std::size_t index = 0;  // in step_
    std::size_t slot = 0;
  };

  Decoder& decoder_;
  std::span<const Prompt> prompts_;
  std::span<const TokenId> end_tokens_;
  const GenerationPlan& plan_;
  GenerationCounts& counts_;
  const std::function<void()>& done_;
  SlotMemory memory_;
  std::vector<Slot> slots_;
  std::vector<GenerationResult> results_;
  std::size_t next_ = 0;  // the first prompt not admitted
  std::uint64_t admissions_ = 0;
  std::vector<BatchToken> step_;
  std::vector<Reader> readers_;
};

}  // namespace

GenerationPlan plan_generation(std::span<const Prompt> prompts, const GenerationCosts& costs) {
  std::vector<std::size_t> own;  // tokens that a prompt does not share with the one before
  std::size_t longest = 1;
  std::size_t shared = 0;
  double sum = 0;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const std::size_t common = i == 0 ? 0 : common_prefix(prompts[i - 1].tokens, prompts[i].tokens);
    longest = std::max(longest, whole_length(prompts[i]));
    shared = std::max(shared, common);
    own.push_back(whole_length(prompts[i]) - common);
    if (i > 0 || prompts.size() == 1) sum += static_cast<double>(own.back());
  }
  const double count = std::max<double>(1, static_cast<double>(prompts.size()) - 1);
  const double balance = kReadCost * static_cast<double>(costs.model_bytes) /
                         static_cast<double>(costs.attention_width) / std::max(1.0, sum / count);
  GenerationPlan plan;
  const auto most = std::min(kMostSlots, std::max<std::size_t>(1, prompts.size()));
  plan.slots = std::clamp<std::size_t>(static_cast<std::size_t>(std::sqrt(balance)), 1, most);
  std::sort(own.rbegin(), own.rend());
  std::size_t need = shared;
  for (std::size_t i = 0; i < std::min(plan.slots, own.size()); ++i) need += own[i];
  const std::size_t budget =
      std::max(kMemoryBytes, costs.model_bytes / 8) / std::max<std::size_t>(1, costs.cell_bytes);
  plan.cells = std::max(longest, std::min(need, budget));
  plan.step_tokens = std::max(kStepTokens, plan.slots);
  return plan;
}

Result<std::vector<GenerationResult>> generate_all(
    Decoder& decoder, std::span<const Prompt> prompts, std::span<const TokenId> end_tokens,
    const GenerationPlan& plan, GenerationCounts& counts, const std::function<void()>& done) {
  return Generator(decoder, prompts, end_tokens, plan, counts, done).run();
}

}  // namespace crucible::engine
