// `weir bench --end-to-end`: a server of its own in this process, on a temporary directory and a free loopback port,
// with the twenty rules of bench_data.h. First events as fast as they are acknowledged; then, after a pause in which
// what is left is worked off, a tenth of that rate while the time from POST to the alert on the event stream is taken.
// Last decisions (bench_decisions.h). Everything is inside: JSON, HTTP, event log with its flushes, matching, alert log, event stream.
// Threads: two that send and one that reads alerts, beside those of the server.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "cep/result.h"
#include "service/api_client.h"
#include "service/bench_decisions.h"

namespace service {

struct EndToEndFigure {
  double events_per_s = 0;
  uint64_t events = 0;
  uint32_t connections = 0;
  double latency_p50_ms = 0, latency_p99_ms = 0, latency_max_ms = 0;
  uint64_t latency_samples = 0;
  double paced_events_per_s = 0;  // while latency was taken
  DecisionFigure decisions;
};

// One alert for each event of `signals`, a stream of its own, so that it waits for no straggler of the load; its message is the card.
std::string bench_signal_rule();
// Lines of the stream `tx` with the present time, and their request.
std::string bench_events(std::mt19937_64& random, uint32_t lines);
ApiRequest bench_events_request(const std::string& stream, std::string body);

// `directory`: where the data goes; it is made, and removed at the end. `seconds` for each of the five parts.
cep::Result<EndToEndFigure> measure_end_to_end(const std::string& directory, double seconds);

}  // namespace service
