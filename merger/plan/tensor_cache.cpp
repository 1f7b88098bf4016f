#include "merger/plan/tensor_cache.hpp"

#include <iterator>
#include <utility>

namespace crucible::plan {

TensorCache::Nodes& TensorCache::list_of(State& state, const Node& node) {
  if (node.bytes == nullptr) return state.bare;
  return node.found_again ? state.found : state.fresh;
}

std::optional<TensorCache::Facts> TensorCache::facts(const Digest& key) const {
  return state_.with([&](const State& state) -> std::optional<Facts> {
    const auto place = state.places.find(key);
    if (place == state.places.end()) return std::nullopt;
    return place->second->facts;
  });
}

TensorBytes TensorCache::find(const Digest& key) {
  return state_.with([&](State& state) -> TensorBytes {
    const auto place = state.places.find(key);
    if (place == state.places.end() || place->second->bytes == nullptr) {
      ++state.counts.misses;
      return nullptr;
    }
    ++state.counts.hits;
    const auto node = place->second;
    Nodes& from = list_of(state, *node);
    node->found_again = true;
    state.found.splice(state.found.begin(), from, node);
    return node->bytes;
  });
}

void TensorCache::add(const Digest& key, const Facts& facts, TensorBytes bytes) {
  if (bytes != nullptr && bytes->size() > budget_) bytes = nullptr;
  state_.with([&](State& state) {
    Node node{key, facts, std::move(bytes), false};
    if (const auto old = state.places.find(key); old != state.places.end()) {
      node.found_again = old->second->found_again;
      if (node.bytes == nullptr) node.bytes = old->second->bytes;
      if (old->second->bytes != nullptr) state.counts.kept_bytes -= old->second->bytes->size();
      list_of(state, *old->second).erase(old->second);
    }
    if (node.bytes != nullptr) state.counts.kept_bytes += node.bytes->size();
    Nodes& to = list_of(state, node);
    to.push_front(std::move(node));
    state.places.insert_or_assign(key, to.begin());
    make_room(state);
  });
}

void TensorCache::make_room(State& state) const {
  while (state.counts.kept_bytes > budget_) {
    Nodes& from = state.fresh.empty() ? state.found : state.fresh;
    const auto last = std::prev(from.end());
    state.counts.kept_bytes -= last->bytes->size();
    last->bytes = nullptr;
    state.bare.splice(state.bare.begin(), from, last);
  }
  while (state.bare.size() > kMostFacts) {
    state.places.erase(state.bare.back().key);
    state.bare.pop_back();
  }
}

TensorCache::Counts TensorCache::counts() const {
  return state_.with([](const State& state) { return state.counts; });
}

}  // namespace crucible::plan
