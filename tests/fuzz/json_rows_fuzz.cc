// JSON events to rows: no bytes crash the decoder; a refused event leaves no trace and says why; the same bytes give the same row, also
// behind other events, and a known event decodes as ever afterwards.
#include <memory>

#include "api/json_rows.h"
#include "cep/batch.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/schemas.h"

namespace {

constexpr std::string_view kKnown =
    R"({"at": "2026-01-05T00:00:00Z", "id": "a", "i": 5, "d": 1.25, "m": {"t": "x"}, "l": [0, "10.0.0.1"]})";

bool same_row(const cep::Batch& batch, uint32_t a, uint32_t b) {
  for (uint16_t column = 0; column < batch.schema->columns.size(); ++column) {
    const cep::Value x = batch.value(a, column);
    const cep::Value y = batch.value(b, column);
    if (x.is_null() != y.is_null() || x.kind != y.kind) return false;
    const bool same_float = x.kind == cep::ValueKind::kFloat && std::memcmp(&x.real, &y.real, sizeof x.real) == 0;
    if (!x.is_null() && !same_float && cep::compare(x, y) != 0) return false;
  }
  return batch.time[a] == batch.time[b];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 4096) return 0;
  static const cep::SchemaPtr kSchema = fuzz::every_type();
  // A decoder learns the order of fields only: what it gives must not depend on that, so it may live on.
  static const auto kDecoder = std::make_unique<api::JsonRows>(kSchema);
  const std::string_view json = fuzz::text_of(data, size);
  cep::BatchBuilder rows(kSchema, 0, 0);
  api::RowError error;
  const bool accepted = kDecoder->append(json, 0, rows, &error);
  fuzz::check(rows.rows() == (accepted ? 1u : 0u), "a refused event left a row", json);
  fuzz::check(accepted || !error.message.empty(), "refused without a reason", json);
  fuzz::check(kDecoder->append(kKnown, 1, rows, &error), "a known event was refused", error.message);
  api::RowError second;
  fuzz::check(kDecoder->append(json, 2, rows, &second) == accepted, "the same bytes decode otherwise behind another event", json);
  fuzz::check(kDecoder->append(kKnown, 3, rows, &error), "a known event was refused", error.message);
  const cep::BatchPtr batch = rows.finish();
  const uint32_t known = accepted ? 1 : 0;
  fuzz::check(same_row(*batch, known, batch->rows() - 1), "a known event decodes otherwise", json);
  const bool planted = fuzz::kPlanted && accepted && batch->value(0, 3).number > 600;
  fuzz::check(!accepted || (same_row(*batch, 0, 2) && !planted), "the same bytes give another row", json);
  return 0;
}
