#include "service/source_files.h"

namespace service {

cep::Result<std::unique_ptr<SourceFiles>> SourceFiles::open(const std::vector<EventFile>& files, const Schemas& schemas,
                                                            uint32_t rows_max) {
  auto source = std::make_unique<SourceFiles>();
  source->rows_max_ = rows_max;
  bool is_known = true;
  for (const EventFile& file : files) {
    cep::Result<std::unique_ptr<EventReader>> reader = EventReader::open(file, schemas, rows_max);
    if (!reader) return reader.error();
    const uint64_t bytes = (*reader)->bytes().bytes_total();
    is_known = is_known && bytes > 0;
    source->bytes_total_ += bytes;
    source->inputs_.push_back({std::move(reader).value(), std::nullopt, 0, 0});
  }
  if (!is_known) source->bytes_total_ = 0;
  return source;
}

cep::Result<std::optional<SourceFiles::Step>> SourceFiles::next() {
  return inputs_.size() == 1 ? next_of_one() : next_merged();
}

// One file needs no merging: its chunks are the steps.
cep::Result<std::optional<SourceFiles::Step>> SourceFiles::next_of_one() {
  cep::Result<std::optional<EventReader::Chunk>> chunk = inputs_[0].reader->next(rejected_);
  if (!chunk) return chunk.error();
  if (!*chunk) return std::optional<Step>();
  return std::optional<Step>({(*chunk)->batch, (*chunk)->watermark, (*chunk)->stream, std::move((*chunk)->edit)});
}

cep::Status SourceFiles::fill(Input& input) {
  if (input.chunk || input.reader == nullptr) return cep::ok_status();
  cep::Result<std::optional<EventReader::Chunk>> chunk = input.reader->next(rejected_);
  if (!chunk) return chunk.error();
  input.chunk = std::move(chunk).value();
  input.row = 0;
  if (!input.chunk) {
    finished_bytes_ += input.reader->bytes().bytes_read();
    input.reader = nullptr;
  }
  return cep::ok_status();
}

SourceFiles::Input* SourceFiles::earliest() {
  Input* best = nullptr;
  for (Input& input : inputs_) {
    if (input.chunk && (best == nullptr || input.head_time() < best->head_time())) best = &input;
  }
  return best;
}

// The merged number of a file's record; refused records before it take theirs now.
uint64_t SourceFiles::place(Input& input, uint64_t record) {
  records_ += record - input.records;
  input.records = record + 1;
  return records_++;
}

cep::Result<std::optional<SourceFiles::Step>> SourceFiles::next_merged() {
  cep::BatchBuilder* rows = nullptr;
  while (true) {
    for (Input& input : inputs_) {
      const cep::Status status = fill(input);
      if (!status) return status.error();
    }
    Input* const input = earliest();
    const bool is_row = input != nullptr && input->chunk->batch != nullptr;
    if (!is_row) {
      if (rows != nullptr) break;
      if (input == nullptr) return std::optional<Step>();
      Step step{nullptr, input->chunk->watermark, input->chunk->stream, std::move(input->chunk->edit)};
      input->chunk.reset();
      return std::optional(std::move(step));
    }
    const cep::Batch& batch = *input->chunk->batch;
    auto& builder = builders_[batch.schema->name];
    if (builder == nullptr) builder = std::make_unique<cep::BatchBuilder>(batch.schema, 0, 0);
    if (rows != nullptr && rows != builder.get()) break;
    rows = builder.get();
    copy_row(batch, input->row, place(*input, batch.position[input->row]), *rows);
    if (++input->row == batch.rows()) input->chunk.reset();
    if (rows->rows() == rows_max_) break;
  }
  return std::optional<Step>({rows->finish(), 0, std::nullopt, std::nullopt});
}

uint64_t SourceFiles::bytes_read() const {
  uint64_t sum = 0;
  for (const Input& input : inputs_) sum += input.reader == nullptr ? 0 : input.reader->bytes().bytes_read();
  return sum + finished_bytes_;
}

}  // namespace service
