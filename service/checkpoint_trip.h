// Key images through a real state directory and back: what the mode `restart` of `weir test` does with every fourth restart, so that the
// checkpoint's bytes are part of what scripts prove. Each trip writes a checkpoint of what changed, closes the environment, opens it
// again and restores.
// The directory lies in memory where the machine offers that, and is removed at the end.
// Threads: one owner.
#pragma once

#include <memory>
#include <string>

#include "cep/result.h"
#include "service/pipeline.h"
#include "state/env.h"
#include "state/restore.h"

namespace service {

class CheckpointTrip {
 public:
  CheckpointTrip() = default;
  ~CheckpointTrip();
  CheckpointTrip(const CheckpointTrip&) = delete;
  CheckpointTrip& operator=(const CheckpointTrip&) = delete;

  // `images` become what the directory gives back: the same keys with the same bytes, unless something is wrong there.
  // Errors: io_error, those of checkpoint and restore.
  cep::Status run(KeyImages& images);

 private:
  struct Stored {
    uint32_t segment = 0;
    std::string bytes;
  };
  using StoredKeys = std::map<std::pair<uint64_t, uint64_t>, Stored>;

  cep::Status make_directory();
  cep::Status write(const KeyImages& images);
  cep::Status read(KeyImages& images);

  std::string path_;
  std::unique_ptr<state::Env> env_;            // open between two trips
  state::CheckpointHistory history_;
  StoredKeys stored_;                          // as last restored
};

}  // namespace service
