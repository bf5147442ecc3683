// Charts: what a reader would look for is there and inside the picture.
#include "service/svg_chart.h"

#include <gtest/gtest.h>

#include <re2/re2.h>

namespace service {
namespace {

Chart two_curves() {
  return {"Costs & more",
          "Measured <here>",
          {"keys", true},
          {"ns an event", true},
          {{"first", {{1'000, 12.5}, {10'000, 30}, {1'000'000, 480}}}, {"second", {{1'000, 90}, {1'000'000, 95}}}}};
}

std::vector<double> all_numbers(const std::string& svg, const std::string& pattern) {
  std::vector<double> numbers;
  const RE2 wanted(pattern);
  re2::StringPiece left(svg);
  for (double number = 0; RE2::FindAndConsume(&left, wanted, &number);) numbers.push_back(number);
  return numbers;
}

TEST(SvgChart, SaysWhatItShows) {
  const std::string svg = svg_text(two_curves());
  for (const char* const wanted :
       {"<title>Costs &amp; more</title>", "Measured &lt;here>", ">keys</text>", ">ns an event</text>", ">first</text>", ">second</text>",
        ">1,000</text>", ">1,000,000</text>", ">100</text>", "<title>1,000,000: 480</title>"}) {
    EXPECT_NE(svg.find(wanted), std::string::npos) << wanted << "\n" << svg;
  }
  EXPECT_LT(svg.size(), 30'000u);
}

TEST(SvgChart, PointsLieInThePictureAndRiseWithTheirNumbers) {
  const std::string svg = svg_text(two_curves());
  const std::vector<double> x = all_numbers(svg, "cx='([0-9.]+)'"), y = all_numbers(svg, "cy='([0-9.]+)'");
  ASSERT_EQ(x.size(), 5u);
  for (const double at : x) EXPECT_TRUE(at >= 96 && at <= 600) << at;
  for (const double at : y) EXPECT_TRUE(at >= 40 && at <= 320) << at;
  EXPECT_LT(x[0], x[1]);
  EXPECT_NEAR(x[2] - x[1], 2 * (x[1] - x[0]), 0.2) << "a decade is as wide as any other";
  EXPECT_GT(y[0], y[1]) << "larger numbers are higher";
}

TEST(SvgChart, ALinearScaleBeginsAtZero) {
  Chart chart{"Shards", "", {"shards", false}, {"events a second", false}, {{"all", {{1, 4e6}, {2, 7.5e6}, {4, 8e6}}}}};
  const std::string svg = svg_text(chart);
  EXPECT_NE(svg.find(">0</text>"), std::string::npos);
  EXPECT_NE(svg.find(">4</text>"), std::string::npos);
  EXPECT_NE(svg.find(">8,000,000</text>"), std::string::npos) << svg;
}

TEST(SvgChart, OnePointIsAChartToo) {
  Chart chart{"One", "", {"rules", true}, {"ns", true}, {{"only", {{1, 1}}}}};
  const std::string svg = svg_text(chart);
  EXPECT_EQ(svg.find("nan"), std::string::npos) << svg;
  EXPECT_EQ(svg.find("inf"), std::string::npos) << svg;
}

TEST(SvgChart, Numbers) {
  EXPECT_EQ(chart_number(0), "0");
  EXPECT_EQ(chart_number(0.25), "0.25");
  EXPECT_EQ(chart_number(5), "5");
  EXPECT_EQ(chart_number(123), "123");
  EXPECT_EQ(chart_number(1'000), "1,000");
  EXPECT_EQ(chart_number(1'234'567), "1,234,567");
}

}  // namespace
}  // namespace service
