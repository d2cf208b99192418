// glob_match against the server's own matcher: they must never disagree, whatever bytes a pattern is made of.
#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "cascor/core/glob.hpp"
#include "support/redis_server.hpp"

namespace {

using Keys = std::set<std::string>;

class Words {
 public:
  explicit Words(unsigned seed) : generator_{seed} {}
  // Few letters, so that patterns meet keys; every byte that means something; bytes on both sides of 0x80.
  std::string operator()(std::size_t most) {
    static const std::string alphabet{"aabbcx---[[]]^^\\\\**??\x00\x1f\x7f\x80\xc3\xff", 26};
    std::string word(std::uniform_int_distribution<std::size_t>{0, most}(generator_), ' ');
    for (char& byte : word) byte = alphabet[std::uniform_int_distribution<std::size_t>{0, 25}(generator_)];
    return word;
  }

 private:
  std::mt19937 generator_;
};

Keys matched_by_server(support::RedisServer& server, const std::string& pattern) {
  Keys found;
  std::string cursor = "0";
  do {
    const auto page = server.raw("SCAN", cursor, "MATCH", pattern, "COUNT", "2000");
    cursor = page.elements.at(0).text;
    for (const auto& key : page.elements.at(1).elements) found.insert(key.text);
  } while (cursor != "0");
  return found;
}

std::string hex(const std::string& text) {
  static const std::string digits = "0123456789abcdef";
  std::string shown;
  for (const char byte : text) {
    const auto value = static_cast<unsigned char>(byte);
    shown += {digits[value / 16], digits[value % 16], ' '};
  }
  return shown;
}

Keys fill(support::RedisServer& server, Words& words, std::size_t count) {
  Keys keys;
  while (keys.size() < count) keys.insert(words(6));
  keys.erase("");  // no cache has it, and the server matches it with no pattern but "*"
  std::vector<std::string> command{"MSET"};
  for (const auto& key : keys) {
    command.push_back(key);
    command.emplace_back("1");
  }
  REQUIRE(server.raw(command).text == "OK");
  return keys;
}

}  // namespace

TEST_CASE("a pattern matches here exactly the keys that it matches on the server") {
  support::RedisServer server;
  const unsigned seed = std::random_device{}();
  Words words{seed};
  const Keys keys = fill(server, words, 500);
  for (int i = 0; i < 6'000; ++i) {
    const std::string pattern = words(8);
    const Keys there = matched_by_server(server, pattern);
    for (const auto& key : keys) {
      if (cascor::glob_match(pattern, key) == there.contains(key)) continue;
      INFO("seed " << seed << ", pattern " << hex(pattern) << ", key " << hex(key) << ", server "
                   << there.contains(key));
      REQUIRE(cascor::glob_match(pattern, key) == there.contains(key));
    }
  }
}

TEST_CASE("an escaped key matches itself alone, on both sides") {
  support::RedisServer server;
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  Words words{seed};
  const Keys keys = fill(server, words, 300);
  for (const auto& key : keys) {
    const std::string pattern = cascor::glob_escape(key);
    REQUIRE(matched_by_server(server, pattern) == Keys{key});
    for (const auto& other : keys) REQUIRE(cascor::glob_match(pattern, other) == (other == key));
    const auto literal = cascor::glob_literal_prefix(pattern);
    REQUIRE(literal.whole);
    REQUIRE(literal.text == key);
  }
}

TEST_CASE("what a pattern's literal prefix says holds for every key that the server matches") {
  support::RedisServer server;
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  Words words{seed};
  fill(server, words, 300);
  for (int i = 0; i < 2'000; ++i) {
    const std::string pattern = words(6);
    const auto literal = cascor::glob_literal_prefix(pattern);
    for (const auto& key : matched_by_server(server, pattern)) {
      REQUIRE(key.starts_with(literal.text));
      if (literal.whole) REQUIRE(key == literal.text);
    }
  }
}
