// See rules_dir.h. The statements that changed are deployed as one text; what is wrong with it is told in the places of the files.
#include "service/rules_dir.h"

#include <algorithm>
#include <future>
#include <map>

#include "patterns/parser.h"
#include "patterns/printer.h"
#include "service/rule_files.h"
#include "state/checkpoint_format.h"

namespace service {
namespace {

struct NameOf {
  std::string operator()(const patterns::RuleDecl& rule) const { return "rule " + rule.name.text; }
  std::string operator()(const patterns::StreamDecl& stream) const { return "stream " + stream.name.text; }
  std::string operator()(const patterns::ListDecl& list) const { return "list " + list.name.text; }
  std::string operator()(const patterns::TableDecl& table) const { return "table " + table.name.text; }
  std::string operator()(const patterns::DropDecl& drop) const { return "drop " + drop.name.text; }
};

// A statement with the comments before it, which may silence warnings, and where it goes in the text that is deployed.
struct Piece {
  std::string name;
  state::Id16 digest{};
  patterns::Span in_file;
  uint32_t at = 0;
};

std::vector<Piece> pieces_of(const patterns::File& file) {
  std::vector<Piece> pieces;
  for (const patterns::Statement& statement : file.statements) {
    Piece piece;
    piece.name = std::visit(NameOf{}, statement.body);
    piece.digest = state::digest_of(patterns::print(statement));
    piece.in_file = statement.span;
    if (!statement.comments.empty()) piece.in_file.begin = std::min(piece.in_file.begin, statement.comments.front().span.begin);
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

// A place in the deployed text as a place in the files. What belongs to no statement is the begin of the first.
patterns::Span place_in_files(const patterns::Span& span, const std::vector<Piece>& pieces) {
  const Piece* piece = &pieces.front();
  for (const Piece& candidate : pieces) {
    if (candidate.at <= span.begin) piece = &candidate;
  }
  const uint32_t size = piece->in_file.end - piece->in_file.begin;
  const uint32_t begin = std::min(span.begin - std::min(span.begin, piece->at), size);
  const uint32_t end = std::min(span.end - std::min(span.end, piece->at), size);
  return {piece->in_file.file, piece->in_file.begin + begin, piece->in_file.begin + std::max(begin, end)};
}

void tell(const patterns::SourceMap& sources, const std::vector<patterns::Diagnostic>& diagnostics, ReloadResult& result) {
  result.diagnostics_json = "[";
  for (const patterns::Diagnostic& diagnostic : diagnostics) {
    if (result.diagnostics_json.size() > 1) result.diagnostics_json += ',';
    result.diagnostics_json += to_json(sources, diagnostic);
    result.diagnostics_text += to_text(sources, diagnostic);
    if (!result.diagnostics_text.ends_with('\n')) result.diagnostics_text += '\n';
  }
  result.diagnostics_json += ']';
}

// What the directories hold, compared with what was applied from them the last time.
struct Reading {
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  std::vector<Piece> changed;
  std::string text;                // of the changed statements
  ReloadResult result;
};

void compare(Reading& reading, const std::vector<Piece>& found, const std::vector<state::AppliedStatement>& applied) {
  std::map<std::string, state::Id16> before;
  for (const state::AppliedStatement& statement : applied) before[statement.name] = statement.digest;
  for (const Piece& piece : found) {
    auto known = before.find(piece.name);
    const bool same = known != before.end() && known->second == piece.digest;
    if (same) {
      reading.result.unchanged.push_back(piece.name);
      continue;
    }
    reading.changed.push_back(piece);
    reading.changed.back().at = static_cast<uint32_t>(reading.text.size());
    reading.text += reading.sources.text(piece.in_file);
    reading.text += '\n';
    reading.result.applied.push_back(piece.name);
  }
  for (const Piece& piece : found) before.erase(piece.name);
  for (const auto& [name, digest] : before) {
    if (!name.starts_with("drop ")) reading.result.orphans.push_back(name);
  }
}

cep::Status read(const std::vector<std::string>& paths, const state::AdminStore& store, Reading& reading) {
  cep::Result<std::vector<RuleText>> texts = read_rule_files(paths);
  if (!texts.ok()) return texts.error();
  std::vector<Piece> found;
  for (RuleText& text : *texts) {
    const patterns::FileId id = reading.sources.add(std::move(text.name), std::move(text.text));
    const patterns::File file = patterns::parse(reading.sources, id, reading.diagnostics);
    std::vector<Piece> pieces = pieces_of(file);
    std::move(pieces.begin(), pieces.end(), std::back_inserter(found));
  }
  if (reading.diagnostics.errors() > 0) return cep::ok_status();
  cep::Result<std::vector<state::AppliedStatement>> applied = store.applied();
  if (!applied.ok()) return applied.error();
  compare(reading, found, *applied);
  return cep::ok_status();
}

}  // namespace

void RulesDir::apply(std::function<void(ReloadResult)> done) {
  if (lane_.work([this, done] { read_and_deploy(done); })) return;
  ReloadResult stopped;
  stopped.status = cep::Error{"stopping", "too much waits for the work thread, or the service is stopping"};
  done(std::move(stopped));
}

ReloadResult RulesDir::apply_and_wait() {
  std::promise<ReloadResult> outcome;
  apply([&outcome](ReloadResult result) { outcome.set_value(std::move(result)); });
  return outcome.get_future().get();
}

void RulesDir::read_and_deploy(const std::function<void(ReloadResult)>& done) {
  auto reading = std::make_shared<Reading>();
  reading->result.status = read(paths_, store_, *reading);
  if (!reading->result.status.ok()) return done(std::move(reading->result));
  if (reading->diagnostics.errors() > 0) {
    tell(reading->sources, reading->diagnostics.sorted(), reading->result);
    return done(std::move(reading->result));
  }
  if (reading->changed.empty()) {
    reading->result.ok = true;
    return done(std::move(reading->result));
  }
  lane_.deploy(reading->text, "<rules>", false, nullptr, [this, reading, done](DeployResult deployed) {
    ReloadResult& result = reading->result;
    std::vector<patterns::Diagnostic> diagnostics = deployed.plan.diagnostics.sorted();
    for (patterns::Diagnostic& diagnostic : diagnostics) {
      diagnostic.span = place_in_files(diagnostic.span, reading->changed);
      for (patterns::Note& note : diagnostic.notes) note.span = place_in_files(note.span, reading->changed);
    }
    tell(reading->sources, diagnostics, result);
    result.status = deployed.status;
    if (deployed.applied) {
      std::vector<state::AppliedStatement> applied;
      for (const Piece& piece : reading->changed) applied.push_back({piece.name, piece.digest});
      result.status = store_.put_applied(applied);
    }
    result.ok = deployed.applied && result.status.ok();
    if (!result.ok) result.applied.clear();
    result.deployed = std::move(deployed);
    done(std::move(result));
  });
}

}  // namespace service
