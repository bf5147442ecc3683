// See cmd_client.h. Verbs are registered by group; most are a path and are carried out by Client::show. Threads: the
// main thread.
#include "service/cmd_client.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <thread>

#include "api/csv_rows.h"
#include "api/json_writer.h"
#include "patterns/parser.h"
#include "service/client_output.h"
#include "service/cmd_checkpoints.h"
#include "service/event_sender.h"
#include "service/rule_files.h"

namespace service {
namespace {

struct ClientOptions {
  std::string server = std::string(kDefaultServer);
  std::string output = "table";
  // What the chosen verb asks for; each verb uses a few of them.
  std::string name, file, value, rule, severity, mode, from, to, cursor, after, alert;
  std::string owner, comment, expires, by, row;
  std::vector<std::string> keys, files, values;
  uint32_t limit = 100, version = 0, count = 0;
  bool dry_run = false, replace = false;
  SendOptions send;
  StoredOptions stored;
};

class Client {
 public:
  Client(const ClientOptions& options, const Console& console) : options_(options), console_(console) {
    if (options.output == "json") form_ = OutputForm::kJson;
    if (options.output == "ndjson") form_ = OutputForm::kNdjson;
  }

  const ClientOptions& options() const { return options_; }
  const Console& console() const { return console_; }

  // Connects on first use; null: said why, exit with kExitBadUse.
  ApiClient* api() {
    if (api_ != nullptr) return api_.get();
    cep::Result<std::unique_ptr<ApiClient>> created = ApiClient::create(options_.server);
    if (!created) {
      print_unreachable(console_, created.error());
      return nullptr;
    }
    api_ = std::move(*created);
    return api_.get();
  }

  int send(const ApiRequest& request) {
    if (api() == nullptr) return kExitBadUse;
    const cep::Result<ApiResponse> answer = api()->send(request);
    if (!answer) return print_unreachable(console_, answer.error());
    if (!answer->ok()) return print_refusal(console_, *answer);
    if (answer->body.empty()) {
      console_.complain("done\n");
    } else {
      print_body(console_, form_, answer->body);
    }
    return kExitFine;
  }
  int show(const std::string& path) { return send({"GET", path, "", {}}); }
  int page(const std::string& path, std::string query = "") {
    query += fmt::format("{}limit={}", query.empty() ? "" : "&", options_.limit);
    if (!options_.cursor.empty()) query += "&cursor=" + url_encode(options_.cursor);
    return show(path + "?" + query);
  }
  int send_json(const std::string& method, const std::string& path, std::string body) {
    return send({method, path, std::move(body), {{"Content-Type", "application/json"}}});
  }
  int send_text(const std::string& method, const std::string& path, std::string body) {
    return send({method, path, std::move(body), {{"Content-Type", "text/plain; charset=utf-8"}}});
  }
  int refuse(const std::string& what, int status = kExitBadInput) const {
    console_.complain("weir: " + what + "\n");
    return status;
  }
  OutputForm form() const { return form_; }

 private:
  const ClientOptions& options_;
  const Console& console_;
  OutputForm form_ = OutputForm::kTable;
  std::unique_ptr<ApiClient> api_;
};

// --- What is more than one request or needs a file

cep::Result<std::string> read_all(const std::vector<std::string>& paths) {
  cep::Result<std::vector<std::string>> files = find_files(paths, ".weir");
  if (!files) return files.error();
  if (files->empty()) return cep::Error{"not_found", "no .weir file there"};
  std::string text;
  for (const std::string& file : *files) {
    const cep::Result<std::string> one = read_whole_file(file);
    if (!one) return one.error();
    text += *one + "\n";
  }
  return text;
}

// The name in `create rule NAME`; empty if the text is not exactly one rule.
std::string rule_name(const std::string& file, const std::string& text) {
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  const patterns::File parsed = patterns::parse(sources, sources.add(file, text), diagnostics);
  if (parsed.statements.size() != 1) return {};
  const auto* rule = std::get_if<patterns::RuleDecl>(&parsed.statements.front().body);
  return rule == nullptr ? std::string() : rule->name.text;
}

int put_rules(Client& client) {
  const cep::Result<std::vector<std::string>> files = find_files(client.options().files, ".weir");
  if (!files) return client.refuse(files.error().message);
  if (files->empty()) return client.refuse("no .weir file there");
  for (const std::string& file : *files) {
    const cep::Result<std::string> text = read_whole_file(file);
    if (!text) return client.refuse(text.error().message);
    const std::string name = rule_name(file, *text);
    if (name.empty())
      return client.refuse(file +
                           ": is not exactly one `create rule`; use `weir rules deploy`, or `weir check` to see why");
    const std::string query = client.options().dry_run ? "?dry_run=true" : "?wait=30s";
    const int status = client.send_text("PUT", "/v1/rules/" + url_encode(name) + query, *text);
    if (status != kExitFine) return status;
  }
  return kExitFine;
}

int deploy(Client& client, const std::string& path) {
  const cep::Result<std::string> text = read_all(client.options().files);
  return text ? client.send_text("POST", path, *text) : client.refuse(text.error().message);
}

// 200 with errors among the diagnostics is a refused input all the same.
int check_on_server(Client& client) {
  const cep::Result<std::string> text = read_all(client.options().files);
  if (!text) return client.refuse(text.error().message);
  if (client.api() == nullptr) return kExitBadUse;
  const cep::Result<ApiResponse> answer =
      client.api()->send({"POST", "/v1/check", *text, {{"Content-Type", "text/plain; charset=utf-8"}}});
  if (!answer) return print_unreachable(client.console(), answer.error());
  if (!answer->ok()) return print_refusal(client.console(), *answer);
  print_body(client.console(), client.form(), answer->body);
  return json_member(answer->body, "ok") == "false" ? kExitBadInput : kExitFine;
}

std::string alerts_query(const ClientOptions& options) {
  std::string query;
  auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) query += fmt::format("{}{}={}", query.empty() ? "" : "&", name, url_encode(value));
  };
  add("rule", options.rule);
  for (const std::string& key : options.keys) add("key", key);
  add("from", options.from);
  add("to", options.to);
  add("severity", options.severity);
  add("mode", options.mode);
  return query;
}

// Follows the stream, and takes it up again where it broke off.
int tail_alerts(Client& client) {
  const ClientOptions& options = client.options();
  if (client.api() == nullptr) return kExitBadUse;
  std::string last = options.after;
  uint32_t seen = 0;
  bool connected_once = false;
  while (true) {
    SseReader reader;
    auto take = [&](const SseReader::Event& event) {
      if (!event.id.empty()) last = event.id;
      if (event.event == "gap") client.console().complain("some alerts were not seen: they are no longer kept\n");
      if (event.event != "alert" || (options.count > 0 && seen >= options.count)) return;
      ++seen;
      client.console().print((client.form() == OutputForm::kTable ? alert_line(event.data) : event.data) + "\n");
      std::fflush(client.console().out);
    };
    ApiRequest request;
    request.path = "/v1/alerts/stream" + (options.rule.empty() ? "" : "?rule=" + url_encode(options.rule));
    if (!last.empty()) request.headers.emplace_back("Last-Event-ID", last);
    const cep::Result<ApiResponse> answer = client.api()->stream(request, [&](std::string_view piece) {
      connected_once = true;
      reader.feed(piece, take);
      return options.count == 0 || seen < options.count;
    });
    if (options.count > 0 && seen >= options.count) return kExitFine;
    if (answer && !answer->ok()) return print_refusal(client.console(), *answer);
    if (!answer && !connected_once) return print_unreachable(client.console(), answer.error());
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

int put_sink(Client& client) {
  const cep::Result<std::string> body = read_whole_file(client.options().file);
  if (!body) return client.refuse(body.error().message);
  return client.send_json("PUT", "/v1/sinks/" + url_encode(client.options().name), *body);
}

int replay_sink(Client& client) {
  const ClientOptions& options = client.options();
  std::string body;
  api::JsonWriter json(body);
  json.begin_object();
  if (!options.alert.empty()) json.field("alert", options.alert);
  if (!options.from.empty()) json.field("from", options.from);
  if (!options.to.empty()) json.field("to", options.to);
  json.end_object();
  return client.send_json("POST", "/v1/sinks/" + url_encode(options.name) + "/replay", body);
}

std::string dataset_path(const ClientOptions& options, bool is_table) {
  std::string path = (is_table ? "/v1/tables/" : "/v1/lists/") + url_encode(options.name);
  for (const std::string& value : options.values) path += "/" + url_encode(value);
  return path;
}

ApiRequest edit_request(const Client& client, std::string method, std::string path, std::string body, const char* type) {
  ApiRequest request{std::move(method), std::move(path), std::move(body), {}};
  if (!request.body.empty()) request.headers.emplace_back("Content-Type", type);
  if (!client.options().by.empty()) request.headers.emplace_back("From", client.options().by);
  return request;
}

int put_entry(Client& client, bool is_table) {
  const ClientOptions& options = client.options();
  std::string body;
  api::JsonWriter json(body);
  json.begin_object();
  if (is_table) json.key("row").raw(options.row);
  if (!options.owner.empty()) json.field("owner", options.owner);
  if (!options.comment.empty()) json.field("comment", options.comment);
  if (!options.expires.empty()) json.field("expires", options.expires);
  json.end_object();
  return client.send(edit_request(client, "PUT", dataset_path(options, is_table), std::move(body), "application/json"));
}

// A file beyond what one request may hold goes in pieces, each an edit of its own; replacing is one edit or none.
int import_dataset(Client& client, bool is_table) {
  constexpr size_t kPieceBytesMax = 4 << 20;
  const ClientOptions& options = client.options();
  const cep::Result<std::string> text = read_whole_file(options.file);
  if (!text) return client.refuse(text.error().message);
  const std::string path = dataset_path(options, is_table);
  if (options.replace) return client.send(edit_request(client, "PUT", path, *text, "text/csv"));
  std::string_view rest = *text;
  const std::string_view header = is_table ? rest.substr(0, api::csv_record_size(rest, true)) : std::string_view();
  rest.remove_prefix(header.size());
  do {
    std::string piece(header);
    while (!rest.empty()) {
      const size_t size = api::csv_record_size(rest, true);
      if (piece.size() > header.size() && piece.size() + size > kPieceBytesMax) break;
      piece += rest.substr(0, size);
      rest.remove_prefix(size);
    }
    const int status = client.send(edit_request(client, "POST", path, std::move(piece), "text/csv"));
    if (status != kExitFine) return status;
  } while (!rest.empty());
  return kExitFine;
}

// --- Registration

class Verbs {
 public:
  using Run = std::function<int(Client&)>;

  Verbs(CLI::App& app, Action& action, std::shared_ptr<ClientOptions> options)
      : app_(app), action_(action), options_(std::move(options)) {}

  CLI::App* group(const char* name, const char* what) {
    CLI::App* const group = app_.add_subcommand(name, what);
    group->require_subcommand(1);
    return group;
  }
  CLI::App* verb(CLI::App* parent, const char* name, const char* what, Run run) {
    CLI::App* const verb = parent->add_subcommand(name, what);
    verb->add_option("--server", options_->server, "Address of the server")
        ->envname("WEIR_SERVER")
        ->capture_default_str();
    verb->add_option("--output", options_->output, "Form of the answer")
        ->check(CLI::IsMember({"table", "json", "ndjson"}));
    verb->callback([run = std::move(run), options = options_, &action = action_] {
      action = [run, options](const Console& console) {
        Client client(*options, console);
        return run(client);
      };
    });
    return verb;
  }
  CLI::App* page(CLI::App* parent, const char* name, const char* what, Run run) {
    CLI::App* const added = verb(parent, name, what, std::move(run));
    added->add_option("--limit", options_->limit, "Items of a page")->check(CLI::Range(1, 1000))->capture_default_str();
    added->add_option("--cursor", options_->cursor, "Where the page before ended");
    return added;
  }
  // A verb about one thing with a name.
  CLI::App* named(CLI::App* parent, const char* name, const char* what, Run run) {
    CLI::App* const added = verb(parent, name, what, std::move(run));
    added->add_option("name", options_->name)->required();
    return added;
  }
  ClientOptions& options() { return *options_; }
  Action& action() { return action_; }

 private:
  CLI::App& app_;
  Action& action_;
  std::shared_ptr<ClientOptions> options_;
};

std::string named_path(const Client& client, std::string_view collection, std::string_view tail = "") {
  return fmt::format("/v1/{}/{}{}", collection, url_encode(client.options().name), tail);
}

void add_rules(Verbs& verbs) {
  ClientOptions& o = verbs.options();
  CLI::App* const rules = verbs.group("rules", "Rules of a running server");
  rules->footer("Example:\n  weir rules put rules/cards/card_testing.weir\n  weir rules deploy rules");
  verbs.page(rules, "list", "Rules by name", [](Client& c) { return c.page("/v1/rules"); });
  verbs.named(rules, "get", "One rule with its text", [](Client& c) { return c.show(named_path(c, "rules")); });
  CLI::App* const put = verbs.verb(rules, "put", "Deploy files of one `create rule` each", put_rules);
  put->add_option("files", o.files)->required();
  put->add_flag("--dry-run", o.dry_run, "Say what would happen");
  CLI::App* const all = verbs.verb(
      rules, "deploy", "Deploy streams, lists and rules in one cut, all or nothing",
      [](Client& c) { return deploy(c, c.options().dry_run ? "/v1/deployments?dry_run=true" : "/v1/deployments"); });
  all->add_option("files", o.files, "Files, or directories with .weir files")->required();
  all->add_flag("--dry-run", o.dry_run, "Say what would happen");
  verbs.verb(rules, "check", "Check files against what the server has", check_on_server)
      ->add_option("files", o.files)
      ->required();
  verbs.named(rules, "delete", "Drop a rule",
              [](Client& c) { return c.send({"DELETE", named_path(c, "rules"), "", {}}); });
  verbs
      .page(rules, "versions", "Versions of a rule",
            [](Client& c) { return c.page(named_path(c, "rules", "/versions")); })
      ->add_option("name", o.name)
      ->required();
  CLI::App* const activate =
      verbs.named(rules, "activate", "Go back to a version: its text as the newest one", [](Client& c) {
        return c.send_json("POST", named_path(c, "rules", fmt::format("/versions/{}/activate", c.options().version)),
                           "");
      });
  activate->add_option("version", o.version)->required();
  CLI::App* const mode = verbs.named(rules, "mode", "Make a rule live, shadow or paused", [](Client& c) {
    return c.send_json("PUT", named_path(c, "rules", "/mode"), fmt::format(R"({{"mode":"{}"}})", c.options().mode));
  });
  mode->add_option("mode", o.mode)->required()->check(CLI::IsMember({"live", "shadow", "paused"}));
  verbs.verb(rules, "reload", "Apply the rule directories of the server again",
             [](Client& c) { return c.send_json("POST", "/v1/reload", ""); });
}

void add_alerts(Verbs& verbs) {
  ClientOptions& o = verbs.options();
  CLI::App* const alerts = verbs.group("alerts", "Alerts of a running server");
  alerts->footer("Example:\n  weir alerts list --rule card_testing --severity high\n  weir alerts tail");
  CLI::App* const list = verbs.page(alerts, "list", "Alerts, newest first",
                                    [](Client& c) { return c.page("/v1/alerts", alerts_query(c.options())); });
  list->add_option("--rule", o.rule, "Of this rule");
  list->add_option("--key", o.keys, "Of this key, part by part (needs --rule)");
  list->add_option("--from", o.from, "Event time, from this instant on");
  list->add_option("--to", o.to, "Event time, before this instant");
  list->add_option("--severity", o.severity);
  list->add_option("--mode", o.mode, "live, shadow, derived or backfill; all but backfill unless given");
  verbs.named(alerts, "get", "One alert by its id", [](Client& c) { return c.show(named_path(c, "alerts")); });
  CLI::App* const tail = verbs.verb(alerts, "tail", "Alerts as they come", tail_alerts);
  tail->add_option("--rule", o.rule, "Of this rule");
  tail->add_option("--after", o.after,
                   "From behind this place of the alert log on, as in the stream's id; 0:0 is the beginning");
  tail->add_option("--count", o.count, "End after so many");

  CLI::App* const matches = verbs.group("matches", "Unfinished matches of a running server");
  CLI::App* const get =
      verbs.verb(matches, "get", "Match state of a key, or counts and the hottest keys of a rule", [](Client& c) {
        return c.show(fmt::format("/v1/matches?{}&limit={}", alerts_query(c.options()), c.options().limit));
      });
  get->add_option("--rule", o.rule)->required();
  get->add_option("--key", o.keys, "The key, part by part");
  get->add_option("--limit", o.limit)->check(CLI::Range(1, 1000))->capture_default_str();
  get->footer("Example:\n  weir matches get --rule card_testing --key c1 --output json");
}

// Lists and tables: the same verbs, but for how an entry is written.
void add_datasets(Verbs& verbs, bool is_table) {
  ClientOptions& o = verbs.options();
  CLI::App* const group =
      is_table ? verbs.group("tables", "Tables of a running server") : verbs.group("lists", "Lists of a running server");
  group->footer(is_table ? "Example:\n  weir tables put customers ann --row '{\"segment\": \"vip\"}'\n"
                           "  weir tables import customers customers.csv"
                         : "Example:\n  weir lists add known_payees landlord-7 --comment 'asked by phone' --expires 2027-01-01T00:00:00Z");
  const char* const key = is_table ? "key" : "value";
  const char* const parts = is_table ? "One for each key column" : "One for each declared type";
  verbs.page(group, "list", is_table ? "Tables by name" : "Lists by name",
             [is_table](Client& c) { return c.page(is_table ? "/v1/tables" : "/v1/lists"); });
  verbs.page(group, "get", is_table ? "Rows of a table" : "Entries of a list",
             [is_table](Client& c) { return c.page(dataset_path(c.options(), is_table)); })
      ->add_option("name", o.name)
      ->required();
  verbs.named(group, "entry", is_table ? "One row" : "One entry",
              [is_table](Client& c) { return c.show(dataset_path(c.options(), is_table)); })
      ->add_option(key, o.values, parts)
      ->required();
  const auto edits = [&](CLI::App* verb) {
    verb->add_option("--by", o.by, "Who edits, for the record")->envname("USER");
    return verb;
  };
  CLI::App* const put = edits(verbs.named(group, is_table ? "put" : "add", is_table ? "Add or change a row" : "Add or change an entry",
                                          [is_table](Client& c) { return put_entry(c, is_table); }));
  put->add_option(key, o.values, parts)->required();
  if (is_table) put->add_option("--row", o.row, "The columns outside the key, as a JSON object")->required();
  put->add_option("--owner", o.owner, "Who answers for it");
  put->add_option("--comment", o.comment);
  put->add_option("--expires", o.expires, "Valid for events before this time");
  edits(verbs.named(group, "remove", is_table ? "Remove a row" : "Remove an entry",
                    [is_table](Client& c) { return c.send(edit_request(c, "DELETE", dataset_path(c.options(), is_table), "", "")); }))
      ->add_option(key, o.values, parts)
      ->required();
  CLI::App* const import = edits(verbs.named(group, "import", "Add or change what a CSV file holds",
                                             [is_table](Client& c) { return import_dataset(c, is_table); }));
  import->add_option("file", o.file, is_table ? "With a header" : "Values, then owner, comment and expiry if wanted")->required();
  import->add_flag("--replace", o.replace, "What the file does not have goes");
  verbs.page(group, "edits", "Who edited what, newest first",
             [is_table](Client& c) { return c.page("/v1/edits", (is_table ? "table=" : "list=") + url_encode(c.options().name)); })
      ->add_option("name", o.name)
      ->required();
}

void add_sinks(Verbs& verbs) {
  ClientOptions& o = verbs.options();
  CLI::App* const sinks = verbs.group("sinks", "Sinks of a running server: where alerts go");
  sinks->footer("Example:\n  weir sinks put pager pager.json\n  weir sinks test pager");
  verbs.page(sinks, "list", "Sinks by name", [](Client& c) { return c.page("/v1/sinks"); });
  verbs.named(sinks, "get", "One sink", [](Client& c) { return c.show(named_path(c, "sinks")); });
  verbs.named(sinks, "put", "Create or change a sink from a JSON file", put_sink)
      ->add_option("file", o.file)
      ->required();
  verbs.named(sinks, "delete", "Delete a sink",
              [](Client& c) { return c.send({"DELETE", named_path(c, "sinks"), "", {}}); });
  verbs.named(sinks, "test", "Send a test alert",
              [](Client& c) { return c.send_json("POST", named_path(c, "sinks", "/test"), ""); });
  CLI::App* const replay =
      verbs.named(sinks, "replay", "Deliver one alert, or a range of event time, again", replay_sink);
  replay->add_option("--alert", o.alert, "Id of the alert");
  replay->add_option("--from", o.from);
  replay->add_option("--to", o.to);
  verbs
      .page(sinks, "attempts", "Delivery attempts, newest first",
            [](Client& c) { return c.page(named_path(c, "sinks", "/attempts")); })
      ->add_option("name", o.name)
      ->required();
  verbs
      .page(sinks, "parked", "Alerts that were given up",
            [](Client& c) { return c.page(named_path(c, "sinks", "/parked")); })
      ->add_option("name", o.name)
      ->required();
}

void add_rest(Verbs& verbs) {
  ClientOptions& o = verbs.options();
  CLI::App* const streams = verbs.group("streams", "Streams of a running server");
  verbs.page(streams, "list", "Streams with watermark and counts", [](Client& c) { return c.page("/v1/streams"); });
  verbs.named(streams, "get", "One stream", [](Client& c) { return c.show(named_path(c, "streams")); });
  CLI::App* const checkpoints = verbs.group("checkpoints", "Checkpoints of a running server; stored ones, here and remote");
  CLI::App* const listed = verbs.page(checkpoints, "list", "Checkpoints, newest first: of a running server, or stored ones", [](Client& c) {
    return c.options().stored.is_given() ? list_stored(c.options().stored, c.form(), c.console()) : c.page("/v1/checkpoints");
  });
  add_stored_options(*listed, o.stored);
  add_stored_verbs(*checkpoints, verbs.action());
  verbs.verb(checkpoints, "trigger", "Take one now",
             [](Client& c) { return c.send_json("POST", "/v1/checkpoints", ""); });
  CLI::App* const limits = verbs.group("limits", "Limits of a running server");
  verbs.verb(limits, "list", "Every limit and how often it was reached",
             [](Client& c) { return c.show("/v1/limits"); });
  CLI::App* const events = verbs.group("events", "Events to a running server");
  events->footer(
      "Example:\n  weir gen --events 10000 | weir events send -\n  weir events send --stream transactions "
      "cards.ndjson.gz");
  CLI::App* const send = verbs.verb(
      events, "send", "Send a file of NDJSON lines, also .gz or .zst; - is the standard input", [](Client& c) {
        return c.api() == nullptr ? static_cast<int>(kExitBadUse)
                                  : send_events(*c.api(), c.options().send, c.console());
      });
  send->add_option("file", o.send.file)->required();
  send->add_option("--stream", o.send.stream,
                   "Every line is an event of this stream; without it, lines {\"stream\": .., \"event\": ..}");
  send->add_option("--retry", o.send.retry_s, "Seconds to try again while the server cannot be reached")
      ->check(CLI::Range(0, 3600));
  send->add_flag("--strict", o.send.strict, "Exit with 2 if any event was rejected");
}

}  // namespace

void add_client(CLI::App& app, Action& action) {
  Verbs verbs(app, action, std::make_shared<ClientOptions>());
  add_rules(verbs);
  add_alerts(verbs);
  add_datasets(verbs, false);
  add_datasets(verbs, true);
  add_sinks(verbs);
  add_rest(verbs);
}

}  // namespace service
