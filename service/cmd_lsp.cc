// `weir lsp`: a language server over the standard streams, for editors. Messages are framed by Content-Length headers.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <charconv>
#include <cstdio>

#include "service/commands.h"
#include "service/lsp_server.h"

namespace service {
namespace {

constexpr size_t kMessageBytesMax = size_t{64} << 20;
constexpr size_t kHeaderBytesMax = 4096;

// The next header line without its end; false at the end of the input or if it is no header at all.
bool read_line(std::string& line) {
  line.clear();
  for (int c = std::fgetc(stdin); c != EOF && line.size() < kHeaderBytesMax; c = std::fgetc(stdin)) {
    if (c == '\n') {
      if (line.ends_with('\r')) line.pop_back();
      return true;
    }
    line += static_cast<char>(c);
  }
  return false;
}

enum class Read { kMessage, kEnd, kBadFrame };

Read read_message(std::string& message) {
  std::string line;
  size_t length = 0;
  bool has_length = false;
  bool has_header = false;
  while (true) {
    if (!read_line(line)) return has_header || !line.empty() ? Read::kBadFrame : Read::kEnd;
    if (line.empty()) break;
    has_header = true;
    const size_t colon = line.find(':');
    std::string name = line.substr(0, colon);
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (name != "content-length") continue;
    const size_t digits = line.find_first_not_of(' ', colon + 1);
    if (digits == std::string::npos) return Read::kBadFrame;
    const auto read = std::from_chars(line.data() + digits, line.data() + line.size(), length);
    has_length = read.ec == std::errc() && read.ptr == line.data() + line.size();
  }
  if (!has_length || length > kMessageBytesMax) return Read::kBadFrame;
  message.resize(length);
  return std::fread(message.data(), 1, length, stdin) == length ? Read::kMessage : Read::kEnd;
}

int cmd_lsp(const Console& console) {
  LspServer server([&](const std::string& json) {
    console.print(fmt::format("Content-Length: {}\r\n\r\n", json.size()) + json);
    std::fflush(console.out);
  });
  std::string message;
  while (true) {
    switch (read_message(message)) {
      case Read::kEnd: return server.exit_status();
      case Read::kBadFrame: {
        console.complain(fmt::format("weir lsp: expected a Content-Length header of at most {} bytes\n", kMessageBytesMax));
        return kExitBadInput;
      }
      case Read::kMessage:
        if (!server.handle(message)) return server.exit_status();
    }
  }
}

}  // namespace

void add_lsp(CLI::App& app, Action& action) {
  CLI::App* const verb = app.add_subcommand("lsp", "Serve an editor: the Language Server Protocol on standard input and output");
  verb->add_flag("--stdio")->description("The standard streams, which is the only way and need not be said");
  verb->footer("Example, an editor's setting:\n  [\"weir\", \"lsp\"]");
  verb->callback([&action] { action = [](const Console& console) { return cmd_lsp(console); }; });
}

}  // namespace service
