// What the account may do, tried by commands that change nothing, and what each missing right switches off.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "finding.hpp"

namespace tool::doctor {

struct TriedRight {
  std::string right;  ///< "+eval", "~cascor:*", "&cascor:*"
  std::string off;    ///< what goes without it
  bool essential = true;
  bool granted = true;
};

struct RightsFacts {
  bool tried = false;
  std::string user;           ///< as the server names it
  std::string key_namespace;  ///< "cascor:"
  std::vector<TriedRight> rights;
};

/// Which right a refusal is about: `command` as it is, or the patterns where it is the key or the channel.
inline std::string refused_right(std::string_view words, std::string_view command, std::string_view keys,
                                 std::string_view channels) {
  const bool names_command = words.find('\'') != std::string_view::npos;
  if (!names_command && words.find("channel") != std::string_view::npos) return '&' + std::string{channels};
  if (!names_command && words.find(" key") != std::string_view::npos) return '~' + std::string{keys};
  return '+' + std::string{command};
}

inline void check_rights(const RightsFacts& facts, Findings& findings) {
  constexpr std::string_view subject = "rights";
  if (!facts.tried) return;
  std::string lacks;
  std::string grants;
  bool essential = false;
  std::vector<std::string> told;
  for (const auto& one : facts.rights) {
    if (one.granted || std::find(told.begin(), told.end(), one.right) != told.end()) continue;
    told.push_back(one.right);
    lacks += (lacks.empty() ? "" : ", ") + one.right + " (" + one.off + ")";
    grants += ' ' + one.right;
    essential = essential || one.essential;
  }
  if (lacks.empty()) return findings.ok(subject, "the account " + facts.user + " has every right that is used");
  std::string what = "the account " + facts.user + " lacks " + lacks;
  std::string cure = "ACL SETUSER " + facts.user + grants + "; the same in the server's aclfile";
  if (told.size() > 4) {
    const std::string& space = facts.key_namespace;
    cure = "ACL SETUSER " + facts.user + " ~" + space + "* &" + space + "* +@all -@dangerous +info +role";
  }
  if (essential)
    findings.problem(subject, std::move(what), std::move(cure));
  else
    findings.warning(subject, std::move(what), std::move(cure));
}

}  // namespace tool::doctor
