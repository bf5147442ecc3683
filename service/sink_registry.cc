// See sink_registry.h. The encoding of a spec, format 1: type, url, secrets, headers, rules, least severity, disabled.
#include "service/sink_registry.h"

#include "state/bytes.h"

namespace service {
namespace {

constexpr uint8_t kSpecFormat = 1;

void put_texts(state::Writer& out, const std::vector<std::string>& texts) {
  out.put<uint32_t>(static_cast<uint32_t>(texts.size()));
  for (const std::string& text : texts) out.text(text);
}

std::vector<std::string> get_texts(state::Reader& in) {
  std::vector<std::string> texts;
  for (uint32_t left = in.get<uint32_t>(); left > 0 && in.ok(); --left) texts.emplace_back(in.text());
  return texts;
}

std::string encode(const SinkSpec& spec) {
  std::string bytes;
  state::Writer out(bytes);
  out.put<uint8_t>(kSpecFormat).text(spec.type).text(spec.url);
  put_texts(out, spec.secrets);
  std::vector<std::string> headers;
  for (const HttpHeader& header : spec.headers) headers.insert(headers.end(), {header.name, header.value});
  put_texts(out, headers);
  put_texts(out, spec.rules);
  out.text(spec.severity_min).put<uint8_t>(spec.disabled ? 1 : 0);
  return bytes;
}

cep::Result<SinkSpec> decode(const state::SinkRecord& record) {
  state::Reader in(record.spec);
  SinkSpec spec;
  spec.name = record.name;
  const bool known = in.get<uint8_t>() == kSpecFormat;
  spec.type = in.text();
  spec.url = in.text();
  spec.secrets = get_texts(in);
  const std::vector<std::string> headers = get_texts(in);
  for (size_t i = 0; i + 1 < headers.size(); i += 2) spec.headers.push_back({headers[i], headers[i + 1]});
  spec.rules = get_texts(in);
  spec.severity_min = in.text();
  spec.disabled = in.get<uint8_t>() != 0;
  if (known && in.at_end()) return spec;
  return cep::Error{"damaged", "the sink " + record.name + " in admin/ does not decode; put the directory back from a copy"};
}

}  // namespace

cep::Result<std::unique_ptr<SinkRegistry>> SinkRegistry::open(state::AdminStore& store, std::vector<SinkSpec> from_file) {
  std::unique_ptr<SinkRegistry> registry(new SinkRegistry(store));
  if (cep::Status status = registry->load(); !status.ok()) return status.error();
  for (SinkSpec& spec : from_file) {
    if (cep::Status status = registry->add_from_file(std::move(spec)); !status.ok()) return status.error();
  }
  return registry;
}

cep::Status SinkRegistry::load() {
  cep::Result<std::vector<state::SinkRecord>> records = store_.sinks();
  if (!records.ok()) return records.error();
  for (const state::SinkRecord& record : *records) {
    if (record.from_file) {
      file_ids_[record.name] = record.id;
      continue;
    }
    cep::Result<SinkSpec> spec = decode(record);
    if (!spec.ok()) return spec.error();
    sinks_[record.name] = {SinkId{record.id}, std::move(*spec)};
  }
  return cep::ok_status();
}

cep::Status SinkRegistry::add_from_file(SinkSpec spec) {
  spec.source = SinkSource::kFile;
  if (auto known = sinks_.find(spec.name); known != sinks_.end()) {
    const bool twice = known->second.spec.source == SinkSource::kFile;
    return cep::Error{"duplicate_sink", twice ? "the configuration names the sink " + spec.name + " twice"
                                              : "the sink " + spec.name + " of the configuration was also made over the API: "
                                                "give one of them another name"};
  }
  if (cep::Result<Sink> checked = make_sink(spec); !checked.ok()) return checked.error();
  auto id = file_ids_.find(spec.name);
  if (id == file_ids_.end()) {
    cep::Result<uint32_t> fresh = store_.add_sink({0, spec.name, true, ""});
    if (!fresh.ok()) return fresh.error();
    id = file_ids_.emplace(spec.name, *fresh).first;
  }
  const std::string name = spec.name;
  sinks_[name] = {SinkId{id->second}, std::move(spec)};
  return cep::ok_status();
}

cep::Status SinkRegistry::add_all_to(DeliveryEngine& engine) const {
  for (const auto& [name, registered] : all()) {
    cep::Result<Sink> sink = make_sink(registered.spec);
    if (!sink.ok()) return sink.error();
    if (!sink->topic.empty()) continue;      // has a thread of its own
    if (cep::Status status = engine.add_sink(registered.id, std::move(*sink)); !status.ok()) return status;
  }
  return cep::ok_status();
}

std::map<std::string, RegisteredSink> SinkRegistry::all() const {
  std::lock_guard lock(mutex_);
  return sinks_;
}

std::vector<std::string> SinkRegistry::names() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, sink] : sinks_) names.push_back(name);
  return names;
}

std::optional<RegisteredSink> SinkRegistry::find(const std::string& name) const {
  std::lock_guard lock(mutex_);
  auto known = sinks_.find(name);
  if (known == sinks_.end()) return std::nullopt;
  return known->second;
}

cep::Result<SinkRegistry::Put> SinkRegistry::put(SinkSpec spec) {
  spec.source = SinkSource::kApi;
  cep::Result<Sink> checked = make_sink(spec);
  if (!checked.ok()) return checked.error();
  std::lock_guard lock(mutex_);
  Put done{{SinkId{}, spec}, std::move(*checked), false};
  state::SinkRecord record{0, spec.name, false, encode(spec)};
  if (auto known = sinks_.find(spec.name); known != sinks_.end()) {
    if (known->second.spec.source == SinkSource::kFile) {
      return cep::Error{"read_only", "the sink " + spec.name + " is of the configuration file: change it there"};
    }
    done.sink.id = known->second.id;
    record.id = static_cast<uint32_t>(known->second.id);
    if (cep::Status status = store_.put_sink(record); !status.ok()) return status.error();
  } else {
    cep::Result<uint32_t> id = store_.add_sink(record);
    if (!id.ok()) return id.error();
    done.sink.id = SinkId{*id};
    done.is_new = true;
  }
  sinks_[spec.name] = done.sink;
  return done;
}

cep::Result<SinkId> SinkRegistry::erase(const std::string& name) {
  std::lock_guard lock(mutex_);
  auto known = sinks_.find(name);
  if (known == sinks_.end()) return cep::Error{"not_found", "no sink `" + name + "`"};
  if (known->second.spec.source == SinkSource::kFile) {
    return cep::Error{"read_only", "the sink " + name + " is of the configuration file: remove it there"};
  }
  const SinkId id = known->second.id;
  if (cep::Status status = store_.erase_sink(static_cast<uint32_t>(id)); !status.ok()) return status.error();
  sinks_.erase(known);
  return id;
}

}  // namespace service
