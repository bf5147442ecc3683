// Built on simdjson's first stage, which checks UTF-8 and strings' ends and lists where every token begins; the walk
// over that list is here, so that ignored fields are validated too and numbers are read from their digits. The only
// file with simdjson.
#include "api/json_rows.h"

#include <simdjson.h>

#include <bit>
#include <cstring>
#include <span>
#include <vector>

#include "api/field_tree.h"
#include "api/json_scan.h"
#include "cep/decimal.h"
#include "cep/parse.h"
#include "cep/result.h"

namespace api {
namespace {

constexpr size_t kCapacityMin = 4096;
constexpr size_t kHintKeyMax = 64;
constexpr int kBadName = -2;  // find_child: the name has a bad escape

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

const char* kind_of_token(char first) {
  switch (first) {
    case '"': return "text";
    case '{': return "an object";
    case '[': return "an array";
    case 't':
    case 'f': return "a bool";
    default: return "a number";
  }
}

// Plain digits with an optional sign and point, at most 18 of them and no more than `scale` behind the point: the usual
// case, in a few nanoseconds. Anything else is left to the exact parser.
bool read_short_number(std::string_view token, uint8_t scale, int64_t* out) {
  if (token.size() > 19) return false;
  size_t i = token[0] == '-' ? 1 : 0;
  if (i == token.size() || (token[i] == '0' && i + 1 < token.size() && token[i + 1] != '.')) return false;
  uint64_t number = 0;  // the 19 digits a token of that size can have fit
  int digits = 0, fraction = -1;
  for (; i < token.size(); ++i) {
    const unsigned digit = static_cast<unsigned>(token[i] - '0');
    if (digit <= 9) {
      number = number * 10 + digit;
      ++digits;
      if (fraction >= 0) ++fraction;
    } else if (token[i] == '.' && fraction < 0 && digits > 0) {
      fraction = 0;
    } else {
      return false;
    }
  }
  if (fraction == 0 || digits == 0 || fraction > scale) return false;
  for (int missing = scale - std::max(fraction, 0); missing > 0; --missing, ++digits) {
    if (digits >= 18) return false;
    number *= 10;
  }
  if (digits > 18) return false;
  *out = token[0] == '-' ? -static_cast<int64_t>(number) : static_cast<int64_t>(number);
  return true;
}

}  // namespace

std::string_view event_code_name(EventCode code) {
  switch (code) {
    case EventCode::kWrongType: return "wrong_type";
    case EventCode::kNotNull: return "not_null";
    case EventCode::kOutOfRange: return "out_of_range";
    case EventCode::kBadTime: return "bad_time";
    case EventCode::kTooFarAhead: return "too_far_ahead";
    case EventCode::kLate: return "late";
    case EventCode::kDuplicateKey: return "duplicate_key";
    case EventCode::kBadUtf8: return "bad_utf8";
    case EventCode::kTooDeep: return "too_deep";
    case EventCode::kTooLarge: return "too_large";
    case EventCode::kBadJson: return "bad_json";
    case EventCode::kUnknownStream: return "unknown_stream";
    case EventCode::kFromRules: return "from_rules";
  }
  return "bad_json";
}

class JsonRows::Decoder {
 public:
  explicit Decoder(cep::SchemaPtr schema)
      : schema_(std::move(schema)), tree_(*schema_), seen_(tree_.nodes().size()), hints_(tree_.nodes().size()) {}

  bool append(std::string_view json, uint64_t position, cep::BatchBuilder& rows, RowError* error);

  cep::SchemaPtr schema_;
  cep::TimeUs time_max_ = cep::kTimeMax;
  uint64_t looks_like_seconds_ = 0;

 private:
  // A member name where it stood in the previous event, and the node it led to (-1: no column there).
  struct Hint {
    std::string key;
    int node = -1;
  };

  bool find_tokens(std::string_view json);
  bool event();
  void keep_raw();
  bool object(uint32_t node, int depth);
  bool array(uint32_t node, int depth);
  bool value(int node, int depth);
  bool skip_value(int depth);
  bool skip_object(int depth);
  bool skip_array(int depth);
  bool member_name(std::string_view* key);
  int find_child(uint32_t node, std::string_view raw_key, size_t* hint);
  bool check_scalar(std::string_view token);
  bool set_column(uint16_t column, std::string_view token);
  bool set_number(uint16_t column, std::string_view token);
  bool set_time(uint16_t column, const cep::Result<cep::TimeUs>& time);
  bool set_from_text(uint16_t column, std::string_view token);
  bool read_string(std::string_view token, std::string_view* text);

  bool fail(EventCode code, std::string message);
  bool fail_column(uint16_t column, EventCode code, std::string message);
  bool wrong_type(uint16_t column, char first);
  bool not_json() { return fail(EventCode::kBadJson, "not valid JSON"); }

  bool at_end() const { return next_ == tokens_end_; }
  char peek() const { return next_ == tokens_end_ ? '\0' : json_[*next_]; }
  char take() { return next_ == tokens_end_ ? '\0' : json_[*next_++]; }
  // The scalar at next_, which is moved behind it: up to the next token, white space cut off.
  std::string_view take_scalar() {
    const uint32_t first = *next_++;
    size_t end = next_ == tokens_end_ ? json_.size() : *next_;
    while (end > first + 1 && is_space(json_[end - 1])) --end;
    return json_.substr(first, end - first);
  }

  FieldTree tree_;
  std::vector<uint64_t> seen_;            // by node: the row in which it was met last
  std::vector<std::vector<Hint>> hints_;  // by node that is an object
  uint64_t row_ = 0;
  std::unique_ptr<simdjson::internal::dom_parser_implementation> stage1_;
  size_t capacity_ = 0;
  std::string key_scratch_, text_scratch_;

  // Of the row under way.
  std::string_view json_;
  const uint32_t* next_ = nullptr;
  const uint32_t* tokens_end_ = nullptr;
  cep::BatchBuilder* rows_ = nullptr;
  RowError* error_ = nullptr;
  cep::TimeUs time_ = 0;
};

bool JsonRows::Decoder::fail(EventCode code, std::string message) {
  *error_ = {code, {}, std::move(message)};
  return false;
}

bool JsonRows::Decoder::fail_column(uint16_t column, EventCode code, std::string message) {
  *error_ = {code, schema_->columns[column].name, std::move(message)};
  return false;
}

bool JsonRows::Decoder::wrong_type(uint16_t column, char first) {
  return fail_column(column, EventCode::kWrongType,
                     "expected " + cep::type_name(schema_->columns[column].type) + ", got " + kind_of_token(first));
}

bool JsonRows::Decoder::append(std::string_view json, uint64_t position, cep::BatchBuilder& rows, RowError* error) {
  error_ = error;
  rows_ = &rows;
  ++row_;
  time_ = 0;
  if (!find_tokens(json)) return false;
  rows.begin_row();
  if (!event()) {
    rows.abandon_row();
    return false;
  }
  rows.commit_row(position);
  return true;
}

bool JsonRows::Decoder::find_tokens(std::string_view json) {
  json_ = json;
  if (json.size() > kJsonRowBytesMax) {
    return fail(EventCode::kTooLarge, "an event may have " + std::to_string(kJsonRowBytesMax) + " bytes");
  }
  if (json.size() > capacity_ || stage1_ == nullptr) {
    capacity_ = std::bit_ceil(std::max(json.size(), kCapacityMin));
    const auto made = simdjson::get_active_implementation()->create_dom_parser_implementation(
        capacity_, static_cast<size_t>(kJsonDepthMax), stage1_);
    WEIR_CHECK(made == simdjson::SUCCESS, "out of memory for a JSON decoder");
  }
  const auto status =
      stage1_->stage1(reinterpret_cast<const uint8_t*>(json.data()), json.size(), simdjson::stage1_mode::regular);
  if (status == simdjson::UTF8_ERROR) return fail(EventCode::kBadUtf8, "not valid UTF-8");
  if (status == simdjson::UNCLOSED_STRING) return fail(EventCode::kBadJson, "a string without its closing quote");
  if (status == simdjson::UNESCAPED_CHARS) return fail(EventCode::kBadJson, "a control character inside a string");
  if (status != simdjson::SUCCESS) return fail(EventCode::kBadJson, "no JSON here");
  next_ = stage1_->structural_indexes.get();
  tokens_end_ = next_ + stage1_->n_structural_indexes;
  return true;
}

bool JsonRows::Decoder::event() {
  if (take() != '{') return fail(EventCode::kBadJson, "an event must be a JSON object");
  if (!object(0, 1)) return false;
  if (!at_end()) return fail(EventCode::kBadJson, "text behind the event's closing brace");
  if (const int missing = rows_->missing_column(); missing >= 0) {
    return fail_column(static_cast<uint16_t>(missing), EventCode::kNotNull,
                       "is missing or null, but declared not null");
  }
  if (time_ > time_max_) {
    return fail_column(schema_->time_column, EventCode::kTooFarAhead,
                       "is further ahead of the clock than the stream allows");
  }
  if (schema_->raw_column) keep_raw();
  return true;
}

// On one line, as alerts are written; numbers, names and their order stay as they came.
void JsonRows::Decoder::keep_raw() {
  text_scratch_.resize(json_.size() + simdjson::SIMDJSON_PADDING);
  size_t size = 0;
  const auto status = simdjson::minify(json_.data(), json_.size(), text_scratch_.data(), size);
  WEIR_CHECK(status == simdjson::SUCCESS, "an event that was read has no short form");
  rows_->set_text(*schema_->raw_column, std::string_view(text_scratch_).substr(0, size));
}

// The name of a member and its colon; `key` is as written, without quotes.
bool JsonRows::Decoder::member_name(std::string_view* key) {
  if (peek() != '"') return not_json();
  const std::string_view token = take_scalar();
  if (take() != ':' || token.size() < 2) return not_json();
  *key = token.substr(1, token.size() - 2);
  return key->size() <= kJsonStringBytesMax || fail(EventCode::kTooLarge, "a field's name is too long");
}

// `*hint` is where the previous event would have this member; an optional field that is left out or new moves it by
// one. -1: no column lies there; kBadName: it is not a name.
int JsonRows::Decoder::find_child(uint32_t node, std::string_view raw_key, size_t* hint) {
  std::vector<Hint>& hints = hints_[node];
  for (size_t at = *hint; at < hints.size() && at < *hint + 2; ++at) {
    if (hints[at].key == raw_key) {
      *hint = at + 1;
      return hints[at].node;
    }
  }
  std::string_view key = raw_key;
  if (raw_key.find('\\') != std::string_view::npos) {
    const std::string_view token(raw_key.data() - 1, raw_key.size() + 2);
    if (!unescape_json(token, key_scratch_)) return kBadName;
    key = key_scratch_;
  }
  const int child = tree_.child(node, key);
  if (raw_key.size() <= kHintKeyMax && *hint < kJsonFieldsMax) {
    if (*hint >= hints.size()) hints.resize(*hint + 1);
    hints[*hint].key = raw_key;
    hints[*hint].node = child;
    ++*hint;
  }
  return child;
}

bool JsonRows::Decoder::object(uint32_t node, int depth) {
  if (depth > kJsonDepthMax) return fail(EventCode::kTooDeep, "nested deeper than " + std::to_string(kJsonDepthMax));
  if (peek() == '}') return take(), true;
  size_t hint = 0;
  for (uint32_t fields = 1;; ++fields) {
    if (fields > kJsonFieldsMax) {
      return fail(EventCode::kTooLarge, "more than " + std::to_string(kJsonFieldsMax) + " fields in an object");
    }
    std::string_view key;
    if (!member_name(&key)) return false;
    const int child = find_child(node, key, &hint);
    if (child == kBadName) return fail(EventCode::kBadJson, "a bad escape in a field's name");
    if (!value(child, depth)) return false;
    const char c = take();
    if (c == '}') return true;
    if (c != ',') return not_json();
  }
}

// Columns whose pointer goes through an array index.
bool JsonRows::Decoder::array(uint32_t node, int depth) {
  if (depth > kJsonDepthMax) return fail(EventCode::kTooDeep, "nested deeper than " + std::to_string(kJsonDepthMax));
  if (peek() == ']') return take(), true;
  for (uint64_t index = 0;; ++index) {
    if (!value(tree_.child(node, std::to_string(index)), depth)) return false;
    const char c = take();
    if (c == ']') return true;
    if (c != ',') return not_json();
  }
}

bool JsonRows::Decoder::value(int child, int depth) {
  if (child < 0) return skip_value(depth);
  const uint32_t node = static_cast<uint32_t>(child);
  const FieldTree::Node& place = tree_.nodes()[node];
  if (seen_[node] == row_) {
    *error_ = {EventCode::kDuplicateKey, place.columns.empty() ? place.key : schema_->columns[place.columns[0]].name,
               "stands twice in the event"};
    return false;
  }
  seen_[node] = row_;
  const char first = peek();
  if (first == '{' || first == '[') {
    if (!place.columns.empty()) return wrong_type(place.columns[0], first);
    take();
    return first == '{' ? object(node, depth + 1) : array(node, depth + 1);
  }
  if (first == '\0' || first == '}' || first == ']' || first == ',' || first == ':') return not_json();
  const std::string_view token = take_scalar();
  if (place.columns.empty()) return check_scalar(token);
  for (const uint16_t column : place.columns) {
    if (!set_column(column, token)) return false;
  }
  return true;
}

bool JsonRows::Decoder::skip_value(int depth) {
  switch (peek()) {
    case '{': return take(), skip_object(depth + 1);
    case '[': return take(), skip_array(depth + 1);
    case '\0':
    case '}':
    case ']':
    case ',':
    case ':': return not_json();
    default: return check_scalar(take_scalar());
  }
}

bool JsonRows::Decoder::skip_object(int depth) {
  if (depth > kJsonDepthMax) return fail(EventCode::kTooDeep, "nested deeper than " + std::to_string(kJsonDepthMax));
  if (peek() == '}') return take(), true;
  for (uint32_t fields = 1;; ++fields) {
    if (fields > kJsonFieldsMax) {
      return fail(EventCode::kTooLarge, "more than " + std::to_string(kJsonFieldsMax) + " fields in an object");
    }
    std::string_view key;
    if (!member_name(&key)) return false;
    if (key.find('\\') != std::string_view::npos && !unescape_json({key.data() - 1, key.size() + 2}, key_scratch_)) {
      return fail(EventCode::kBadJson, "a bad escape in a field's name");
    }
    if (!skip_value(depth)) return false;
    const char c = take();
    if (c == '}') return true;
    if (c != ',') return not_json();
  }
}

bool JsonRows::Decoder::skip_array(int depth) {
  if (depth > kJsonDepthMax) return fail(EventCode::kTooDeep, "nested deeper than " + std::to_string(kJsonDepthMax));
  if (peek() == ']') return take(), true;
  for (;;) {
    if (!skip_value(depth)) return false;
    const char c = take();
    if (c == ']') return true;
    if (c != ',') return not_json();
  }
}

// The text of a string token: a view of the event, or of a scratch buffer if it has escapes.
bool JsonRows::Decoder::read_string(std::string_view token, std::string_view* text) {
  *text = token.substr(1, token.size() - 2);
  if (std::memchr(text->data(), '\\', text->size()) != nullptr) {
    if (!unescape_json(token, text_scratch_)) return fail(EventCode::kBadJson, "a bad escape in a string");
    *text = text_scratch_;
  }
  return text->size() <= kJsonStringBytesMax ||
         fail(EventCode::kTooLarge, "a string may have " + std::to_string(kJsonStringBytesMax) + " bytes");
}

bool JsonRows::Decoder::check_scalar(std::string_view token) {
  std::string_view text;
  if (token[0] == '"') return read_string(token, &text);
  return token == "null" || token == "true" || token == "false" || cep::is_json_number(token) || not_json();
}

bool JsonRows::Decoder::set_column(uint16_t column, std::string_view token) {
  if (token == "null") return true;
  const cep::TypeKind kind = schema_->columns[column].type.kind;
  const char first = token[0];
  if (first == 't' || first == 'f') {
    const bool is_true = token == "true";
    if (!is_true && token != "false") return not_json();
    if (kind != cep::TypeKind::kBool) return wrong_type(column, first);
    rows_->set_fixed(column, is_true);
    return true;
  }
  if (first == '"') return set_from_text(column, token);
  if (kind == cep::TypeKind::kInt || kind == cep::TypeKind::kDecimal || kind == cep::TypeKind::kFloat) {
    return set_number(column, token);
  }
  if (!cep::is_json_number(token)) return not_json();
  if (kind != cep::TypeKind::kTimestamp) return wrong_type(column, first);
  bool seconds = false;
  const auto time = cep::time_from_epoch_ms(token, &seconds);
  looks_like_seconds_ += seconds;
  return set_time(column, time);
}

// int, decimal and float from digits; a decimal's digits may come from a string.
bool JsonRows::Decoder::set_number(uint16_t column, std::string_view token) {
  const cep::Type& type = schema_->columns[column].type;
  const bool is_int = type.kind == cep::TypeKind::kInt;
  int64_t number = 0;
  double real = 0;
  if (type.kind == cep::TypeKind::kFloat) {
    if (cep::parse_float(token, &real)) return rows_->set_real(column, real), true;
  } else if (!token.empty() && read_short_number(token, type.scale, &number) &&
             (is_int || cep::has_digits_at_most(number, type.precision))) {
    return rows_->set_fixed(column, number), true;
  } else if (is_int) {
    if (cep::parse_int64(token, &number)) return rows_->set_fixed(column, number), true;
  } else if (cep::Int128 scaled = 0; cep::parse_decimal(token, type, &scaled)) {
    return rows_->set_fixed(column, static_cast<int64_t>(scaled)), true;
  }
  if (!cep::is_json_number(token)) return not_json();
  cep::Int128 whole = 0;
  const bool is_short = type.kind != cep::TypeKind::kFloat && cep::parse_decimal_rounded(token, type.scale, &whole);
  if (is_short && !cep::parse_decimal_digits(token, type.scale, &whole)) {
    if (is_int) return fail_column(column, EventCode::kWrongType, "expected int, got a number with a fraction");
    return fail_column(column, EventCode::kOutOfRange,
                       "has more fraction digits than " + cep::type_name(type) + " keeps");
  }
  return fail_column(column, EventCode::kOutOfRange, "is beyond the range of " + cep::type_name(type));
}

bool JsonRows::Decoder::set_from_text(uint16_t column, std::string_view token) {
  std::string_view text;
  if (!read_string(token, &text)) return false;
  switch (schema_->columns[column].type.kind) {
    case cep::TypeKind::kText: rows_->set_text(column, text); return true;
    case cep::TypeKind::kTimestamp: return set_time(column, cep::parse_time(text, schema_->zone));
    case cep::TypeKind::kDecimal:
      if (!cep::is_json_number(text)) return wrong_type(column, '"');
      return set_number(column, text);
    case cep::TypeKind::kIp:
      if (cep::IpBytes ip{}; cep::parse_ip(text, &ip)) return rows_->set_ip(column, ip), true;
      return fail_column(column, EventCode::kWrongType, "expected ip, got a text that is no IPv4 or IPv6 address");
    case cep::TypeKind::kDuration:
      if (cep::DurationUs us = 0; cep::parse_duration(text, &us)) return rows_->set_fixed(column, us), true;
      return fail_column(column, EventCode::kWrongType, "expected an ISO 8601 duration such as \"PT1H30M\"");
    default: return wrong_type(column, '"');
  }
}

bool JsonRows::Decoder::set_time(uint16_t column, const cep::Result<cep::TimeUs>& time) {
  if (!time.ok()) return fail_column(column, EventCode::kBadTime, time.error().message);
  if (column == schema_->time_column) time_ = time.value();
  rows_->set_fixed(column, time.value());
  return true;
}

bool is_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

JsonRows::JsonRows(cep::SchemaPtr schema) : decoder_(std::make_unique<Decoder>(std::move(schema))) {}
JsonRows::~JsonRows() = default;
JsonRows::JsonRows(JsonRows&&) noexcept = default;
JsonRows& JsonRows::operator=(JsonRows&&) noexcept = default;

bool JsonRows::append(std::string_view json, uint64_t position, cep::BatchBuilder& rows, RowError* error) {
  return decoder_->append(json, position, rows, error);
}

void JsonRows::set_time_max(cep::TimeUs time_max_us) { decoder_->time_max_ = time_max_us; }
uint64_t JsonRows::looks_like_seconds() const { return decoder_->looks_like_seconds_; }
const cep::SchemaPtr& JsonRows::schema() const { return decoder_->schema_; }

}  // namespace api
