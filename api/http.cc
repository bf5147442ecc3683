#include "api/http.h"

#include <charconv>

#include "api/json_rows.h"
#include "cep/parse.h"

namespace api {
namespace {

constexpr uint32_t kPageItemsMax = 1'000;
constexpr int kWaitMsMax = 60'000;

cep::Error bad_param(std::string_view name, std::string_view wanted) {
  return {"bad_request", "The parameter " + std::string(name) + " must be " + std::string(wanted) + "."};
}

bool read_unsigned(std::string_view digits, uint32_t* out) {
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), *out);
  return end.ec == std::errc() && end.ptr == digits.data() + digits.size();
}

bool parse_query(std::string_view query, NamedValues& out) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view part = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (part.empty()) continue;
    const size_t equals = std::min(part.find('='), part.size());
    std::pair<std::string, std::string> pair;
    if (!percent_decode(part.substr(0, equals), true, pair.first)) return false;
    if (equals < part.size() && !percent_decode(part.substr(equals + 1), true, pair.second)) return false;
    out.push_back(std::move(pair));
  }
  return true;
}

}  // namespace

std::string_view HttpRequest::header(std::string_view lower_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_name) return value;
  }
  return {};
}

const std::string* HttpRequest::param(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::vector<std::string> HttpRequest::params(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : query) {
    if (key == name) values.push_back(value);
  }
  return values;
}

bool percent_decode(std::string_view text, bool plus_is_space, std::string& out) {
  out.clear();
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return false;
      unsigned byte = 0;
      const auto end = std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16);
      if (end.ptr != text.data() + i + 3 || byte == 0) return false;
      c = static_cast<char>(byte);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    out += c;
  }
  return is_utf8(out);
}

bool parse_target(std::string_view target, HttpRequest& request) {
  const size_t mark = std::min(target.find('?'), target.size());
  request.path = target.substr(0, mark);
  return mark == target.size() || parse_query(target.substr(mark + 1), request.query);
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

cep::Result<uint32_t> limit_param(const HttpRequest& request) {
  const std::string* text = request.param("limit");
  uint32_t limit = 100;
  if (text != nullptr && (!read_unsigned(*text, &limit) || limit < 1 || limit > kPageItemsMax)) {
    return bad_param("limit", "a number from 1 to 1000");
  }
  return limit;
}

cep::Result<PageQuery> page_param(const HttpRequest& request) {
  const auto limit = limit_param(request);
  if (!limit.ok()) return limit.error();
  return PageQuery{limit.value(), text_param(request, "cursor").value_or("")};
}

cep::Result<std::optional<cep::TimeUs>> time_param(const HttpRequest& request, std::string_view name) {
  const std::string* text = request.param(name);
  if (text == nullptr) return std::optional<cep::TimeUs>();
  const bool is_number = cep::is_json_number(*text);
  const auto time = is_number ? cep::time_from_epoch_ms(*text) : cep::parse_time(*text, "UTC");
  if (!time.ok()) return bad_param(name, "a time: RFC 3339 or epoch milliseconds");
  return std::optional<cep::TimeUs>(time.value());
}

cep::Result<int> wait_ms_param(const HttpRequest& request) {
  const std::string* text = request.param("wait");
  if (text == nullptr) return 0;
  const size_t unit = std::min(text->find_first_not_of("0123456789"), text->size());
  uint32_t number = 0;
  const bool is_ms = text->substr(unit) == "ms";
  if (!read_unsigned(std::string_view(*text).substr(0, unit), &number) || number > kWaitMsMax ||
      (!is_ms && text->substr(unit) != "s") || (!is_ms && number > kWaitMsMax / 1000)) {
    return bad_param("wait", "a duration such as 30s or 500ms, at most 60s");
  }
  return static_cast<int>(is_ms ? number : number * 1000);
}

cep::Result<bool> flag_param(const HttpRequest& request, std::string_view name) {
  const std::string* text = request.param(name);
  if (text == nullptr || *text == "false") return false;
  if (*text == "true") return true;
  return bad_param(name, "true or false");
}

std::optional<std::string> text_param(const HttpRequest& request, std::string_view name) {
  const std::string* text = request.param(name);
  return text != nullptr ? std::optional<std::string>(*text) : std::nullopt;
}

}  // namespace api
