// Findings as lines of a screen: what is wrong first, what is well in as few lines as there is room for.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "finding.hpp"

namespace tool::doctor {

struct ReportLine {
  Level level = Level::ok;
  std::string mark;  ///< "PROBLEM", which may be coloured; empty: a line that goes on
  std::string text;  ///< what stands behind it, indented where there is no mark
};

/// `text` in lines of at most `columns` characters, broken at blanks where there are any. UTF-8.
inline std::vector<std::string> wrapped(std::string_view text, std::size_t columns) {
  const auto width_of = [](std::string_view part) {
    std::size_t width = 0;
    for (const char c : part) width += (static_cast<unsigned char>(c) & 0xC0U) != 0x80 ? 1U : 0U;
    return width;
  };
  std::vector<std::string> lines{{}};
  while (!text.empty()) {
    std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    const std::size_t used = width_of(lines.back());
    if (used > 0 && used + 1 + width_of(word) > columns) lines.emplace_back();
    if (!lines.back().empty()) lines.back() += ' ';
    while (width_of(word) > columns) {  // no blank to break it at
      std::size_t cut = columns;
      while (cut < word.size() && width_of(word.substr(0, cut)) < columns) ++cut;
      while (cut < word.size() && (static_cast<unsigned char>(word[cut]) & 0xC0U) == 0x80) ++cut;
      lines.back() += word.substr(0, cut);
      lines.emplace_back();
      word.remove_prefix(cut);
    }
    lines.back() += word;
  }
  return lines;
}

class Report {
 public:
  /// Lines as wide as `columns`, and no more than `rows` of them where what is well can be said shorter.
  Report(const Findings& findings, std::size_t columns, std::size_t rows)
      : columns_{std::max<std::size_t>(columns, 40)} {
    add_all(findings, false);
    if (lines_.size() <= rows) return;
    lines_.clear();
    add_all(findings, true);
  }
  const std::vector<ReportLine>& lines() const noexcept { return lines_; }

 private:
  void add_all(const Findings& findings, bool short_of_room) {
    for (const Level level : {Level::problem, Level::warning, Level::info, Level::ok}) {
      if (level == Level::ok && short_of_room) {
        add_names(findings);
        continue;
      }
      for (const Finding& one : findings.all())
        if (one.level == level) add(one, short_of_room);
    }
  }
  void add(const Finding& one, bool short_of_room) {
    const bool grave = one.level == Level::problem || one.level == Level::warning;
    const std::string mark = one.level == Level::problem   ? "PROBLEM"
                             : one.level == Level::warning ? "WARNING"
                                                           : std::string{to_string(one.level)};
    paragraph(one.level, mark, one.subject + ": " + one.what, mark.size() + 1);
    if (one.cure.empty() || (short_of_room && !grave)) return;
    paragraph(one.level, {}, std::string{grave ? "cure: " : "if need be: "} + one.cure, 2);
  }
  void add_names(const Findings& findings) {
    std::string names;
    for (const Finding& one : findings.all())
      if (one.level == Level::ok) names += (names.empty() ? "" : ", ") + one.subject;
    if (!names.empty()) paragraph(Level::ok, "ok", names, 3);
  }
  /// Later lines are indented by two.
  void paragraph(Level level, const std::string& mark, const std::string& text, std::size_t first_indent) {
    constexpr std::size_t later_indent = 2;
    // The first line is shorter: what stands before it counts as a word.
    const std::string lead(mark.empty() ? 0 : first_indent - later_indent, '_');
    const auto broken = wrapped(lead + text, columns_ - later_indent);
    for (std::size_t i = 0; i < broken.size(); ++i) {
      ReportLine line{level, i == 0 ? mark : std::string{}, {}};
      if (i == 0 && !mark.empty())
        line.text = ' ' + broken[i].substr(std::min(lead.size(), broken[i].size()));
      else
        line.text = std::string(later_indent, ' ') + broken[i];
      lines_.push_back(std::move(line));
    }
  }

  std::size_t columns_;
  std::vector<ReportLine> lines_;
};

}  // namespace tool::doctor
