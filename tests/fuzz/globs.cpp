// Fuzz target: a pattern, a NUL, a text. The matcher says what a plain reading of the rules says; an escaped text
// matches itself alone; and what begins every match begins this one.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "cascor/core/glob.hpp"
#include "support/plain_glob.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const std::size_t end = std::min(input.find('\0'), input.size());
  const std::string_view pattern = input.substr(0, end);
  const std::string_view text = end < input.size() ? input.substr(end + 1) : std::string_view{};

  const bool matches = cascor::glob_match(pattern, text);
  // The plain one tries every way: with many stars that is for ever.
  const bool is_short = text.size() <= 24 && std::count(pattern.begin(), pattern.end(), '*') <= 5;
  if (is_short && matches != support::PlainGlob::matches(pattern, text)) std::abort();

  const std::string escaped = cascor::glob_escape(text);
  if (!cascor::glob_match(escaped, text)) std::abort();
  if (!pattern.empty() && pattern != text && cascor::glob_match(escaped, pattern)) std::abort();

  const auto prefix = cascor::glob_literal_prefix(pattern);
  if (matches && !text.starts_with(prefix.text)) std::abort();
  if (prefix.then_anything && !cascor::glob_match(pattern, prefix.text + std::string{text})) std::abort();
  return 0;
}
