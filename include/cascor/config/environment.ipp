#pragma once

#include <unistd.h>

#include <string>
#include <string_view>

#include "cascor/config/environment.hpp"
#include "cascor/config/text.hpp"
#include "cascor/core/errors.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

namespace detail {

template <class CascorWhenUsed>
Dependent<Environment, CascorWhenUsed> environment_now() {
  Dependent<Environment, CascorWhenUsed> result;
  if (environ == nullptr) return result;  // after clearenv()
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text{*entry};
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) result.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return result;
}

CASCOR_CACHE_FN bool is_variable_name(std::string_view name) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
  constexpr std::string_view letters_and_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
  return !name.empty() && letters.find(name.front()) != std::string_view::npos &&
         name.find_first_not_of(letters_and_digits) == std::string_view::npos;
}

CASCOR_CACHE_DEF std::string expand_variables(std::string_view text, const Environment& environment,
                                              std::string_view place) {
  // The text itself is not quoted in an error: it may hold a password beside the variable.
  const auto refuse = [&](const std::string& found) {
    throw ConfigError{std::string{place} + ": found " + found + "; accepted: ${NAME} or ${NAME:default}",
                      "Set the variable, or give it a default: ${NAME:default}."};
  };
  const Dependent<Environment, CascorWhenUsed>& variables = environment;
  std::string result;
  for (auto open = text.find("${"); open != std::string_view::npos; open = text.find("${")) {
    const auto close = text.find('}', open);
    if (close == std::string_view::npos) refuse("'${' without its '}'");
    const auto inside = text.substr(open + 2, close - open - 2);
    const auto colon = inside.find(':');
    const auto name = inside.substr(0, colon);
    if (!is_variable_name(name)) refuse("'${' without the name of a variable after it");
    if (inside.find("${") != std::string_view::npos) refuse("a '${' inside the default of " + shown(name));
    result += text.substr(0, open);
    if (const auto variable = variables.find(name); variable != variables.end()) {
      result += variable->second;
    } else if (colon != std::string_view::npos) {
      result += inside.substr(colon + 1);
    } else {
      refuse("${" + std::string{name} + "}, and the environment variable " + std::string{name} + " is not set");
    }
    text.remove_prefix(close + 1);
  }
  return result.append(text);
}

}  // namespace detail

CASCOR_CACHE_DEF detail::Dependent<Environment, CascorWhenUsed> process_environment() {
  return detail::environment_now<CascorWhenUsed>();
}

}  // namespace cascor::inline CASCOR_CACHE_ABI
