#include "server/sampler/sobol.hpp"

#include <boost/random/sobol.hpp>
#include <utility>

#include "server/sampler/methods.hpp"

namespace crucible::server::sampler {
namespace {

using Scramble = SobolSettings::Scramble;

std::uint32_t reverse_bits(std::uint32_t x) {
  x = ((x >> 1) & 0x55555555U) | ((x & 0x55555555U) << 1);
  x = ((x >> 2) & 0x33333333U) | ((x & 0x33333333U) << 2);
  x = ((x >> 4) & 0x0F0F0F0FU) | ((x & 0x0F0F0F0FU) << 4);
  x = ((x >> 8) & 0x00FF00FFU) | ((x & 0x00FF00FFU) << 8);
  return (x >> 16) | (x << 16);
}

class SobolSampler final : public Sampler {
 public:
  explicit SobolSampler(Specification specification)
      : Sampler(std::move(specification)),
        scramble_(std::get<SobolSettings>(this->specification().method).scramble) {
    Random seeds(this->specification().seed);
    for (std::size_t i = 0; i < space().size(); ++i) {
      seeds_.push_back(static_cast<std::uint32_t>(seeds.next() >> 32));
    }
  }

 protected:
  // The number of trials is the whole state.
  Proposal propose() override {
    const std::uint64_t index = trials().size() + (scramble_ == Scramble::kNone ? 1 : 0);
    const std::vector<std::uint32_t> digits = sobol_point(space().size(), index);
    std::vector<double> unit(digits.size());
    for (std::size_t i = 0; i < unit.size(); ++i) {
      std::uint32_t x = digits[i];
      if (scramble_ == Scramble::kDigitalShift) x ^= seeds_[i];
      if (scramble_ == Scramble::kOwen) x = owen_scramble(x, seeds_[i]);
      unit[i] = static_cast<double>(x) * 0x1p-32;
    }
    return {AskStatus::kPoint, std::move(unit)};
  }

 private:
  Scramble scramble_;
  std::vector<std::uint32_t> seeds_;  // one a dimension, from the seed alone
};

}  // namespace

std::vector<std::uint32_t> sobol_point(std::size_t dimensions, std::uint64_t index) {
  std::vector<std::uint32_t> digits(dimensions, 0);
  if (index == 0) return digits;
  boost::random::sobol engine(dimensions);  // leaves the origin out
  engine.seed(index - 1);
  for (std::uint32_t& x : digits) x = static_cast<std::uint32_t>(engine() >> 32);
  return digits;
}

std::uint32_t owen_scramble(std::uint32_t digits, std::uint32_t seed) {
  std::uint32_t x = reverse_bits(digits);
  x ^= x * 0x3D20ADEAU;
  x += seed;
  x *= (seed >> 16) | 1U;
  x ^= x * 0x05526C56U;
  x ^= x * 0x53A22864U;
  return reverse_bits(x);
}

std::unique_ptr<Sampler> make_sobol(Specification specification) {
  return std::make_unique<SobolSampler>(std::move(specification));
}

}  // namespace crucible::server::sampler
