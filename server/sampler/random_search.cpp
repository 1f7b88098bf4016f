#include <utility>

#include "server/sampler/methods.hpp"

namespace crucible::server::sampler {
namespace {

class RandomSampler final : public Sampler {
 public:
  explicit RandomSampler(Specification specification) : Sampler(std::move(specification)) {}

 protected:
  Proposal propose() override { return {AskStatus::kPoint, uniform_unit()}; }
};

}  // namespace

std::unique_ptr<Sampler> make_random(Specification specification) {
  return std::make_unique<RandomSampler>(std::move(specification));
}

}  // namespace crucible::server::sampler
