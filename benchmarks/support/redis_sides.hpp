// The two sides of the Redis benchmarks, before one private server: our engine, and plain hiredis, by arguments, its
// replies copied into strings as any caller would.
#pragma once

#include <hiredis/hiredis.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/redis/redis_backend.hpp"
#include "support/redis_server.hpp"

namespace bench {

using Backend = cascor::redis::RedisBackend<>;

[[noreturn]] inline void give_up(const char* what) {
  (void)std::fprintf(stderr, "the benchmark cannot go on: %s\n", what);
  std::exit(1);
}
inline void expect(bool so, const char* what) {
  if (!so) give_up(what);
}

inline cascor::redis::RedisOptions options_for(int port) {
  cascor::redis::RedisOptions options;
  options.endpoint = {.host = "127.0.0.1", .port = static_cast<std::uint16_t>(port), .path = {}};
  return options;
}
inline cascor::Deadline soon() { return {*cascor::SystemClock::shared(), std::chrono::seconds{5}}; }

/// One hiredis connection.
class Hiredis {
 public:
  explicit Hiredis(int port) : context_{redisConnect("127.0.0.1", port)} {
    expect(context_ && context_->err == 0, "hiredis connects");
    redisSetTimeout(context_.get(), {30, 0});
  }
  void get(std::string_view key, std::string& value) { take_string(command(std::array{view("GET"), key}), value); }
  void set(std::string_view key, std::string_view value) {
    const Reply reply = command(std::array{view("SET"), key, value});
    expect(reply && reply->type == REDIS_REPLY_STATUS, "SET is answered with OK");
  }
  void get_pipelined(const std::vector<std::string_view>& keys, std::vector<std::string>& values) {
    for (const auto key : keys) append(std::array{view("GET"), key});
    for (auto& value : values) take_string(next(), value);
  }
  void set_pipelined(const std::vector<std::string_view>& keys, std::string_view value) {
    for (const auto key : keys) append(std::array{view("SET"), key, value});
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const Reply reply = next();
      expect(reply && reply->type == REDIS_REPLY_STATUS, "each SET is answered with OK");
    }
  }
  /// KEYS, and one DEL of what it names; returns how many went.
  long long keys_and_del(std::string_view pattern) {
    const Reply found = command(std::array{view("KEYS"), pattern});
    expect(found && found->type == REDIS_REPLY_ARRAY, "KEYS is answered with keys");
    std::vector<std::string_view> words{"DEL"};
    for (std::size_t i = 0; i < found->elements; ++i) {
      words.emplace_back(found->element[i]->str, static_cast<std::size_t>(found->element[i]->len));
    }
    const Reply gone = command(words);
    expect(gone && gone->type == REDIS_REPLY_INTEGER, "DEL is answered with a number");
    return gone->integer;
  }

 private:
  struct Free {
    void operator()(redisContext* context) const noexcept { redisFree(context); }
    void operator()(redisReply* reply) const noexcept { freeReplyObject(reply); }
  };
  using Reply = std::unique_ptr<redisReply, Free>;
  // hiredis wants the words and their sizes in arrays of their own.
  template <class Words, class Use>
  static auto with_arguments(const Words& words, const Use& use) {
    if constexpr (requires { std::tuple_size<Words>::value; }) {
      std::array<const char*, std::tuple_size_v<Words>> texts{};
      std::array<std::size_t, std::tuple_size_v<Words>> sizes{};
      return fill_and_use(words, texts, sizes, use);
    } else {
      std::vector<const char*> texts(words.size());
      std::vector<std::size_t> sizes(words.size());
      return fill_and_use(words, texts, sizes, use);
    }
  }
  template <class Words, class Texts, class Sizes, class Use>
  static auto fill_and_use(const Words& words, Texts& texts, Sizes& sizes, const Use& use) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      texts[i] = words[i].data();
      sizes[i] = words[i].size();
    }
    return use(static_cast<int>(words.size()), texts.data(), sizes.data());
  }
  static std::string_view view(const char* word) { return word; }

  template <class Words>
  Reply command(const Words& words) {
    return with_arguments(words, [this](int count, const char** texts, const std::size_t* sizes) {
      return Reply{static_cast<redisReply*>(redisCommandArgv(context_.get(), count, texts, sizes))};
    });
  }
  template <class Words>
  void append(const Words& words) {
    with_arguments(words, [this](int count, const char** texts, const std::size_t* sizes) {
      return redisAppendCommandArgv(context_.get(), count, texts, sizes);
    });
  }
  Reply next() {
    void* reply = nullptr;
    expect(redisGetReply(context_.get(), &reply) == REDIS_OK, "a pipelined command is answered");
    return Reply{static_cast<redisReply*>(reply)};
  }
  static void take_string(const Reply& reply, std::string& value) {
    expect(reply && reply->type == REDIS_REPLY_STRING, "GET is answered with a value");
    value.assign(reply->str, static_cast<std::size_t>(reply->len));
  }

  std::unique_ptr<redisContext, Free> context_;
};

/// "bench:000000", … on the server, each with that value.
inline std::vector<std::string> filled(int port, std::size_t count, std::string_view value,
                                       const std::string& prefix = "bench:") {
  std::vector<std::string> names;
  names.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string number = std::to_string(i);
    names.push_back(prefix + std::string(number.size() < 6 ? 6 - number.size() : 0, '0') + number);
  }
  Hiredis hiredis{port};
  for (std::size_t at = 0; at < count; at += 1000) {
    const auto end = names.begin() + static_cast<std::ptrdiff_t>(std::min(count, at + 1000));
    hiredis.set_pipelined({names.begin() + static_cast<std::ptrdiff_t>(at), end}, value);
  }
  return names;
}

}  // namespace bench
