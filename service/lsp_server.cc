#include "service/lsp_server.h"

#include <algorithm>
#include <charconv>

#include "api/json_rows.h"
#include "api/json_scan.h"
#include "api/json_writer.h"
#include "patterns/assist.h"
#include "patterns/parser.h"
#include "patterns/printer.h"
#include "service/cli.h"
#include "service/lsp_text.h"

namespace service {
namespace {

// Codes of JSON-RPC and of the protocol.
constexpr int kParseError = -32700;
constexpr int kInvalidRequest = -32600;
constexpr int kMethodNotFound = -32601;
constexpr int kInvalidParams = -32602;
constexpr int kNotInitialized = -32002;

constexpr std::string_view kNoFile = "<stdin>";        // a document without a file leans on nothing

std::optional<std::string_view> member(std::string_view json, std::string_view name) {
  api::JsonScan scan(json);
  std::string_view key, value;
  if (!scan.enter('{')) return std::nullopt;
  while (scan.next_member(&key, &value)) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::optional<std::string_view> member(std::string_view json, std::string_view outer, std::string_view inner) {
  const auto value = member(json, outer);
  return value ? member(*value, inner) : std::nullopt;
}

std::optional<std::string> text(std::optional<std::string_view> json) {
  std::string out;
  if (!json || !json->starts_with('"') || !api::unescape_json(*json, out)) return std::nullopt;
  return out;
}

std::optional<uint32_t> number(std::optional<std::string_view> json) {
  uint32_t value = 0;
  if (!json) return std::nullopt;
  const auto read = std::from_chars(json->data(), json->data() + json->size(), value);
  return read.ec == std::errc() && read.ptr == json->data() + json->size() ? std::optional(value) : std::nullopt;
}

bool is_id(std::string_view json) {
  const size_t sign = json.starts_with('-') ? 1 : 0;
  return text(json) || (json.size() > sign && json.find_first_not_of("0123456789", sign) == std::string_view::npos);
}

bool is_object(std::string_view json) {
  api::JsonScan scan(json);
  std::string_view key, value;
  if (!scan.enter('{')) return false;
  while (scan.next_member(&key, &value)) {
  }
  return scan.complete();
}

void write_position(api::JsonWriter& json, std::string_view name, LspPosition at) {
  json.key(name).begin_object().key("line").unsigned_integer(at.line).key("character").unsigned_integer(at.character).end_object();
}

void write_range(api::JsonWriter& json, std::string_view name, std::string_view text, uint32_t begin, uint32_t end) {
  json.key(name).begin_object();
  write_position(json, "start", position_of(text, begin));
  write_position(json, "end", position_of(text, end));
  json.end_object();
}

void write_diagnostic(api::JsonWriter& json, const patterns::SourceMap& sources, const patterns::Diagnostic& it, const std::string& uri) {
  const std::string& text = sources.text(it.span.file);
  const bool is_error = it.severity == patterns::Severity::kError;
  json.begin_object();
  write_range(json, "range", text, it.span.begin, it.span.end);
  json.key("severity").integer(is_error ? 1 : 2);
  json.field("code", patterns::info(it.code).code).field("source", "weir");
  json.field("message", it.hint.empty() ? it.message : it.message + "\n" + it.hint);
  json.key("relatedInformation").begin_array();
  for (const patterns::Note& note : it.notes) {
    if (note.span.file != it.span.file) continue;
    json.begin_object().key("location").begin_object().field("uri", uri);
    write_range(json, "range", text, note.span.begin, note.span.end);
    json.end_object().field("message", note.message).end_object();
  }
  json.end_array().end_object();
}

// CompletionItemKind.
int kind_number(patterns::CompletionKind kind) {
  switch (kind) {
    case patterns::CompletionKind::kKeyword: return 14;
    case patterns::CompletionKind::kFunction: return 3;
    case patterns::CompletionKind::kField: return 5;
    case patterns::CompletionKind::kVariable: return 6;
    case patterns::CompletionKind::kStream: return 7;
    case patterns::CompletionKind::kList:
    case patterns::CompletionKind::kTable: return 13;
  }
  return 1;
}

std::string capabilities() {
  std::string out;
  api::JsonWriter json(out);
  json.begin_object().key("capabilities").begin_object();
  json.field("positionEncoding", "utf-16").key("textDocumentSync").integer(1);      // whole texts
  json.key("hoverProvider").boolean(true).key("documentFormattingProvider").boolean(true);
  json.key("completionProvider").begin_object().key("triggerCharacters").begin_array().string(".").string("@").end_array().end_object();
  json.end_object().key("serverInfo").begin_object().field("name", "weir").field("version", kVersion).end_object().end_object();
  return out;
}

}  // namespace

bool LspServer::handle(std::string_view message) {
  if (!api::is_utf8(message) || !is_object(message)) {
    fail("null", kParseError, "the message is no JSON object");
    return true;
  }
  Request request;
  request.method = text(member(message, "method")).value_or("");
  if (const auto id = member(message, "id")) request.id = std::string(*id);
  if (!request.id.empty() && !is_id(request.id)) {
    fail("null", kInvalidRequest, "an `id` is a number or a string");
    return true;
  }
  if (const auto params = member(message, "params")) request.params = *params;
  if (request.method == "exit") return false;
  if (request.method.empty()) {
    const bool is_answer = member(message, "result") || member(message, "error");
    if (!is_answer) fail(request.id.empty() ? "null" : request.id, kInvalidRequest, "a request has a `method`");
  } else if (request.id.empty()) {
    notification(request);
  } else {
    this->request(request);
  }
  return true;
}

void LspServer::request(const Request& request) {
  const std::string& method = request.method;
  if (method == "initialize") {
    initialized_ = true;
    return reply(request.id, capabilities());
  }
  if (!initialized_) return fail(request.id, kNotInitialized, "`initialize` comes first");
  if (shut_down_) return fail(request.id, kInvalidRequest, "after `shutdown` comes `exit`");
  if (method == "shutdown") {
    shut_down_ = true;
    return reply(request.id, "null");
  }
  std::string result;
  if (method == "textDocument/hover") {
    result = hover(request.params);
  } else if (method == "textDocument/completion") {
    result = completion(request.params);
  } else if (method == "textDocument/formatting") {
    result = formatting(request.params);
  } else {
    return fail(request.id, kMethodNotFound, "there is no `" + method + "` here");
  }
  if (result.empty()) return fail(request.id, kInvalidParams, "no open document, or no position in it");
  reply(request.id, result);
}

void LspServer::notification(const Request& request) {
  if (!initialized_) return;
  if (request.method == "textDocument/didOpen") change(request, true);
  if (request.method == "textDocument/didChange") change(request, false);
  if (request.method == "textDocument/didClose") close(request.params);
}

void LspServer::reply(const std::string& id, const std::string& result) {
  std::string out;
  api::JsonWriter json(out);
  json.begin_object().field("jsonrpc", "2.0").key("id").raw(id).key("result").raw(result).end_object();
  send_(out);
}

void LspServer::fail(const std::string& id, int code, std::string_view message) {
  std::string out;
  api::JsonWriter json(out);
  json.begin_object().field("jsonrpc", "2.0").key("id").raw(id).key("error").begin_object();
  json.key("code").integer(code).field("message", message).end_object().end_object();
  send_(out);
}

// Every change brings the whole text: the last one counts.
void LspServer::change(const Request& request, bool opened) {
  const auto uri = text(member(request.params, "textDocument", "uri"));
  std::optional<std::string> now;
  if (opened) {
    now = text(member(request.params, "textDocument", "text"));
  } else if (const auto changes = member(request.params, "contentChanges")) {
    api::JsonScan scan(*changes);
    std::string_view one;
    for (scan.enter('['); scan.next_element(&one);) now = text(member(one, "text"));
  }
  if (!uri || !now || (!opened && !documents_.contains(*uri))) return;
  documents_[*uri] = {path_of_uri(*uri), std::move(*now)};
  for (const auto& [name, document] : documents_) publish(name, document);      // others may lean on it
}

void LspServer::close(std::string_view params) {
  const auto uri = text(member(params, "textDocument", "uri"));
  if (!uri || documents_.erase(*uri) == 0) return;
  publish(*uri, {});
  for (const auto& [name, document] : documents_) publish(name, document);
}

// The document behind the declarations it leans on; those that are open are as the editor has them. The document is the last.
std::vector<RuleText> LspServer::texts_of(const Document& document) const {
  const RuleText own{document.path.empty() ? std::string(kNoFile) : document.path, document.text};
  const auto read = [&](const std::string& path) -> cep::Result<std::string> {
    for (const auto& [uri, other] : documents_) {
      if (other.path == path) return other.text;
    }
    return read_whole_file(path);
  };
  cep::Result<std::vector<RuleText>> texts = with_declarations({own}, read);
  return texts ? std::move(*texts) : std::vector<RuleText>{own};      // a file that cannot be read: its names are unknown
}

void LspServer::publish(const std::string& uri, const Document& document) {
  Compilation compilation;
  const std::vector<RuleText> texts = texts_of(document);
  if (!document.text.empty()) compile_texts(texts, compilation);
  std::string out;
  api::JsonWriter json(out);
  json.begin_object().field("jsonrpc", "2.0").field("method", "textDocument/publishDiagnostics").key("params").begin_object();
  json.field("uri", uri).key("diagnostics").begin_array();
  for (const patterns::Diagnostic& it : compilation.diagnostics.sorted()) {
    if (it.span.file + 1 == texts.size()) write_diagnostic(json, compilation.sources, it, uri);
  }
  json.end_array().end_object().end_object();
  send_(out);
}

std::optional<LspServer::Question> LspServer::question(std::string_view params) const {
  const auto document = documents_.find(text(member(params, "textDocument", "uri")).value_or(""));
  const auto line = number(member(params, "position", "line"));
  const auto character = number(member(params, "position", "character"));
  if (document == documents_.end() || !line || !character) return std::nullopt;
  Question out;
  for (const RuleText& text : texts_of(document->second)) out.files.push_back(out.sources.add(text.name, text.text));
  out.focus = out.files.back();
  out.offset = offset_of(document->second.text, {*line, *character});
  return out;
}

std::string LspServer::hover(std::string_view params) const {
  const std::optional<Question> asked = question(params);
  if (!asked) return "";
  const auto found = patterns::Assist(asked->sources, asked->files, asked->focus).hover(asked->offset);
  if (!found) return "null";
  std::string out;
  api::JsonWriter json(out);
  json.begin_object().key("contents").begin_object().field("kind", "markdown").field("value", found->text).end_object();
  write_range(json, "range", asked->sources.text(asked->focus), found->span.begin, found->span.end);
  json.end_object();
  return out;
}

std::string LspServer::completion(std::string_view params) const {
  const std::optional<Question> asked = question(params);
  if (!asked) return "";
  std::string out;
  api::JsonWriter json(out);
  json.begin_array();
  for (const patterns::Completion& it : patterns::Assist(asked->sources, asked->files, asked->focus).completions(asked->offset)) {
    json.begin_object().field("label", it.label).key("kind").integer(kind_number(it.kind)).field("detail", it.detail).end_object();
  }
  json.end_array();
  return out;
}

// A text with errors is left alone, as `weir fmt` does.
std::string LspServer::formatting(std::string_view params) const {
  const auto document = documents_.find(text(member(params, "textDocument", "uri")).value_or(""));
  if (document == documents_.end()) return "";
  const std::string& before = document->second.text;
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  const patterns::File file = patterns::parse(sources, sources.add(document->first, before), diagnostics);
  if (diagnostics.errors() > 0) return "[]";
  const std::string after = patterns::format(file);
  if (after == before) return "[]";
  std::string out;
  api::JsonWriter json(out);
  json.begin_array().begin_object();
  write_range(json, "range", before, 0, static_cast<uint32_t>(before.size()));
  json.field("newText", after).end_object().end_array();
  return out;
}

}  // namespace service
