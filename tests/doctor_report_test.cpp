// cascor-cache doctor: its report fits a screen, and says first what is wrong.
#include <catch2/catch.hpp>
#include <string>

#include "../tools/cascor-cache/doctor/report.hpp"

using namespace tool::doctor;

namespace {

Findings many_well(int count) {
  Findings findings;
  for (int i = 0; i < count; ++i) findings.ok("check" + std::to_string(i), std::string(70, 'x') + " and more words");
  return findings;
}

std::string text_of(const Report& report) {
  std::string text;
  for (const auto& line : report.lines()) text += line.mark + line.text + '\n';
  return text;
}

}  // namespace

TEST_CASE("the doctor's report says problems first, then warnings, each with its cure") {
  Findings findings;
  findings.ok("one", "fine");
  findings.warning("two", "odd", "do this");
  findings.problem("three", "bad", "do that");
  findings.info("four", "so so", "or not");
  CHECK(text_of(Report{findings, 80, 21}) ==
        "PROBLEM three: bad\n  cure: do that\nWARNING two: odd\n  cure: do this\ninfo four: so so\n"
        "  if need be: or not\nok one: fine\n");
}

TEST_CASE("the doctor's report is no wider than the screen, whatever it has to say") {
  Findings findings;
  findings.problem("name", std::string(300, 'a') + " \xC3\xA9\xC3\xA9 " + std::string(100, 'b'), std::string(200, 'c'));
  for (const std::size_t columns : {40U, 60U, 80U}) {
    const Report report{findings, columns, 21};
    for (const auto& line : report.lines()) {
      std::size_t width = line.mark.size();
      for (const char c : line.text) width += (static_cast<unsigned char>(c) & 0xC0U) != 0x80 ? 1U : 0U;
      CHECK(width <= columns);
    }
  }
  CHECK(wrapped("aaa \xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9 b", 3) ==
        std::vector<std::string>{"aaa", "\xC3\xA9\xC3\xA9\xC3\xA9", "\xC3\xA9 b"});
}

TEST_CASE("the doctor's report keeps to one screen by saying what is well in fewer words") {
  Findings findings = many_well(13);
  findings.problem("memory", std::string(150, 'y'), std::string(150, 'z'));
  const Report report{findings, 80, 21};
  CHECK(report.lines().size() <= 21);
  CHECK(text_of(report).find("ok check0, check1,") != std::string::npos);
  CHECK(text_of(report).find("PROBLEM memory") == 0);
}
