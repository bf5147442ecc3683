// See remote_manifest.h. Each is one value of values.h: length, version and checksum around it.
#include "state/remote_manifest.h"

#include <algorithm>

#include "state/values.h"

namespace state {
namespace {

constexpr uint8_t kFormat = 1;

void put_object(Writer& out, const RemoteObject& object) { out.text(object.name).put<uint64_t>(object.bytes).id(object.digest); }

RemoteObject get_object(Reader& in) {
  RemoteObject object;
  object.name = in.text();
  object.bytes = in.get<uint64_t>();
  object.digest = in.id();
  return object;
}

void put_objects(Writer& out, const std::vector<RemoteObject>& objects) {
  out.put<uint32_t>(static_cast<uint32_t>(objects.size()));
  for (const RemoteObject& object : objects) put_object(out, object);
}

std::vector<RemoteObject> get_objects(Reader& in) {
  std::vector<RemoteObject> objects;
  for (uint32_t left = in.get<uint32_t>(); left > 0 && in.ok(); --left) objects.push_back(get_object(in));
  return objects;
}

// The reader behind the format byte, or what is wrong.
cep::Result<Reader> open_document(std::string_view bytes, const std::string& what) {
  auto payload = open_value(bytes, what);
  if (!payload.ok()) return cep::Error{"damaged", what + " of the remote checkpoints is damaged"};
  Reader in(*payload);
  if (in.get<uint8_t>() != kFormat) return cep::Error{"newer_data", what + " of the remote checkpoints is of a newer version of weir"};
  return in;
}

cep::Status at_end(const Reader& in, const std::string& what) {
  if (in.at_end()) return cep::ok_status();
  return cep::Error{"damaged", what + " of the remote checkpoints is damaged"};
}

}  // namespace

std::string digits(uint64_t number, size_t width) {
  std::string text = std::to_string(number);
  return std::string(width - std::min(width, text.size()), '0') + text;
}

std::string hex(const Id16& id) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (uint8_t byte : id) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string RemoteManifest::id() const { return std::to_string(epoch) + "-" + std::to_string(number); }

bool RemoteManifest::same_objects(const RemoteManifest& other) const {
  const auto all = objects(), others = other.objects();
  return sequence == other.sequence && first == other.first && log.size() == other.log.size() &&
         std::equal(all.begin(), all.end(), others.begin(), others.end(),
                    [](const RemoteObject* a, const RemoteObject* b) { return a->name == b->name; });
}

std::vector<const RemoteObject*> RemoteManifest::objects() const {
  std::vector<const RemoteObject*> all = {&head, &admin};
  for (const auto& [table, objects] : rows) {
    for (const RemoteObject& object : objects) all.push_back(&object);
  }
  for (const RemoteLogFile& file : log) {
    for (const RemoteLogBlock& block : file.blocks) all.push_back(&block.object);
  }
  return all;
}

uint64_t RemoteManifest::bytes() const {
  uint64_t sum = 0;
  for (const RemoteObject* object : objects()) sum += object->bytes;
  return sum;
}

std::string manifest_name(uint64_t epoch, uint64_t number) {
  return std::string(kManifestFolder) + "/" + digits(epoch, 10) + "-" + digits(number, 20);
}

bool is_manifest_name(std::string_view name) {
  const std::string pattern = manifest_name(0, 0);
  return name.size() == pattern.size() && std::equal(name.begin(), name.end(), pattern.begin(), [](char a, char b) {
           return b == '0' ? a >= '0' && a <= '9' : a == b;
         });
}

std::string encode_manifest(const RemoteManifest& manifest) {
  std::string payload;
  Writer out(payload);
  out.put<uint8_t>(kFormat).put<uint32_t>(manifest.sequence).put<uint64_t>(manifest.epoch).put<uint64_t>(manifest.number);
  out.put<int64_t>(manifest.time_us);
  out.put<uint64_t>(manifest.applied_through).put<uint64_t>(manifest.reread_offset).put<uint64_t>(manifest.log_end);
  out.put<uint64_t>(manifest.keys).put<uint32_t>(manifest.shards);
  out.put<uint32_t>(static_cast<uint32_t>(manifest.sources.size()));
  for (const auto& [name, next] : manifest.sources) out.text(name).put<uint64_t>(next);
  out.put<uint32_t>(static_cast<uint32_t>(manifest.first.size()));
  for (const auto& [table, first] : manifest.first) out.text(table).put<uint64_t>(first);
  put_object(out, manifest.head);
  put_object(out, manifest.admin);
  out.put<uint32_t>(static_cast<uint32_t>(manifest.rows.size()));
  for (const auto& [table, objects] : manifest.rows) {
    out.text(table);
    put_objects(out, objects);
  }
  out.put<uint32_t>(static_cast<uint32_t>(manifest.log.size()));
  for (const RemoteLogFile& file : manifest.log) {
    out.text(file.name).put<uint32_t>(static_cast<uint32_t>(file.blocks.size()));
    for (const RemoteLogBlock& block : file.blocks) {
      out.put<uint64_t>(block.from);
      put_object(out, block.object);
    }
  }
  return seal_value(payload);
}

cep::Result<RemoteManifest> decode_manifest(std::string_view bytes) {
  auto opened = open_document(bytes, "a manifest");
  if (!opened.ok()) return opened.error();
  Reader& in = *opened;
  RemoteManifest manifest;
  manifest.sequence = in.get<uint32_t>();
  manifest.epoch = in.get<uint64_t>();
  manifest.number = in.get<uint64_t>();
  manifest.time_us = in.get<int64_t>();
  manifest.applied_through = in.get<uint64_t>();
  manifest.reread_offset = in.get<uint64_t>();
  manifest.log_end = in.get<uint64_t>();
  manifest.keys = in.get<uint64_t>();
  manifest.shards = in.get<uint32_t>();
  for (uint32_t left = in.get<uint32_t>(); left > 0 && in.ok(); --left) {
    std::string name(in.text());
    manifest.sources.emplace_back(std::move(name), in.get<uint64_t>());
  }
  for (uint32_t left = in.get<uint32_t>(); left > 0 && in.ok(); --left) {
    std::string table(in.text());
    manifest.first[table] = in.get<uint64_t>();
  }
  manifest.head = get_object(in);
  manifest.admin = get_object(in);
  for (uint32_t left = in.get<uint32_t>(); left > 0 && in.ok(); --left) {
    std::string table(in.text());
    manifest.rows[table] = get_objects(in);
  }
  for (uint32_t left = in.get<uint32_t>(); left > 0 && in.ok(); --left) {
    RemoteLogFile& file = manifest.log.emplace_back();
    file.name = in.text();
    for (uint32_t blocks = in.get<uint32_t>(); blocks > 0 && in.ok(); --blocks) {
      const uint64_t from = in.get<uint64_t>();
      file.blocks.push_back({from, get_object(in)});
    }
  }
  if (cep::Status whole = at_end(in, "a manifest"); !whole.ok()) return whole.error();
  return manifest;
}

std::string encode_current(const RemoteCurrent& current) {
  std::string payload;
  Writer(payload)
      .put<uint8_t>(kFormat)
      .put<uint64_t>(current.revision)
      .put<uint64_t>(current.epoch)
      .id(current.owner)
      .put<int64_t>(current.claimed_us)
      .text(current.manifest);
  return seal_value(payload);
}

cep::Result<RemoteCurrent> decode_current(std::string_view bytes) {
  auto in = open_document(bytes, "CURRENT");
  if (!in.ok()) return in.error();
  RemoteCurrent current;
  current.revision = in->get<uint64_t>();
  current.epoch = in->get<uint64_t>();
  current.owner = in->id();
  current.claimed_us = in->get<int64_t>();
  current.manifest = in->text();
  if (cep::Status whole = at_end(*in, "CURRENT"); !whole.ok()) return whole.error();
  return current;
}

std::string encode_identity(const RemoteIdentity& identity) {
  std::string payload;
  Writer out(payload);
  out.put<uint8_t>(kFormat).id(identity.owner).put<uint64_t>(identity.epoch).put<int64_t>(identity.claimed_us);
  out.put<uint8_t>(identity.is_claimed ? 1 : 0).id(identity.restored_from);
  return seal_value(payload);
}

cep::Result<RemoteIdentity> decode_identity(std::string_view bytes) {
  auto in = open_document(bytes, "the file REMOTE");
  if (!in.ok()) return in.error();
  RemoteIdentity identity;
  identity.owner = in->id();
  identity.epoch = in->get<uint64_t>();
  identity.claimed_us = in->get<int64_t>();
  identity.is_claimed = in->get<uint8_t>() != 0;
  identity.restored_from = in->id();
  if (cep::Status whole = at_end(*in, "the file REMOTE"); !whole.ok()) return whole.error();
  return identity;
}

}  // namespace state
