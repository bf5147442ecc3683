#include "service/alert_order.h"

#include <algorithm>
#include <iterator>

namespace service {
namespace {

// Key columns of one rule have one type each; versions of a rule may differ, then the kind decides.
int compare_keys(const std::vector<cep::OwnedValue>& a, const std::vector<cep::OwnedValue>& b) {
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    const cep::Value x = a[i].view();
    const cep::Value y = b[i].view();
    if (x.kind != y.kind) return x.kind < y.kind ? -1 : 1;
    const int order = x.is_null() ? 0 : cep::compare(x, y);
    if (order != 0) return order;
  }
  if (a.size() == b.size()) return 0;
  return a.size() < b.size() ? -1 : 1;
}

}  // namespace

bool is_alert_before(const cep::Alert& a, const cep::Alert& b) {
  if (a.time != b.time) return a.time < b.time;
  const int rules = a.program->rule.compare(b.program->rule);
  if (rules != 0) return rules < 0;
  return compare_keys(a.key, b.key) < 0;
}

void AlertOrder::add(std::vector<cep::Alert>&& alerts) {
  if (held_.empty()) {
    held_ = std::move(alerts);
  } else {
    held_.insert(held_.end(), std::make_move_iterator(alerts.begin()), std::make_move_iterator(alerts.end()));
  }
  alerts.clear();
}

void AlertOrder::sort() {
  const auto middle = held_.begin() + static_cast<std::ptrdiff_t>(sorted_);
  std::stable_sort(middle, held_.end(), is_alert_before);
  std::inplace_merge(held_.begin(), middle, held_.end(), is_alert_before);
  sorted_ = held_.size();
}

void AlertOrder::take(cep::TimeUs until, std::vector<cep::Alert>& out) {
  if (held_.empty()) return;
  if (sorted_ < held_.size()) sort();
  const auto is_earlier = [until](const cep::Alert& alert) { return alert.time < until; };
  auto end = std::partition_point(held_.begin(), held_.end(), is_earlier);
  if (held_.end() - end > static_cast<std::ptrdiff_t>(kHeldMax)) end += (held_.end() - end) / 2;
  out.insert(out.end(), std::make_move_iterator(held_.begin()), std::make_move_iterator(end));
  held_.erase(held_.begin(), end);
  sorted_ = held_.size();
}

}  // namespace service
