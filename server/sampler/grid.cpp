#include <algorithm>
#include <cmath>
#include <utility>

#include "server/sampler/methods.hpp"
#include "server/sampler/state_json.hpp"

namespace crucible::server::sampler {
namespace {

// Points closer than this in every coordinate, as a fraction of its range, are the same.
constexpr double kSame = 1e-9;

class GridSampler final : public Sampler {
 public:
  explicit GridSampler(Specification specification) : Sampler(std::move(specification)) {
    counts_ = std::get<GridSettings>(this->specification().method).counts;
    may_repeat_ = !space().constraints().empty();
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (space().discrete(i)) {
        const std::size_t values = space().values(i);
        counts_[i] = counts_[i] == 0 ? values : std::min(counts_[i], values);
      }
      size_ *= counts_[i];
      may_repeat_ = may_repeat_ || (space().discrete(i) && space().dimensions()[i].log);
    }
  }

 protected:
  Proposal propose() override {
    while (next_ < size_) {
      std::vector<double> unit = unit_at(next_++);
      if (!may_repeat_ || !seen(unit)) return {AskStatus::kPoint, std::move(unit)};
    }
    return {};
  }

  nlohmann::json save() const override { return {{"next", next_}}; }
  bool load(const nlohmann::json& json) override {
    const auto next = read_count(json.at("next"), size_);
    if (!next) return false;
    next_ = *next;
    return true;
  }

 private:
  std::vector<double> unit_at(std::size_t index) const {
    std::vector<double> unit(counts_.size());
    for (std::size_t i = counts_.size(); i-- > 0;) {
      const auto step = static_cast<double>(index % counts_[i]);
      const auto last = static_cast<double>(counts_[i] - 1);
      index /= counts_[i];
      unit[i] = last == 0 ? 0.5 : step / last;
      if (space().discrete(i) && !space().dimensions()[i].log) {
        const auto values = static_cast<double>(space().values(i));
        unit[i] = (std::round(unit[i] * (values - 1)) + 0.5) / values;
      }
      unit[i] = space().snap(i, unit[i]);
    }
    return unit;
  }

  // Whether an earlier trial's point is this one: under constraints, or in a logarithmic integer.
  bool seen(const std::vector<double>& unit) const {
    const std::vector<double> now = space().encode(space().decode(unit));
    for (const Trial& trial : trials()) {
      const std::vector<double> before = space().encode(space().decode(trial.unit));
      if (std::ranges::equal(now, before,
                             [](double a, double b) { return std::abs(a - b) <= kSame; })) {
        return true;
      }
    }
    return false;
  }

  std::vector<std::size_t> counts_;
  std::size_t size_ = 1;
  std::size_t next_ = 0;
  bool may_repeat_ = false;
};

}  // namespace

std::unique_ptr<Sampler> make_grid(Specification specification) {
  return std::make_unique<GridSampler>(std::move(specification));
}

}  // namespace crucible::server::sampler
