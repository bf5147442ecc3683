// A chart of a few curves as a small SVG file: axes with labels, a mark and a line for each curve, linear or logarithmic scales.
// Threads: pure functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace service {

struct ChartCurve {
  std::string name;
  std::vector<std::pair<double, double>> points;      // by rising x
};

struct ChartAxis {
  std::string label;
  bool is_logarithmic = true;      // else it begins at 0
};

struct Chart {
  std::string title;
  std::string foot;                // a line below, small
  ChartAxis x, y;
  std::vector<ChartCurve> curves;  // five at most; numbers above 0
};

std::string svg_text(const Chart& chart);

// 1234567 as "1,234,567"; small numbers with up to two digits behind the point.
std::string chart_number(double value);

}  // namespace service
