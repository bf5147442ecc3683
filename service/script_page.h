// A Markdown page as scripts: what stands between fences is run where it stands, so that a page about rules cannot say what is not so.
//
//   ```weir        rule text that must pass `weir check` without a word; what it declares (streams, lists, tables) holds for
//                  every fence below, its rules are checked and forgotten
//   ```weir-test   a whole script; `use stream` and `use list` find what the page declares above, then the files of a script
//
// Any other fence is text. A fence begins with at least three ` or ~, is indented by less than four blanks, and ends with at least as
// many of the same.
// Invariant: the text of a fence keeps the page's line numbers, for all other lines are blank in it. Threads: pure functions.
#pragma once

#include <string>
#include <vector>

#include "cep/result.h"
#include "service/script.h"

namespace service {

struct PageFence {
  bool is_script = false;        // else rule text
  size_t begin = 0;              // lines between the fences: [begin, end), from 0
  size_t end = 0;
};

struct ScriptPage {
  std::string path;
  std::vector<std::string> lines;
  std::vector<PageFence> fences;
};

bool is_page(const std::string& path);
// Error: bad_page, a fence is not closed.
cep::Result<ScriptPage> parse_page(const std::string& path, const std::string& text);
// The script of a fence, with the page's declarations above it. Error: bad_script.
cep::Result<Script> fence_script(const ScriptPage& page, const PageFence& fence);
// What `weir check` has to say about a fence of rule text; empty: nothing.
std::string check_fence(const ScriptPage& page, const PageFence& fence);

// The files that `weir test` runs for `paths`: those that are named, and of directories all scripts (.test) and all pages with something to
// run. Errors: not_found, io_error.
cep::Result<std::vector<std::string>> find_test_files(const std::vector<std::string>& paths);

}  // namespace service
