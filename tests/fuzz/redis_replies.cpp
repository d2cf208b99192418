// Fuzz target: any bytes through the reader of replies. It never crashes, leaks, or takes memory that no reply is worth
// (libFuzzer's -malloc_limit_mb), and what it makes of bytes does not depend on how they were cut.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/redis/protocol.hpp"

using cascor::Reply;
using cascor::redis::ReplyReader;

namespace {

// Appends a reply as text that tells every other reply from it.
void show(const Reply& reply, std::string& text) {
  text += std::to_string(static_cast<int>(reply.kind)) + ',' + std::to_string(reply.integer) + ',' +
          std::to_string(reply.text.size()) + ',' + reply.text + '[';
  for (const Reply& element : reply.elements) show(element, text);
  text += ']';
}

// What a reader that is fed pieces of these sizes, one after the other and again, makes of the bytes.
std::string made_of(std::string_view bytes, const std::vector<std::size_t>& sizes) {
  ReplyReader reader;
  std::string made;
  std::size_t piece = 0;
  try {
    do {
      const std::string_view fed = bytes.substr(0, sizes[piece++ % sizes.size()]);
      reader.feed(fed);
      bytes.remove_prefix(fed.size());
      while (const auto reply = reader.next()) show(*reply, made);
    } while (!bytes.empty());
    made += reader.holds_bytes() ? "and a part" : "and no more";
  } catch (const cascor::ConnectionError& error) {
    if (std::string_view{error.what()}.empty() || error.hint().empty()) std::abort();
    made += "and was refused";
  }
  return made;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name for it
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  const std::string whole = made_of(bytes, {std::max<std::size_t>(size, 1)});
  std::minstd_rand random{static_cast<std::minstd_rand::result_type>(std::hash<std::string_view>{}(bytes))};
  std::vector<std::size_t> cuts(7);
  for (std::size_t& cut : cuts) cut = 1 + random() % 9;
  for (const auto& sizes : {std::vector<std::size_t>{1}, cuts}) {
    const std::string in_pieces = made_of(bytes, sizes);
    if (in_pieces == whole) continue;
    std::cerr << "whole:     " << whole << "\nin pieces: " << in_pieces << '\n';
    std::abort();
  }
  return 0;
}
