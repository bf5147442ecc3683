// `weir events send`: a file or a pipe of events to a server, in batches that are acknowledged one after the other.
// Invariant: a batch is sent under one Idempotency-Key until it is answered, so that a retry never counts twice. What
// is waiting in a pipe goes out at once; a file goes out in pieces of kSendBytes. Threads: the caller's.
#pragma once

#include <string>

#include "service/api_client.h"
#include "service/client_output.h"

namespace service {

struct SendOptions {
  std::string file = "-";
  std::string stream;   // empty: envelope lines
  bool strict = false;  // exit 2 when something was rejected
  int retry_s = 0;      // an unreachable server is tried again for so long
};

inline constexpr size_t kSendBytes = 512 << 10;

int send_events(ApiClient& client, const SendOptions& options, const Console& console);

}  // namespace service
