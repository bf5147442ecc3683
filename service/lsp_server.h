// The Language Server Protocol on rule files: diagnostics as `weir check` finds them, hover, completion, formatting as `weir fmt` does it.
// One message in, any number of messages out; framing and streams are cmd_lsp's.
// Invariant: no message, however broken, ends the server: what is no JSON gets a parse error, what is no request of ours an error or
// nothing. Documents are what the editor said last; files are read only for declarations that a document leans on.
// Threads: one owner.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "patterns/source_map.h"
#include "service/rule_files.h"

namespace service {

class LspServer {
 public:
  using Send = std::function<void(const std::string& json)>;
  explicit LspServer(Send send) : send_(std::move(send)) {}

  // False: the client asked for the end.
  bool handle(std::string_view message);
  // Of the process after that: 0 if the client shut down in order.
  int exit_status() const { return shut_down_ ? 0 : 1; }

 private:
  struct Request {
    std::string id;              // JSON; empty: a notification
    std::string method;
    std::string_view params;     // JSON; empty: none
  };
  struct Document {
    std::string path;            // of its file; empty: it has none
    std::string text;
  };
  // A document with the declarations it leans on, and the place a request asks about.
  struct Question {
    patterns::SourceMap sources;
    std::vector<patterns::FileId> files;
    patterns::FileId focus = 0;
    uint32_t offset = 0;
  };

  void request(const Request& request);
  void notification(const Request& request);
  void reply(const std::string& id, const std::string& result);
  void fail(const std::string& id, int code, std::string_view message);

  void change(const Request& request, bool opened);
  void close(std::string_view params);
  void publish(const std::string& uri, const Document& document);
  std::vector<RuleText> texts_of(const Document& document) const;
  std::optional<Question> question(std::string_view params) const;
  std::string hover(std::string_view params) const;
  std::string completion(std::string_view params) const;
  std::string formatting(std::string_view params) const;

  Send send_;
  std::map<std::string, Document> documents_;      // by URI
  bool initialized_ = false;
  bool shut_down_ = false;
};

}  // namespace service
