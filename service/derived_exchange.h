// Where shards hand each other what their alerts became (`into`, R76). Every shard sees the same records in the same order, so the n-th
// round of one is the n-th of all: a shard gives its rows of a round and waits until every shard has.
// It cannot deadlock: of all shards one is at the least round; every other has given its rows of that round already, so it waits for
// nobody, and nobody waits for a round that some shard will never see, for the sequencer hands every record to all shards.
// Threads: any; each caller is one shard.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "cep/engine.h"

namespace service {

class DerivedExchange {
 public:
  explicit DerivedExchange(uint32_t shards) : shards_(shards) {}

  // The rows of all shards in round `round`, which each shard counts for itself from 0.
  std::shared_ptr<const cep::DerivedRows> pass(uint64_t round, cep::DerivedRows own) {
    std::unique_lock lock(mutex_);
    std::shared_ptr<Round>& here = rounds_[round];
    if (here == nullptr) here = std::make_shared<Round>();
    std::shared_ptr<Round> mine = here;
    mine->rows.insert(mine->rows.end(), own.begin(), own.end());
    if (++mine->given == shards_) {
      rounds_.erase(round);
      complete_.notify_all();
    } else {
      complete_.wait(lock, [&] { return mine->given == shards_; });
    }
    return {mine, &mine->rows};
  }

 private:
  struct Round {
    uint32_t given = 0;
    cep::DerivedRows rows;
  };

  const uint32_t shards_;
  std::mutex mutex_;                     // guards all below
  std::condition_variable complete_;
  std::map<uint64_t, std::shared_ptr<Round>> rounds_;     // not complete yet
};

}  // namespace service
