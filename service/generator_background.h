// Ordinary traffic: one event at a time, of a stream drawn by its share, of a card, user or machine drawn with a bias
// to the low numbers. What must follow an ordinary event, so that it stays ordinary (an order is paid, a second factor
// that was switched off is switched on again), is added to the waiting lines.
// Threads: belongs to its owner.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "service/generator_plots.h"

namespace service {

class Background {
 public:
  // `streams`: those to write; not empty.
  Background(uint64_t seed, GenStreams streams, PlotWorld& world);

  // Appends one line with the time `at_ms`.
  void append(std::string& out, int64_t at_ms);

 private:
  void transaction(std::string& out, const Stamp& stamp);
  void login(std::string& out, const Stamp& stamp);
  void mfa(std::string& out, const Stamp& stamp);
  void transfer(std::string& out, const Stamp& stamp);
  void order(std::string& out, const Stamp& stamp);
  void connection(std::string& out, const Stamp& stamp);
  void other(std::string& out, const Stamp& stamp, GenStream stream);

  uint64_t somebody();
  int64_t price_cents();

  PlotWorld& world_;
  GenStreams streams_;
  Random random_;
  std::vector<GenStream> shares_;  // one entry for each part of the traffic
};

}  // namespace service
