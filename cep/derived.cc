// See derived.h. Tests: tests/unit/cep/derived_test.cc, tests/scripts/into.
#include "cep/derived.h"

#include <cstring>

#include "cep/decimal.h"
#include "cep/expr.h"
#include "cep/row.h"

namespace cep {
namespace {

// Puts the value into the column if it can stand there exactly; false: it cannot.
bool put(BatchBuilder& rows, uint16_t column, const Type& type, const Value& value) {
  auto fixed = [&](Int128 number) {
    if (!fits_int64(number)) return false;
    rows.set_fixed(column, static_cast<int64_t>(number));
    return true;
  };
  auto is = [&](ValueKind kind) { return value.kind == kind; };
  switch (type.kind) {
    case TypeKind::kBool: return is(ValueKind::kBool) && fixed(value.number);
    case TypeKind::kInt: return is(ValueKind::kInt) && fixed(value.number);
    case TypeKind::kTimestamp: return is(ValueKind::kTimestamp) && fixed(value.number);
    case TypeKind::kDuration: return is(ValueKind::kDuration) && fixed(value.number);
    case TypeKind::kFloat:
      if (!is(ValueKind::kFloat) && !is(ValueKind::kInt)) return false;
      rows.set_real(column, is(ValueKind::kFloat) ? value.real : static_cast<double>(value.number));
      return true;
    case TypeKind::kDecimal: {
      if ((!is(ValueKind::kDecimal) && !is(ValueKind::kInt)) || value.scale > type.scale) return false;
      std::optional<Int128> scaled = rescale(value.number, value.scale, type.scale);
      return scaled.has_value() && has_digits_at_most(*scaled, type.precision) && fixed(*scaled);
    }
    case TypeKind::kText:
      if (is(ValueKind::kText)) rows.set_text(column, value.text());
      return is(ValueKind::kText);
    case TypeKind::kIp:
      if (is(ValueKind::kIp)) rows.set_ip(column, value.ip);
      return is(ValueKind::kIp);
  }
  return false;
}

Value value_of(const Alert& alert, const IntoColumn& from) {
  switch (from.source) {
    case IntoColumn::Source::kMeasure: return alert.measures[from.index].view();
    case IntoColumn::Source::kKey: return alert.key[from.index].view();
    case IntoColumn::Source::kRule: return Value::string(alert.program->rule);
    case IntoColumn::Source::kSeverity: return Value::string(severity_name(alert.program->alert.severity));
    case IntoColumn::Source::kScore: return alert.score < 0 ? Value::null() : Value::integer(alert.score);
    case IntoColumn::Source::kDecision: {
      const Decision decision = alert.program->alert.decision;
      return decision == Decision::kNone ? Value::null() : Value::string(decision_name(decision));
    }
    case IntoColumn::Source::kTime: return Value::timestamp(alert.time);
  }
  return Value::null();
}

uint64_t position_of(const AlertId& id) {
  uint64_t position = 0;
  for (size_t i = 6; i < 14; ++i) position = position << 8 | id[i];
  return position;
}

}  // namespace

std::vector<IntoColumn> bind_into(const Program& program, const StreamSchema& schema) {
  using Source = IntoColumn::Source;
  static constexpr std::pair<std::string_view, Source> kOwn[] = {{"rule", Source::kRule},         {"severity", Source::kSeverity},
                                                                 {"score", Source::kScore},       {"decision", Source::kDecision},
                                                                 {"at", Source::kTime}};
  std::vector<IntoColumn> bound;
  for (uint16_t c = 0; c < schema.columns.size(); ++c) {
    auto find = [&]() -> std::optional<IntoColumn> {
      if (c == schema.time_column) return IntoColumn{c, Source::kTime, 0};
      const std::string& name = schema.columns[c].name;
      for (uint16_t m = 0; m < program.measures.size(); ++m) {
        if (program.measures[m].name == name) return IntoColumn{c, Source::kMeasure, m};
      }
      for (uint16_t k = 0; k < program.key.size(); ++k) {
        if (program.key[k].name == name) return IntoColumn{c, Source::kKey, k};
      }
      for (const auto& [own, source] : kOwn) {
        if (own == name) return IntoColumn{c, source, 0};
      }
      return std::nullopt;
    };
    if (std::optional<IntoColumn> column = find()) bound.push_back(*column);
  }
  return bound;
}

BatchPtr derived_row(const Alert& alert, const SchemaPtr& schema, std::span<const IntoColumn> columns, EvalCounters& counters) {
  BatchBuilder rows(schema, kRulesSource, 0);
  rows.begin_row();
  for (const IntoColumn& from : columns) {
    const Value value = value_of(alert, from);
    if (!value.is_null() && !put(rows, from.column, schema->columns[from.column].type, value)) ++counters.cast_null;
  }
  rows.commit_row(position_of(alert.id));
  return rows.finish();
}

std::string pack_derived(const Batch& row) {
  std::vector<uint64_t> packed(packed_size(row, 0) / 8);      // 8-aligned
  pack_row(row, 0, reinterpret_cast<uint8_t*>(packed.data()));
  return {reinterpret_cast<const char*>(packed.data()), packed.size() * 8};
}

BatchPtr unpack_derived(const SchemaPtr& schema, std::string_view bytes) {
  if (bytes.empty()) return nullptr;
  std::vector<uint64_t> packed((bytes.size() + 7) / 8);
  std::memcpy(packed.data(), bytes.data(), bytes.size());
  const uint8_t* data = reinterpret_cast<const uint8_t*>(packed.data());
  if (!verify_row(*schema, data, bytes.size())) return nullptr;
  const RowHeader& header = *reinterpret_cast<const RowHeader*>(data);
  if (header.size != bytes.size() || header.source != kRulesSource) return nullptr;
  const RowRef row = row_of(*schema, data);
  BatchBuilder rows(schema, kRulesSource, 0);
  rows.begin_row();
  for (uint16_t c = 0; c < schema->columns.size(); ++c) {
    const Value value = row.value(c);
    if (!value.is_null() && !put(rows, c, schema->columns[c].type, value)) return nullptr;
  }
  rows.commit_row(header.position);
  return rows.finish();
}

}  // namespace cep
