// See cmd_log.h. `weir log export` prints every record in log order, one JSON object a line: events and watermarks as POST /v1/events
// takes them, rule changes, list edits, modes and ticks as lines with a `$` member. It changes nothing and takes the directory's lock,
// so the service must have stopped. What the service would cut off at its next start (a torn tail) is not printed.
// Test: tests/unit/service/cmd_log_test.cc; the kill harness (tests/e2e/chaos.py) replays its output.
#include "service/cmd_log.h"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>

#include "api/json_writer.h"
#include "cep/value.h"
#include "patterns/printer.h"
#include "service/control_record.h"
#include "service/dataset_line.h"
#include "service/registry.h"
#include "service/sequencer.h"
#include "state/checkpoint_format.h"
#include "state/data_dir.h"
#include "state/log_reader.h"
#include "state/values.h"

namespace service {
namespace {

struct ExportOptions {
  std::string data = "./weir-data";
  std::string log_dir;
  bool events_only = false, with_edits = false;
};

// A row as it came may hold line breaks, but only between its tokens: inside a text JSON has them escaped.
void append_on_one_line(std::string_view json, std::string& out) {
  for (char c : json) out += c == '\n' || c == '\r' ? ' ' : c;
}

// The change as statements that make it again: what went first, declarations before the rules that use them. Canonical texts end with
// a line break.
std::string statements_of(const RulesChange& change) {
  std::string text;
  for (const std::string& rule : change.dropped_rules) text += "drop rule " + patterns::print_name(rule) + ";\n";
  for (const RulesChange::Stream& stream : change.streams) text += stream.text;
  for (const std::string& dataset : change.datasets) text += dataset;
  for (const RulesChange::Rule& rule : change.rules) text += rule.text;
  for (const std::string& stream : change.dropped_streams) text += "drop stream " + patterns::print_name(stream) + ";\n";
  for (const std::string& list : change.dropped_lists) text += "drop list " + patterns::print_name(list) + ";\n";
  for (const std::string& table : change.dropped_tables) text += "drop table " + patterns::print_name(table) + ";\n";
  return text;
}

// The streams of a log whose beginning was deleted: those of the newest checkpoint. Declarations below its position are among them.
struct KnownStreams {
  Registry registry;
  uint64_t through = 0;
};

cep::Result<KnownStreams> streams_of_checkpoint(state::FileSystem& files, const state::DataDir& dir) {
  cep::Result<std::unique_ptr<state::Env>> env = state::open_state(files, dir, 1);
  if (!env.ok()) return env.error();
  std::optional<std::string> payload;
  cep::Status status = (*env)->read([&](state::ReadTxn& txn) -> cep::Status {
    state::Dbi seals = (*env)->table("ckpt");
    state::Cursor last = txn.cursor(seals);
    if (!last.seek_before(state::Key().u16(1))) return cep::Error{"state_missing", "no checkpoint names the streams of the event log"};
    state::KeyReader key(last.key());
    state::Key found = state::Key().u16(key.u16()).u32(key.u32());
    cep::Result<std::optional<std::string>> pieces = state::get_pieces(txn, seals, found, "the seal");
    if (!pieces.ok()) return pieces.error();
    payload = std::move(*pieces);
    return cep::ok_status();
  });
  if (!status.ok()) return status.error();
  cep::Result<state::SealRecord> seal = state::decode_seal(payload.value_or(""));
  if (!seal.ok()) return seal.error();
  cep::Result<SavedControl> control = decode_control(seal->checkpoint.control);
  if (!control.ok()) return control.error();
  cep::Result<Registry> registry = Registry::restore(control->registry);
  if (!registry.ok()) return registry.error();
  for (const auto& [source, place] : control->sources) registry->apply(source);
  return KnownStreams{std::move(*registry), seal->checkpoint.applied_through};
}

class LogExport {
 public:
  LogExport(const Console& console, const ExportOptions& options, KnownStreams known)
      : console_(console), events_only_(options.events_only), with_edits_(options.with_edits), known_(std::move(known)) {}

  // Prints group by group: a request whose last frame is missing was never acknowledged and is not part of the log.
  cep::Status run(state::LogReader& reader) {
    for (;;) {
      cep::Result<std::optional<state::FrameView>> frame = reader.next();
      if (!frame.ok()) return frame.error();
      if (!frame->has_value()) return cep::ok_status();
      if (cep::Status status = add(**frame); !status.ok()) return status;
      if ((*frame)->more()) continue;
      if (!group_.empty()) console_.print(group_ + "\n");
      group_.clear();
    }
  }

 private:
  cep::Status add(const state::FrameView& frame) {
    switch (frame.header.kind) {
      case state::FrameKind::kEvents: return add_events(frame);
      case state::FrameKind::kWatermark: return add_watermark(frame);
      case state::FrameKind::kRules: return add_rules(frame);
      case state::FrameKind::kList: return add_list(frame);
      case state::FrameKind::kMode: return add_mode(frame);
      case state::FrameKind::kLimits: return add_limits(frame);
      case state::FrameKind::kTick:
        if (!events_only_) api::JsonWriter(line()).begin_object().field("$tick", cep::format_time(frame.header.received_us)).end_object();
        return cep::ok_status();
      case state::FrameKind::kSource: return add_source(frame);
      case state::FrameKind::kIdle:
        if (events_only_) return cep::ok_status();
        api::JsonWriter(line()).begin_object().field("$idle", source_name(frame.header.source)).end_object();
        return cep::ok_status();
      case state::FrameKind::kPosition: return cep::ok_status();
      case state::FrameKind::kDerived: break;
    }
    return cep::Error{"log_disagrees", "record " + std::to_string(frame.header.first_offset) +
                                           " of the log is of a kind that this version does not write: use the version that wrote it"};
  }

  cep::Status add_events(const state::FrameView& frame) {
    size_t number = cep::index_of(frame.header.stream);
    if (number >= known_.registry.schemas().size()) {
      return cep::Error{"log_disagrees", "event " + std::to_string(frame.header.first_offset) + " of the log names an unknown stream"};
    }
    for (uint32_t row = 0; row < frame.header.events; ++row) {
      std::string& out = line();
      out += "{\"stream\":";
      api::JsonWriter(out).string(known_.registry.schemas()[number]->name);
      out += ",\"event\":";
      append_on_one_line(frame.row(row), out);
      out += '}';
    }
    return cep::ok_status();
  }

  cep::Status add_watermark(const state::FrameView& frame) {
    cep::Result<WatermarkMark> mark = decode_watermark_mark(frame.rows);
    if (!mark.ok()) return mark.error();
    api::JsonWriter json(line());
    json.begin_object().field("$watermark", cep::format_time(mark->time_us));
    if (!mark->stream.empty()) json.field("stream", mark->stream);
    json.end_object();
    return cep::ok_status();
  }

  cep::Status add_rules(const state::FrameView& frame) {
    cep::Result<RulesChange> change = decode_rules_change(frame.rows);
    if (!change.ok()) return change.error();
    if (frame.header.first_offset >= known_.through) {
      if (cep::Status status = known_.registry.apply(*change); !status.ok()) return status;
    }
    if (events_only_) return cep::ok_status();
    api::JsonWriter json(line());
    json.begin_object().field("$rules", statements_of(*change)).key("rules").begin_array();
    for (const RulesChange::Rule& rule : change->rules) {
      json.begin_object().field("name", rule.name).key("version").unsigned_integer(rule.version);
      json.field("mode", mode_text(rule.mode)).key("anew").boolean(rule.is_new_program).end_object();
    }
    json.end_array().end_object();
    return cep::ok_status();
  }

  cep::Status add_list(const state::FrameView& frame) {
    cep::Result<DatasetChange> change = decode_dataset_change(frame.rows);
    if (!change.ok()) return change.error();
    for (size_t first = 0; (!events_only_ || with_edits_) && first < change->edits.size(); first += kEditsALine) {
      append_change(*change, first, line());
    }
    return cep::ok_status();
  }

  cep::Status add_source(const state::FrameView& frame) {
    cep::Result<SourceChange> change = decode_source_change(frame.rows);
    if (!change.ok()) return change.error();
    if (frame.header.source > known_.registry.sources().size()) known_.registry.apply(*change);
    if (events_only_) return cep::ok_status();
    api::JsonWriter json(line());
    json.begin_object().field("$source", change->name).field("stream", change->stream);
    json.key("from").unsigned_integer(frame.header.source_position).end_object();
    return cep::ok_status();
  }

  std::string source_name(uint32_t source) const {
    const bool is_known = source != cep::kInputSource && source <= known_.registry.sources().size();
    return is_known ? known_.registry.sources()[source - 1].name : "input";
  }

  cep::Status add_mode(const state::FrameView& frame) {
    cep::Result<ModeChange> change = decode_mode_change(frame.rows);
    if (!change.ok()) return change.error();
    if (!events_only_)
      api::JsonWriter(line()).begin_object().field("$mode", mode_text(change->mode)).field("rule", change->rule).end_object();
    return cep::ok_status();
  }

  cep::Status add_limits(const state::FrameView& frame) {
    cep::Result<LimitsChange> change = decode_limits_change(frame.rows);
    if (!change.ok()) return change.error();
    if (events_only_) return cep::ok_status();
    api::JsonWriter json(line());
    json.begin_object().key("$limits").begin_object().key("reorder_rows_max").unsigned_integer(change->reorder_rows_max);
    json.end_object().end_object();
    return cep::ok_status();
  }

  static const char* mode_text(cep::RuleMode mode) {
    return mode == cep::RuleMode::kLive ? "live" : mode == cep::RuleMode::kShadow ? "shadow" : "paused";
  }
  // Where the next line goes; the one before is ended.
  std::string& line() {
    if (!group_.empty()) group_ += '\n';
    return group_;
  }

  const Console& console_;
  const bool events_only_, with_edits_;
  KnownStreams known_;              // its rules run nowhere
  std::string group_;
};

int refuse(const Console& console, const cep::Error& error) {
  console.complain("weir: " + error.message + "\n");
  return error.code == "log_disagrees" || error.code == "damaged" ? kExitBadInput : kExitBadUse;
}

int cmd_export(const ExportOptions& options, const Console& console) {
  std::unique_ptr<state::FileSystem> files = state::make_real_file_system();
  cep::Result<bool> ours = files->exists(options.data + "/WEIR");
  if (!ours.ok()) return refuse(console, ours.error());
  if (!*ours) return refuse(console, {"not_found", options.data + " is not a data directory of Weir: give one with --data"});
  cep::Result<state::DataDir> dir = state::DataDir::open(*files, options.data, options.log_dir);
  if (!dir.ok()) return refuse(console, dir.error());
  cep::Result<std::vector<state::LogSegment>> segments = state::list_segments(*files, dir->log_dir);
  if (!segments.ok()) return refuse(console, segments.error());
  if (segments->empty()) return kExitFine;
  uint64_t first = segments->front().first_offset;
  KnownStreams known;
  if (first > 0) {
    cep::Result<KnownStreams> sealed = streams_of_checkpoint(*files, *dir);
    if (!sealed.ok()) return refuse(console, sealed.error());
    known = std::move(*sealed);
  }
  cep::Result<std::unique_ptr<state::LogReader>> reader = state::LogReader::open(*files, dir->log_dir, first);
  if (!reader.ok()) return refuse(console, reader.error());
  cep::Status status = LogExport(console, options, std::move(known)).run(**reader);
  std::fflush(console.out);
  return status.ok() ? kExitFine : refuse(console, status.error());
}

}  // namespace

void add_log(CLI::App& app, Action& action) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App* const verb = app.add_subcommand("log", "Read the event log of a stopped service");
  verb->require_subcommand(1);
  CLI::App* const exporter = verb->add_subcommand("export", "Print every record of the log, one JSON object a line");
  exporter->add_option("--data", options->data, "The data directory")->capture_default_str();
  exporter->add_option("--log-dir", options->log_dir, "Where the log is, if the service was started with --log-dir");
  exporter->add_flag("--events-only", options->events_only, "Only events and watermarks: what `weir run` and POST /v1/events take");
  exporter->add_flag("--with-edits", options->with_edits, "With --events-only: edits of lists and tables too, as `weir run` takes them");
  exporter->footer("Example:\n  weir log export --data ./weir-data > log.ndjson\n"
                   "  weir log export --data ./weir-data --events-only --with-edits | weir run rules --events -");
  exporter->callback([options, &action] {
    action = [options](const Console& console) { return cmd_export(*options, console); };
  });
}

}  // namespace service
