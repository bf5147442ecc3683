#include "service/checkpoint_trip.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "state/checkpoint.h"
#include "state/data_dir.h"

namespace service {
namespace {

constexpr uint16_t kLane = 0;
constexpr uint32_t kShard = 0;

}  // namespace

CheckpointTrip::~CheckpointTrip() {
  env_.reset();
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

cep::Status CheckpointTrip::make_directory() {
  std::error_code ignored;
  const bool in_memory = ::access("/dev/shm", W_OK) == 0;
  path_ = (in_memory ? std::string("/dev/shm") : std::filesystem::temp_directory_path(ignored).string()) + "/weir-trip-XXXXXX";
  if (::mkdtemp(path_.data()) != nullptr) return cep::ok_status();
  const std::string wanted = std::exchange(path_, "");
  return cep::Error{"io_error", wanted + ": cannot be made"};
}

cep::Status CheckpointTrip::run(KeyImages& images) {
  if (path_.empty()) {
    cep::Status made = make_directory();
    KeyImages nothing;
    if (made) made = read(nothing);            // an empty directory gives an empty history
    if (!made) return made;
  }
  const cep::Status written = write(images);
  return written ? read(images) : written;
}

// What changed since the last trip, what ended, and what the writer wants moved out of old segments.
cep::Status CheckpointTrip::write(const KeyImages& images) {
  state::CheckpointWriter writer(*env_, kLane, std::move(history_));
  const uint32_t sequence = writer.next_sequence();
  writer.begin(sequence);
  const std::vector<uint32_t> victims = writer.victims(images.size());
  std::vector<state::KeyRecord> records;
  const auto add = [&](const std::pair<uint64_t, uint64_t>& name) -> state::KeyRecord& {
    const auto before = stored_.find(name);
    state::KeyRecord& record = records.emplace_back();
    record.space = name.first;
    record.hash = name.second;
    record.old_segment = before == stored_.end() ? 0 : before->second.segment;
    return record;
  };
  for (const auto& [name, image] : images) {
    const auto before = stored_.find(name);
    const bool same = before != stored_.end() && before->second.bytes == image.bytes;
    if (same && std::find(victims.begin(), victims.end(), before->second.segment) == victims.end()) continue;
    state::KeyRecord& record = add(name);
    record.deadline_us = image.deadline;
    record.bytes = image.bytes;
  }
  for (const auto& [name, stored] : stored_) {
    if (!images.contains(name)) add(name).gone = true;
  }
  cep::Status status = records.empty() ? cep::ok_status() : writer.add_slice(kShard, records);
  state::SealedCheckpoint seal;
  seal.sequence = sequence;
  if (status) status = writer.seal(seal);
  if (!status) return status;
  const cep::Result<size_t> cleaned = writer.clean_some();
  return cleaned ? cep::ok_status() : cep::Status(cleaned.error());
}

cep::Status CheckpointTrip::read(KeyImages& images) {
  env_.reset();
  cep::Result<std::unique_ptr<state::Env>> env = state::Env::open(path_, state::state_tables(kShard + 1));
  if (!env) return env.error();
  env_ = std::move(*env);
  images.clear();
  stored_.clear();
  cep::Result<state::Restored> restored = state::restore_checkpoint(*env_, kLane);
  if (!restored) return restored.error();
  if (!restored->notes.empty()) return cep::Error{"damaged", restored->notes.front()};
  const auto take = [&](state::StoredRecords records) {
    for (const state::StoredRecord& record : records) {
      const std::pair name(record.space, record.hash);
      images[name] = {record.space, record.hash, record.deadline_us, record.segment, std::string(record.bytes)};
      stored_[name] = {record.segment, std::string(record.bytes)};
    }
    return cep::ok_status();
  };
  if (cep::Status read = restored->records.read(*env_, [](const state::RecordId&) { return true; }, take); !read) return read;
  history_ = std::move(restored->history);
  return cep::ok_status();
}

}  // namespace service
