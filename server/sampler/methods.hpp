#pragma once

#include <memory>

#include "server/sampler/sampler.hpp"

// One constructor a method, called with a checked specification holding that method's settings.
namespace crucible::server::sampler {

std::unique_ptr<Sampler> make_grid(Specification specification);
std::unique_ptr<Sampler> make_random(Specification specification);
std::unique_ptr<Sampler> make_sobol(Specification specification);
std::unique_ptr<Sampler> make_adaptive(Specification specification);
std::unique_ptr<Sampler> make_cma_es(Specification specification);
std::unique_ptr<Sampler> make_tpe(Specification specification);
std::unique_ptr<Sampler> make_nsga2(Specification specification);

inline std::unique_ptr<Sampler> make_method(Specification specification) {
  using Maker = std::unique_ptr<Sampler> (*)(Specification);
  constexpr Maker kMakers[] = {make_grid,   make_random, make_sobol, make_adaptive,
                               make_cma_es, make_tpe,    make_nsga2};
  static_assert(std::size(kMakers) == std::variant_size_v<Method>);
  return kMakers[specification.method.index()](std::move(specification));
}

}  // namespace crucible::server::sampler
