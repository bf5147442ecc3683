// See dataset_history.h. Test: tests/unit/service/dataset_history_test.cc.
#include "service/dataset_history.h"

#include "state/log_reader.h"

namespace service {

cep::Result<DatasetHistory> DatasetHistory::read(state::FileSystem& files, const std::string& log_dir, uint64_t begin, uint64_t end,
                                                 const Registry& now) {
  DatasetHistory history;
  if (now.datasets().empty()) return history;
  cep::Result<std::unique_ptr<state::LogReader>> reader = state::LogReader::open(files, log_dir, begin);
  if (!reader.ok()) return reader.error();
  for (;;) {
    cep::Result<std::optional<state::FrameView>> frame = (*reader)->next(end);
    if (!frame.ok()) return frame.error();
    if (!frame->has_value()) return history;
    if ((*frame)->header.kind == state::FrameKind::kList) {
      cep::Result<DatasetChange> change = decode_dataset_change((*frame)->rows);
      if (!change.ok()) return change.error();
      history.take(*change);
    } else if ((*frame)->header.kind == state::FrameKind::kRules) {
      cep::Result<RulesChange> change = decode_rules_change((*frame)->rows);
      if (!change.ok()) return change.error();
      history.take(*change, (*frame)->header.first_offset);
    }
  }
}

void DatasetHistory::take(const DatasetChange& change) {
  Before& before = before_[change.dataset];
  for (const DatasetChange::Edit& edit : change.edits) before.try_emplace(edit.key, edit.before);
}

void DatasetHistory::take(const RulesChange& change, uint64_t offset) {
  for (const std::string& statement : change.datasets) {
    begin_anew(read_declaration(statement).name, offset);
  }
  for (const std::string& name : change.dropped_lists) begin_anew(name, offset);
  for (const std::string& name : change.dropped_tables) begin_anew(name, offset);
}

void DatasetHistory::begin_anew(const std::string& name, uint64_t offset) {
  before_.erase(name);
  began_[name] = offset;
}

cep::Status DatasetHistory::rewind(Registry& registry) const {
  const cep::Datasets present = registry.datasets();
  for (const auto& [name, dataset] : present) {
    if (began_.contains(name)) {
      registry.put_dataset(dataset->emptied());
      continue;
    }
    const auto known = before_.find(name);
    if (known == before_.end()) continue;
    DatasetChange undone;
    undone.dataset = name;
    for (const auto& [key, entry] : known->second) undone.edits.push_back({key, entry, std::nullopt});
    cep::Result<cep::DatasetPtr> past = edited(*dataset, undone, dataset->revision());
    if (!past.ok()) return past.error();
    registry.put_dataset(std::move(*past));
  }
  return cep::ok_status();
}

bool DatasetHistory::is_of_present(const std::string& dataset, uint64_t offset) const {
  const auto began = began_.find(dataset);
  return began == began_.end() || offset > began->second;
}

}  // namespace service
