#include "evaluator/task/fewshot.hpp"

#include <numeric>
#include <string>

namespace crucible::task {

std::vector<std::size_t> FewshotDraw::document_order(std::size_t documents) {
  std::vector<std::size_t> order(documents);
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (is_v03(sampler_)) random_.shuffle(order);
  return order;
}

Result<std::vector<const Json*>> FewshotDraw::draw(std::size_t n, const Json& document) {
  if (n == 0) return std::vector<const Json*>{};
  const bool in_order = sampler_ == Sampler::kFirstN || sampler_ == Sampler::kHarnessV03FirstN;
  const std::size_t needed = n + (exclude_ && !in_order ? 1 : 0);
  std::vector<const Json*> drawn;
  if (in_order) {
    drawn = first(n, document);
  } else if (needed <= pool_.size()) {
    drawn = sampled(n, document);
  }
  if (drawn.size() == n) return drawn;
  return fail(ErrorCode::kInvalidArgument,
              std::to_string(n) + " examples are asked for, but the split they come from has " +
                  std::to_string(pool_.size()) +
                  (exclude_ ? ", the document itself among them" : ""));
}

std::vector<const Json*> FewshotDraw::first(std::size_t n, const Json& document) const {
  std::vector<const Json*> drawn;
  for (const Json& example : pool_) {
    if (drawn.size() == n) break;
    if (!exclude_ || example != document) drawn.push_back(&example);
  }
  return drawn;
}

// With the document's own split one more is drawn and the document dropped; should it have been
// there more than once, the draw is repeated without it.
std::vector<const Json*> FewshotDraw::sampled(std::size_t n, const Json& document) {
  std::vector<const Json*> drawn;
  for (const std::size_t index : random_.sample(pool_.size(), exclude_ ? n + 1 : n)) {
    if (!exclude_ || pool_[index] != document) drawn.push_back(&pool_[index]);
  }
  if (drawn.size() > n) drawn.resize(n);
  if (drawn.size() == n) return drawn;
  std::vector<const Json*> others;
  for (const Json& example : pool_) {
    if (example != document) others.push_back(&example);
  }
  if (others.size() < n) return {};
  drawn.clear();
  for (const std::size_t index : random_.sample(others.size(), n)) drawn.push_back(others[index]);
  return drawn;
}

}  // namespace crucible::task
