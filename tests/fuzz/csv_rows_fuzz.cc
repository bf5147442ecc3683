// CSV to the JSON rows of the log: no bytes crash the splitter; records cover the text without gap; what is appended is JSON that the
// decoder of rows can read.
#include "api/csv_rows.h"
#include "cep/batch.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/schemas.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 4096) return 0;
  static const cep::SchemaPtr kSchema = fuzz::every_type();
  static api::JsonRows decoder(kSchema);
  std::string_view text = fuzz::text_of(data, size);
  api::CsvRows csv(kSchema);
  bool has_header = false;
  cep::BatchBuilder rows(kSchema, 0, 0);
  for (uint64_t record = 0; !text.empty(); ++record) {
    const size_t length = api::csv_record_size(text, true);
    fuzz::check(length > 0 && length <= text.size(), "a record of no length, or beyond the text", text);
    const std::string_view line = text.substr(0, length);
    text.remove_prefix(length);
    if (!has_header) {
      if (!csv.set_header(line)) return 0;
      has_header = true;
      continue;
    }
    std::string json = "[";
    api::RowError error;
    if (!csv.append(line, json, &error)) {
      fuzz::check(json == "[", "a refused record left bytes", json);
      continue;
    }
    api::RowError why;
    const bool accepted = decoder.append(std::string_view(json).substr(1), record, rows, &why);
    const bool planted = fuzz::kPlanted && accepted && json.find("\\u00") != std::string::npos;
    const bool is_json = why.code != api::EventCode::kBadJson && why.code != api::EventCode::kDuplicateKey && !planted;
    fuzz::check(accepted ? !planted : is_json, "what was written is no JSON row", json);
  }
  return 0;
}
