#pragma once

#include <yaml-cpp/emitterstyle.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "cascor/config/text.hpp"
#include "cascor/config/yaml.hpp"
#include "cascor/core/errors.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

CASCOR_CACHE_FN [[noreturn]] void refuse_yaml(const std::string& source, int line, int column,
                                              const std::string& problem) {
  throw ConfigError{source + ':' + std::to_string(line) + ':' + std::to_string(column) + ": " + problem,
                    "Correct the file at that place."};
}

/// Where yaml-cpp's marks are in the text they are of. Its lines end at '\n', its columns count bytes.
template <class CascorWhenUsed>
class YamlLines {
 public:
  explicit YamlLines(std::string_view text) : text_{text}, starts_{text.starts_with("\xEF\xBB\xBF") ? 3U : 0U} {
    for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', end + 1))
      starts_.push_back(end + 1);
  }

  /// The text from a mark on.
  std::string_view from(const YAML::Mark& mark) const {
    const auto line = std::min(static_cast<std::size_t>(mark.line), starts_.size() - 1);
    return text_.substr(std::min(starts_[line] + static_cast<std::size_t>(mark.column), text_.size()));
  }

 private:
  std::string_view text_;
  std::vector<std::size_t> starts_;
};

/// yaml-cpp takes a quoted scalar whose closing quote is missing as one that ends with its line, if the next line is
/// not indented deeper than `column`, that of the map or list around it. Is this one such? `text` begins with it.
CASCOR_CACHE_FN bool lacks_closing_quote(std::string_view text, int column) {
  while (text.starts_with('&') || text.starts_with('!')) {  // its anchor and its tag
    text.remove_prefix(std::min(text.find_first_of(" \n"), text.size()));
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  }
  if (!text.starts_with('"') && !text.starts_with('\'')) return false;
  const char quote = text.front();
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\n') {
      const auto next = text.find_first_not_of(' ', i + 1);
      const bool blank = next == std::string_view::npos || text[next] == '\n' || text[next] == '\r';
      if (!blank && static_cast<int>(next - i) - 1 <= column) return true;
    } else if (text[i] == quote) {
      const bool doubled = quote == '\'' && i + 1 < text.size() && text[i + 1] == quote;
      if (!doubled) return false;
      ++i;
    } else if (text[i] == '\\' && quote == '"' && i + 1 < text.size() && text[i + 1] != '\n') {
      ++i;
    }
  }
  return true;
}

/// Builds the tree from the parser's events.
template <class CascorWhenUsed>
class YamlTreeBuilder final : public YAML::EventHandler {
  using Node = YamlNode<CascorWhenUsed>;
  using Kind = typename Node::Kind;

 public:
  YamlTreeBuilder(std::deque<Node>& nodes, std::string_view text, const std::string& source)
      : nodes_{nodes}, lines_{text}, source_{source} {}

  /// The root of the document that was read last; null where it was empty.
  const Node* root() const { return root_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (root_ != nullptr)
      refuse_yaml(source_, mark.line + 1, mark.column + 1, "found a second document; accepted: one");
    anchors_.clear();
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(Kind::null, mark, anchor); }
  void OnAlias(const YAML::Mark& /*mark*/, YAML::anchor_t anchor) override { place(*anchors_.at(anchor)); }
  void OnScalar(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                const std::string& value) override {
    if (!open_.empty() && open_.back().column >= 0 && lacks_closing_quote(lines_.from(mark), open_.back().column))
      refuse_yaml(source_, mark.line + 1, mark.column + 1, "not YAML: a quoted text without its closing quote");
    add(Kind::scalar, mark, anchor).text = value;
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    open(add(Kind::list, mark, anchor), style);
  }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    open(add(Kind::map, mark, anchor), style);
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  Node& add(Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    auto& node = nodes_.emplace_back();
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    if (anchor != YAML::NullAnchor) anchors_[anchor] = &node;
    place(node);
    return node;
  }

  void place(const Node& node) {
    if (open_.empty())
      root_ = &node;
    else
      open_.back().node->children.push_back(&node);
  }

  void open(Node& node, YAML::EmitterStyle::value style) {
    open_.push_back({&node, style == YAML::EmitterStyle::Flow ? -1 : node.column - 1});
    if (open_.size() > YamlDocument<CascorWhenUsed>::max_depth)
      refuse_yaml(source_, node.line, node.column,
                  "found lists and maps nested deeper than " + std::to_string(YamlDocument<CascorWhenUsed>::max_depth));
  }

  struct Open {
    Node* node;
    int column;  // how far it is indented, from 0; -1 between brackets, where indentation means nothing
  };

  std::deque<Node>& nodes_;
  YamlLines<CascorWhenUsed> lines_;
  const std::string& source_;
  std::vector<Open> open_;  // the lists and maps that have not ended, outermost first
  std::map<YAML::anchor_t, const Node*> anchors_;
  const Node* root_ = nullptr;
};

template <class CascorWhenUsed>
YamlDocument<CascorWhenUsed> YamlDocument<CascorWhenUsed>::parse(std::string_view text, const std::string& source) {
  if (text.size() > max_bytes)
    throw ConfigError{
        source + ": found " + std::to_string(text.size()) + " bytes; accepted: at most " + std::to_string(max_bytes),
        "Is this the configuration file?"};
  if (const auto bad = find_non_utf8(text); bad != std::string_view::npos) {
    const auto before = text.substr(0, bad);
    const auto line_start = before.rfind('\n') + 1;  // npos + 1 is 0, the first line's
    refuse_yaml(source, static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
                static_cast<int>(bad - line_start) + 1, "found a byte that is not UTF-8; accepted: YAML in UTF-8");
  }
  YamlDocument document;
  try {
    std::istringstream in{std::string{text}};
    YAML::Parser parser{in};
    YamlTreeBuilder<CascorWhenUsed> builder{document.nodes_, text, source};
    while (parser.HandleNextDocument(builder)) {
    }
    document.root_ = builder.root() != nullptr ? builder.root() : &document.nodes_.emplace_back();
  } catch (const YAML::Exception& error) {
    if (error.mark.is_null()) throw ConfigError{source + ": not YAML: " + error.msg, "Correct the file."};
    refuse_yaml(source, error.mark.line + 1, error.mark.column + 1, "not YAML: " + error.msg);
  }
  return document;
}

#if defined(CASCOR_CACHE_COMPILED)
template class YamlDocument<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
