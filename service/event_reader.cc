#include "service/event_reader.h"

#include <algorithm>

#include "api/event_body.h"
#include "service/dataset_line.h"

namespace service {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::string without_packing(std::string path) {
  for (const std::string_view suffix : {".gz", ".zst"}) {
    if (path.ends_with(suffix)) path.resize(path.size() - suffix.size());
  }
  return path;
}

std::string_view without_line_break(std::string_view record) {
  if (record.ends_with('\n')) record.remove_suffix(1);
  if (record.ends_with('\r')) record.remove_suffix(1);
  return record;
}

bool is_blank(std::string_view record) { return record.find_first_not_of(" \t") == std::string_view::npos; }

// The only stream that events can be read of; empty: there are several, or none.
std::string only_stream(const Schemas& schemas) {
  std::string only;
  for (const auto& [name, schema] : schemas) {
    if (schema->from_rules) continue;
    if (!only.empty()) return "";
    only = name;
  }
  return only;
}

}  // namespace

std::optional<api::RowError> refused_stream(const std::string& stream, const Schemas& schemas) {
  const auto known = schemas.find(stream);
  if (known == schemas.end()) return api::RowError{api::EventCode::kUnknownStream, "", "no rule file declares this stream"};
  if (!known->second->from_rules) return std::nullopt;
  return api::RowError{api::EventCode::kFromRules, "", "the stream is `from rules`: only rules with `into` fill it"};
}

// A file may have '=' in its name: only a name before it that could be a stream's is taken for one.
EventFile parse_event_file(const std::string& argument, const Schemas& schemas) {
  const size_t equals = argument.find('=');
  if (equals == std::string::npos) return {argument, ""};
  const std::string stream = argument.substr(0, equals);
  const bool is_path = stream.find_first_of("/.") != std::string::npos && !schemas.contains(stream);
  return is_path ? EventFile{argument, ""} : EventFile{argument.substr(equals + 1), stream};
}

cep::Result<std::unique_ptr<EventReader>> EventReader::open(const EventFile& file, const Schemas& schemas,
                                                            uint32_t rows_max) {
  std::unique_ptr<EventReader> reader(new EventReader(file, schemas, rows_max));
  const cep::Status status = reader->prepare();
  if (!status) return status.error();
  return reader;
}

cep::Status EventReader::prepare() {
  if (file_.path.empty()) return cep::Error{"bad_option", "the name of a file with events is empty"};
  if (const auto refused = refused_stream(file_.stream, schemas_); refused && !file_.stream.empty()) {
    return cep::Error{std::string(api::event_code_name(refused->code)), file_.path + ": " + file_.stream + ": " + refused->message};
  }
  const std::string name = without_packing(file_.path);
  const bool is_csv = name.ends_with(".csv");
  if (!is_csv && file_.path != "-" && !name.ends_with(".ndjson") && !name.ends_with(".jsonl")) {
    return cep::Error{
        "unknown_format",
        file_.path + ": events are read from .ndjson, .jsonl and .csv, each also .gz or .zst, and from -"};
  }
  cep::Result<std::unique_ptr<ByteSource>> source = ByteSource::open(file_.path);
  if (!source) return source.error();
  source_ = std::move(source).value();
  const bool has_one_stream = file_.stream.empty() && !only_stream(schemas_).empty();
  if (is_csv) {
    if (has_one_stream) file_.stream = only_stream(schemas_);
    if (file_.stream.empty()) {
      return cep::Error{"unknown_stream",
                        file_.path + ": several streams are declared; say which one: STREAM=" + file_.path};
    }
    return read_header();
  }
  return has_one_stream ? find_form() : cep::ok_status();
}

// With one declared stream: its plain events, unless the first event is an envelope.
cep::Status EventReader::find_form() {
  looking_ahead_ = true;
  while (true) {
    const cep::Result<std::optional<std::string_view>> record = next_record();
    if (!record) return record.error();
    api::EventRecord envelope;
    api::RowError error;
    const bool is_envelope = *record && api::read_record(**record, "", &envelope, &error);
    if (is_envelope && envelope.is_watermark) continue;
    if (*record && is_edit_line(**record)) continue;
    if (!is_envelope) file_.stream = only_stream(schemas_);
    break;
  }
  looking_ahead_ = false;
  at_ = 0;
  return cep::ok_status();
}

cep::Status EventReader::read_header() {
  const cep::Result<std::optional<std::string_view>> header = next_record();
  if (!header) return header.error();
  csv_ = std::make_unique<api::CsvRows>(schemas_.at(file_.stream));
  if (!*header) return cep::Error{"bad_csv", file_.path + ": has no header"};
  const cep::Status status = csv_->set_header(**header);
  if (!status) return cep::Error{status.error().code, file_.path + ": " + status.error().message};
  return cep::ok_status();
}

// Bytes of the next record with its line break; npos: not complete yet.
size_t EventReader::record_size() const {
  const std::string_view rest = std::string_view(buffer_).substr(at_);
  if (rest.empty()) return std::string_view::npos;
  if (csv_ != nullptr) return api::csv_record_size(rest, at_end_);
  const size_t end = rest.find('\n');
  if (end != std::string_view::npos) return end + 1;
  return at_end_ ? rest.size() : std::string_view::npos;
}

cep::Result<std::optional<std::string_view>> EventReader::next_record() {
  while (true) {
    const size_t size = record_size();
    if (size != std::string_view::npos) {
      std::string_view record = without_line_break(std::string_view(buffer_).substr(at_, size));
      at_ += size;
      if (record.starts_with(kByteOrderMark) && records_ == 0) record.remove_prefix(kByteOrderMark.size());
      if (is_blank(record)) continue;
      return std::optional(record);
    }
    if (at_end_) return std::optional<std::string_view>();
    if (buffer_.size() - at_ > api::kJsonRowBytesMax + 2) {
      if (looking_ahead_) return std::optional<std::string_view>();
      const cep::Status status = skip_long_record();
      if (!status) return status.error();
      skipped_long_ = true;
      return std::optional(std::string_view());
    }
    if (!looking_ahead_) {
      buffer_.erase(0, at_);
      at_ = 0;
    }
    const cep::Result<bool> more = source_->read(buffer_);
    if (!more) return more.error();
    at_end_ = !*more;
  }
}

cep::Status EventReader::skip_long_record() {
  while (true) {
    const size_t end = buffer_.find('\n', at_);
    if (end != std::string::npos) {
      at_ = end + 1;
      return cep::ok_status();
    }
    buffer_.clear();
    at_ = 0;
    const cep::Result<bool> more = source_->read(buffer_);
    if (!more) return more.error();
    at_end_ = !*more;
    if (at_end_) return cep::ok_status();
  }
}

cep::Result<std::optional<EventReader::Chunk>> EventReader::next(std::vector<RejectedRecord>& rejected) {
  while (ready_.empty()) {
    const cep::Result<std::optional<std::string_view>> record = next_record();
    if (!record) return record.error();
    if (!*record) {
      finish_chunk();
      if (ready_.empty()) return std::optional<Chunk>();
      break;
    }
    if (std::exchange(skipped_long_, false)) {
      rejected.push_back(
          {file_.path, records_++, file_.stream, {api::EventCode::kTooLarge, "", "the record is too large"}});
    } else if (csv_ != nullptr) {
      take_csv(**record, rejected);
    } else if (is_edit_line(**record)) {
      if (cep::Status status = take_edit(**record); !status) return status.error();
    } else {
      take_json(**record, rejected);
    }
  }
  std::optional<Chunk> chunk(std::move(ready_.front()));
  ready_.pop_front();
  return chunk;
}

// One that cannot be read ends the file: what follows was meant under it.
cep::Status EventReader::take_edit(std::string_view record) {
  cep::Result<DatasetChange> change = read_edit_line(record);
  if (!change) return cep::Error{change.error().code, file_.path + ": " + change.error().message};
  finish_chunk();
  Chunk chunk;
  chunk.edit = std::move(*change);
  ready_.push_back(std::move(chunk));
  return cep::ok_status();
}

void EventReader::take_json(std::string_view line, std::vector<RejectedRecord>& rejected) {
  api::EventRecord record;
  api::RowError error;
  if (!api::read_record(line, file_.stream, &record, &error)) {
    rejected.push_back({file_.path, records_++, file_.stream, error});
  } else if (record.is_watermark && !record.stream.empty() && refused_stream(record.stream, schemas_)) {
    rejected.push_back({file_.path, records_, record.stream, *refused_stream(record.stream, schemas_)});
  } else if (record.is_watermark) {
    finish_chunk();
    Chunk chunk;
    chunk.watermark = record.watermark_us;
    if (!record.stream.empty()) chunk.stream = record.stream;
    ready_.push_back(std::move(chunk));
  } else {
    take_row(record.stream, record.row, rejected);
  }
}

void EventReader::take_csv(std::string_view record, std::vector<RejectedRecord>& rejected) {
  csv_json_.clear();
  api::RowError error;
  if (csv_->append(record, csv_json_, &error)) {
    take_row(file_.stream, csv_json_, rejected);
  } else {
    rejected.push_back({file_.path, records_++, file_.stream, error});
  }
}

void EventReader::take_row(const std::string& stream, std::string_view json, std::vector<RejectedRecord>& rejected) {
  const uint64_t number = records_++;
  Decoder* const decoder = this->decoder(stream);
  if (decoder == nullptr) {
    rejected.push_back({file_.path, number, stream, *refused_stream(stream, schemas_)});
    return;
  }
  if (open_ != decoder) finish_chunk();
  api::RowError error;
  if (!decoder->json.append(json, number, decoder->rows, &error)) {
    rejected.push_back({file_.path, number, stream, error});
    return;
  }
  open_ = decoder;
  if (decoder->rows.rows() == rows_max_) finish_chunk();
}

void EventReader::finish_chunk() {
  if (open_ == nullptr) return;
  Chunk chunk;
  chunk.batch = open_->rows.finish();
  ready_.push_back(std::move(chunk));
  open_ = nullptr;
}

EventReader::Decoder* EventReader::decoder(const std::string& stream) {
  const auto known = decoders_.find(stream);
  if (known != decoders_.end()) return known->second.get();
  if (refused_stream(stream, schemas_)) return nullptr;
  const auto schema = schemas_.find(stream);
  auto made =
      std::make_unique<Decoder>(Decoder{api::JsonRows(schema->second), cep::BatchBuilder(schema->second, 0, 0)});
  return decoders_.emplace(stream, std::move(made)).first->second.get();
}

}  // namespace service
