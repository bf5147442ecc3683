// DeliveryStore over the lane: alerts from state/alert_log, cursors, parked entries and attempts in state/delivery_log.
// An alert is routed by the text of the rule version that made it (`to`), so a later version or a drop changes nothing for alerts that
// are stored already. Threads: one owner, the delivery thread or that of a Kafka sink, each with one of its own; the lane outlives it.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "service/delivery_store.h"
#include "service/lane.h"

namespace service {

class LaneDeliveryStore final : public DeliveryStore {
 public:
  explicit LaneDeliveryStore(Lane& lane) : lane_(lane) {}

  cep::Result<AlertPage> read_alerts(uint64_t from, size_t limit) override;
  cep::Result<uint64_t> last_sequence() override;
  cep::Result<SinkProgress> load(SinkId sink) override;
  cep::Result<std::vector<ParkedEntry>> read_parked(SinkId sink, const std::optional<ParkedEntry>& after, size_t limit) override;
  cep::Status commit(const DeliveryChange& change) override;

 private:
  OutgoingAlert outgoing(state::StoredAlert stored);
  const std::vector<std::string>& sinks_of(const std::string& rule, uint32_t version);

  Lane& lane_;
  std::map<std::pair<std::string, uint32_t>, std::vector<std::string>> sinks_by_version_;
};

// Attempts as the delivery log keeps them: an HTTP status, or the transport error as a negative number.
int32_t stored_status(int status, TransportError error);
std::pair<int, TransportError> attempt_result(int32_t stored);

}  // namespace service
