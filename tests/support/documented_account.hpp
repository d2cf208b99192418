// The account that docs/redis.md tells an operator to make: user "cascor", password "secret".
#pragma once

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/redis_server.hpp"

namespace support {

/// By the one line of the document that makes it.
inline void make_documented_account(RedisServer& server) {
  std::ifstream document{CASCOR_SOURCE_DIR "/docs/redis.md"};
  std::vector<std::string> words;
  for (std::string line; std::getline(document, line);) {
    if (!line.starts_with("ACL SETUSER ")) continue;
    if (!words.empty()) throw std::runtime_error{"docs/redis.md makes two accounts"};
    std::istringstream text{line};
    for (std::string word; text >> word;) words.push_back(word);
  }
  const bool known = words.size() > 4 && words[2] == "cascor" && words[4] == ">secret";
  if (!known || server.raw(words).text != "OK") throw std::runtime_error{"docs/redis.md makes no account"};
}

}  // namespace support
