#pragma once

#include "server/service/records.hpp"

// Wall time and chance, injected so that tests decide them. Implementations are thread-safe.
namespace crucible::server {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimeMs now() const = 0;  // ms since the Unix epoch
};

class Random {
 public:
  virtual ~Random() = default;
  virtual double uniform() = 0;  // in [0, 1)
};

class SystemClock : public Clock {
 public:
  TimeMs now() const override;
};

class SystemRandom : public Random {
 public:
  double uniform() override;
};

}  // namespace crucible::server
