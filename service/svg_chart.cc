// See svg_chart.h. Tests: tests/unit/service/svg_chart_test.cc.
#include "service/svg_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace service {
namespace {

constexpr double kWidth = 640, kHeight = 400;
constexpr double kLeft = 96, kRight = 40, kTop = 40, kBottom = 80;
constexpr const char* kColours[] = {"#1f6fb2", "#c2410c", "#15803d", "#7e22ce", "#57534e"};

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') out += "&lt;";
    else if (c == '&') out += "&amp;";
    else out += c;
  }
  return out;
}

// From numbers to pixels, and where the ticks are.
class Scale {
 public:
  // `at_least`, `at_most`: pixels of the ends.
  Scale(const ChartAxis& axis, std::vector<double> values, double at_least, double at_most)
      : is_logarithmic_(axis.is_logarithmic), at_least_(at_least), at_most_(at_most) {
    std::sort(values.begin(), values.end());
    const double least = values.empty() ? 1 : values.front(), most = values.empty() ? 10 : values.back();
    if (is_logarithmic_) {
      for (double decade = std::pow(10, std::floor(std::log10(least))); ticks_.size() < 2 || ticks_.back() < most; decade *= 10) {
        for (const double step : {1.0, 2.0, 5.0}) {
          if (ticks_.size() < 2 || ticks_.back() < most) ticks_.push_back(decade * step);
        }
      }
      while (ticks_.size() > 2 && ticks_[1] <= least) ticks_.erase(ticks_.begin());
    } else {
      double step = std::pow(10, std::floor(std::log10(most)));
      for (const double part : {2.0, 2.5, 2.0}) step = most / step < 4 ? step / part : step;
      for (ticks_ = {0}; ticks_.back() < most;) ticks_.push_back(step * static_cast<double>(ticks_.size()));
    }
  }
  double at(double value) const {
    const double share = (place(value) - place(ticks_.front())) / (place(ticks_.back()) - place(ticks_.front()));
    return at_least_ + share * (at_most_ - at_least_);
  }
  const std::vector<double>& ticks() const { return ticks_; }
  // Few decades have room for the numbers between them.
  bool is_named(double tick) const {
    if (!is_logarithmic_ || ticks_.back() / ticks_.front() <= 200) return true;
    return std::abs(std::log10(tick) - std::round(std::log10(tick))) < 1e-6;
  }

 private:
  double place(double value) const { return is_logarithmic_ ? std::log10(value) : value; }

  bool is_logarithmic_;
  double at_least_, at_most_;
  std::vector<double> ticks_;
};

std::vector<double> numbers(const Chart& chart, bool is_x) {
  std::vector<double> values;
  for (const ChartCurve& curve : chart.curves) {
    for (const auto& [x, y] : curve.points) values.push_back(is_x ? x : y);
  }
  return values;
}

void append_axes(const Chart& chart, const Scale& x, const Scale& y, std::string& out) {
  const auto to = std::back_inserter(out);
  const double right = kWidth - kRight, bottom = kHeight - kBottom;
  for (const double tick : x.ticks()) {
    fmt::format_to(to, "<path class='g' d='M{:.1f} {}V{}'/>\n", x.at(tick), kTop, bottom);
    if (x.is_named(tick)) {
      fmt::format_to(to, "<text x='{:.1f}' y='{}' text-anchor='middle'>{}</text>\n", x.at(tick), bottom + 16, chart_number(tick));
    }
  }
  for (const double tick : y.ticks()) {
    fmt::format_to(to, "<path class='g' d='M{} {:.1f}H{}'/>\n", kLeft, y.at(tick), right);
    if (y.is_named(tick)) {
      fmt::format_to(to, "<text x='{}' y='{:.1f}' text-anchor='end'>{}</text>\n", kLeft - 6, y.at(tick) + 4, chart_number(tick));
    }
  }
  fmt::format_to(to, "<path class='a' d='M{} {}V{}H{}'/>\n", kLeft, kTop, bottom, right);
  fmt::format_to(to, "<text x='{}' y='{}' text-anchor='middle'>{}</text>\n", (kLeft + right) / 2, bottom + 34, escaped(chart.x.label));
  fmt::format_to(to, "<text transform='translate(16 {}) rotate(-90)' text-anchor='middle'>{}</text>\n", (kTop + bottom) / 2,
                 escaped(chart.y.label));
}

}  // namespace

std::string chart_number(double value) {
  if (value < 10 && std::abs(value - std::round(value)) > 1e-6) return fmt::format("{:.3g}", value);
  std::string digits = fmt::format("{:.0f}", value);
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string svg_text(const Chart& chart) {
  const Scale x(chart.x, numbers(chart, true), kLeft, kWidth - kRight);
  const Scale y(chart.y, numbers(chart, false), kHeight - kBottom, kTop);
  std::string out = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {0} {1}' width='{0}' height='{1}' role='img'>\n<title>{2}</title>\n"
      "<style>text{{font:12px sans-serif;fill:#222}}.t{{font-size:15px}}.f{{font-size:10px;fill:#666}}"
      ".g{{stroke:#ddd;fill:none}}.a{{stroke:#444;fill:none}}</style>\n"
      "<rect width='{0}' height='{1}' fill='#fff'/>\n<text class='t' x='{3}' y='24'>{2}</text>\n",
      kWidth, kHeight, escaped(chart.title), kLeft);
  append_axes(chart, x, y, out);
  const auto to = std::back_inserter(out);
  double name_at = kTop + 18;
  for (size_t i = 0; i < chart.curves.size(); ++i) {
    const char* const colour = kColours[i % std::size(kColours)];
    std::string line;
    for (const auto& [px, py] : chart.curves[i].points) {
      fmt::format_to(std::back_inserter(line), "{}{:.1f} {:.1f}", line.empty() ? 'M' : 'L', x.at(px), y.at(py));
      fmt::format_to(to, "<circle cx='{:.1f}' cy='{:.1f}' r='3' fill='{}'><title>{}: {}</title></circle>\n", x.at(px), y.at(py), colour,
                     chart_number(px), chart_number(py));
    }
    fmt::format_to(to, "<path d='{}' stroke='{}' stroke-width='2' fill='none'/>\n", line, colour);
    fmt::format_to(to, "<path d='M{} {}h18' stroke='{}' stroke-width='2'/><text x='{}' y='{}'>{}</text>\n", kLeft + 12, name_at - 4, colour,
                   kLeft + 36, name_at, escaped(chart.curves[i].name));
    name_at += 17;
  }
  fmt::format_to(to, "<text class='f' x='{}' y='{}'>{}</text>\n</svg>\n", kLeft, kHeight - 12, escaped(chart.foot));
  return out;
}

}  // namespace service
