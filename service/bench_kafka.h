// `weir bench kafka`: a server of its own in this process between two topics of a broker that is there, with the twenty rules of
// bench_data.h. A topic that is full already is read by a consumer that does nothing else, then by Weir, last by the bare consumer again,
// each with all of its threads on one core. While Weir is there, events come at a steady rate, some of which alert, and the time is taken
// from the call that produces one until another client has its alert from the alert topic. Topics are made for it and removed at the end.
// Threads: one that produces and one that reads alerts, beside those of the server and of the library.
#pragma once

#include <cstdint>
#include <string>

#include "cep/result.h"
#include "service/bench_decisions.h"
#include "service/kafka_client.h"

namespace service {

struct KafkaBenchOptions {
  KafkaOptions client;
  uint64_t events = 500'000;      // in the full topic
  double rate = 10'000;           // events a second while the latency is taken
  double seconds = 10;            // of that
};

struct KafkaBenchFigure {
  struct Reading {
    double events_per_s = 0;
    double cpu_us_per_event = 0;  // of the whole process
  };
  uint64_t events = 0;
  Reading bare_before, weir, bare_after;
  uint64_t alerts = 0;            // made of the full topic, and in the alert topic
  double paced_events_per_s = 0;
  LatencyFigure latency;          // from produce to the alert at another client
  uint64_t signals = 0;           // events that had to alert meanwhile
};

// `directory`: where the server's data goes; it is made, and removed at the end. Errors: unreachable, those of the server.
cep::Result<KafkaBenchFigure> measure_kafka(const std::string& directory, const KafkaBenchOptions& options);

}  // namespace service
