// The rules, streams, lists and tables in force in a data directory, with all versions: a pure function of the log's control records, saved
// in each checkpoint. A plain value: readers hold a shared snapshot, the sequencer owns the present one, a deployment is planned on a copy.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cep/rule_set.h"
#include "patterns/catalog.h"
#include "patterns/diagnostic.h"
#include "patterns/source_map.h"
#include "service/control_record.h"
#include "service/dataset_change.h"
#include "state/bytes.h"

namespace service {

enum class RuleChangeKind : uint8_t { kNone, kNew, kCosmetic, kMatching };

struct RuleVersion {
  uint32_t version = 0;
  cep::ProgramId program{};
  uint64_t matching_fingerprint = 0;
  std::string text;                     // canonical
};

struct RuleRecord {
  std::string name;
  uint32_t number = 0;                  // for ever, dropped or not
  bool dropped = false;
  cep::RuleMode mode = cep::RuleMode::kLive;
  // Of the newest version; stays when dropped, for the alerts that name it. Null only for a dropped rule that does not compile any more.
  cep::ProgramPtr program;
  std::vector<RuleVersion> versions;    // ascending; the last one is in force
};

// A deployment as it would be applied.
struct DeploymentPlan {
  struct Outcome {
    std::string rule;
    uint32_t version = 0;
    RuleChangeKind change = RuleChangeKind::kNone;
  };
  RulesChange change;
  std::vector<Outcome> outcomes;        // every rule of the text
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  bool ok = false;                      // no errors; warnings do not matter
  bool is_empty() const {
    return change.streams.empty() && change.datasets.empty() && change.rules.empty() && change.dropped_rules.empty() &&
           change.dropped_streams.empty() && change.dropped_lists.empty() && change.dropped_tables.empty();
  }
};

class Registry {
 public:
  // Compiles a text against this registry. `file_name` is what diagnostics print; `sinks`: those that `to` may name, none: any.
  DeploymentPlan plan(const std::string& text, const std::string& file_name,
                      std::optional<std::vector<std::string>> sinks = std::nullopt) const;
  // A version's text again as the newest version, or the rule resumed: always starts anew (warm start).
  DeploymentPlan plan_restart(const RuleRecord& rule, const std::string& text, cep::RuleMode mode) const;

  // Applies a control record. An Error means that the log and this program disagree: the process must not go on.
  cep::Status apply(const RulesChange& change);
  // `after`, if given, is the dataset with these edits, of revision() + 1.
  cep::Status apply(const DatasetChange& change, cep::DatasetPtr after = nullptr);
  cep::Status apply(const ModeChange& change);
  void apply(const SourceChange& change) { sources_.push_back(change); }

  cep::RuleSetPtr rule_set() const;
  // Only the given programs, and what feeds them: what a warm start runs.
  cep::RuleSetPtr rule_set_of(const std::vector<cep::ProgramId>& programs) const;
  // The dataset as it was once, for a warm start; or as a checkpoint has its entries, which save() leaves out. Error: damaged, others
  // than were saved.
  void put_dataset(cep::DatasetPtr dataset) { datasets_[dataset->name()] = std::move(dataset); }
  std::vector<std::string> unrestored() const;          // datasets that wait for restore_entries
  cep::Status restore_entries(const std::string& dataset, const cep::EntryMap& entries);

  const std::map<std::string, RuleRecord>& rules() const { return rules_; }
  const RuleRecord* rule_by_number(uint32_t number) const;
  const std::map<std::string, cep::SchemaPtr>& streams() const { return catalog_.streams; }
  cep::SchemaPtr find_stream(const std::string& name) const;                 // null: not declared
  const cep::Datasets& datasets() const { return datasets_; }
  uint64_t revision() const { return revision_; }       // of the newest edit of a dataset
  cep::DurationUs retain_us() const;                    // the longest that a stream wants its events kept in the log; 0: none says
  // Schema versions by number: what frames of the log name.
  const std::vector<cep::SchemaPtr>& schemas() const { return schemas_; }
  uint32_t schema_number(const std::string& stream) const;    // of the version in force; the stream must exist
  // Sources beside the input by number, from 1 on. save() leaves them out: the sequencer keeps them with how far each was read.
  const std::vector<SourceChange>& sources() const { return sources_; }
  // Rules whose compiled form differs from what the data directory was written with (another program version).
  const std::vector<std::string>& recompiled() const { return recompiled_; }
  // Gives those rules new program numbers, so that no run of the old program is taken for one of theirs; answers the numbers.
  std::vector<cep::ProgramId> renew_recompiled();

  // Without the entries of datasets: checkpoints keep those apart (dataset_records.h).
  std::string save() const;
  static cep::Result<Registry> restore(std::string_view bytes);

 private:
  void add_rule_change(DeploymentPlan& plan, const std::string& name, const cep::ProgramPtr& program, bool shadow) const;
  cep::Status declare(const std::string& text, uint32_t number);
  cep::Status restore_datasets(state::Reader& in, uint8_t format);
  cep::Result<cep::ProgramPtr> compile_rule(const std::string& text);
  bool is_in_force(const RuleRecord& rule) const { return !rule.dropped && !rule.versions.empty(); }
  cep::RuleEntry entry_of(const RuleRecord& rule) const;
  std::vector<std::string> source_names() const;

  // Declarations in the order they were accepted: replayed, they give the catalogue its numbers again.
  struct Declaration {
    uint32_t number = 0;               // schema number of a stream, else kNoNumber
    std::string text;
  };
  static constexpr uint32_t kNoNumber = 0xffffffff;

  patterns::Catalog catalog_;
  std::vector<Declaration> declarations_;
  std::vector<cep::SchemaPtr> schemas_;
  std::map<std::string, uint32_t> schema_numbers_;      // stream -> number in force
  cep::Datasets datasets_;
  std::map<std::string, uint64_t> saved_sizes_;         // of datasets whose entries are still to be restored
  uint64_t revision_ = 0;
  std::map<std::string, RuleRecord> rules_;
  std::vector<SourceChange> sources_;
  uint32_t next_program_ = 1;
  uint32_t next_rule_number_ = 1;
  std::vector<std::string> recompiled_;
};

using RegistryPtr = std::shared_ptr<const Registry>;

}  // namespace service
