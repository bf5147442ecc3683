// Records of a checkpoint as read from a disk: key records, index entries, footers, seals and the envelope around values. No bytes crash
// a decoder; what it accepts is encoded to the same bytes again.
#include "state/checkpoint_format.h"
#include "state/crc32c.h"
#include "state/values.h"
#include "tests/fuzz/fuzz.h"

// The first byte chooses the record; bytes with a checksum get the right one, or nothing would get behind it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 4096) return 0;
  std::string bytes(fuzz::text_of(data, size).substr(1));
  const auto repair = [&] {
    if (bytes.size() < 4) return;
    const uint32_t checksum = state::crc32c(std::string_view(bytes).substr(4));
    std::memcpy(bytes.data(), &checksum, sizeof checksum);
  };
  switch (data[0] % 6) {
    case 0:
      repair();
      if (bytes.size() >= 8) {
        const uint32_t length = static_cast<uint32_t>(bytes.size());
        std::memcpy(bytes.data() + 4, &length, sizeof length);
        repair();
      }
      if (const auto record = state::decode_key_record(bytes)) {
        const state::KeyRecord again{record->space, record->hash, record->deadline_us, record->old_segment, record->gone,
                                     std::string(record->bytes)};
        fuzz::check(state::encode_key_record(again) == bytes, "a key record is encoded to other bytes");
      }
      break;
    case 1:
      for (std::string_view rest = bytes; rest.size() >= state::kIndexEntryBytes; rest.remove_prefix(state::kIndexEntryBytes)) {
        std::string again;
        const auto entry = state::decode_index_entry(rest.substr(0, state::kIndexEntryBytes));
        if (!entry) break;
        state::encode_index_entry(*entry, again);
        fuzz::check(again == rest.substr(0, state::kIndexEntryBytes), "an index entry is encoded to other bytes");
      }
      break;
    case 2:
      if (const auto footer = state::decode_footer(bytes)) {
        const bool planted = fuzz::kPlanted && footer->records() > 1000;
        fuzz::check(state::encode_footer(*footer) == bytes && !planted, "a footer is encoded to other bytes");
      }
      break;
    case 3:
      if (const auto seal = state::decode_seal(bytes)) {
        fuzz::check(state::encode_seal(*seal) == bytes, "a seal is encoded to other bytes");
      }
      break;
    case 4:
      repair();
      if (const auto payload = state::open_value(bytes, "a value")) {
        fuzz::check(state::seal_value(*payload) == bytes, "a value is sealed to other bytes");
      }
      break;
    default: (void)state::decode_key_record(bytes); (void)state::open_value(bytes, "a value");
  }
  return 0;
}
