// RESP: what is sent, and what is made of what comes back, however the bytes are cut.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/redis/protocol.hpp"

using cascor::Reply;
using cascor::redis::append_command;
using ReplyReader = cascor::redis::ReplyReader<>;
using namespace std::literals;

namespace {

std::string command(std::initializer_list<std::string_view> words) {
  std::string bytes;
  append_command(bytes, words);
  return bytes;
}

// A reply as text, for comparison.
std::string shown(const Reply& reply) {
  switch (reply.kind) {
    case Reply::Kind::nil: return "nil";
    case Reply::Kind::status: return '+' + reply.text;
    case Reply::Kind::error: return '-' + reply.text;
    case Reply::Kind::string: return '"' + reply.text + '"';
    case Reply::Kind::integer: return std::to_string(reply.integer);
    case Reply::Kind::array: break;
  }
  std::string text = "[";
  for (const Reply& element : reply.elements) text += shown(element) + ' ';
  return text + ']';
}

std::vector<std::string> all_of(ReplyReader& reader) {
  std::vector<std::string> replies;
  while (auto reply = reader.next()) replies.push_back(shown(*reply));
  return replies;
}

std::string refusal_of(const std::string& bytes) {
  ReplyReader reader;
  try {
    reader.feed(bytes);
    (void)all_of(reader);
  } catch (const cascor::ConnectionError& error) {
    REQUIRE_THAT(error.hint(), Catch::Contains("another program") && Catch::Contains("rediss://"));
    return error.what();
  }
  return "nothing was refused";
}

// Every kind of reply, one behind the other, and what they are.
const std::string stream =
    "+OK\r\n$5\r\nhello\r\n$0\r\n\r\n$-1\r\n:-9223372036854775808\r\n-ERR no such thing\r\n*0\r\n*-1\r\n"
    "*3\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n-WRONGTYPE inside\r\n$5\r\n\r\n\0\r\n\r\n+\r\n"s;
const std::vector<std::string> replies_of_stream{"+OK",
                                                 "\"hello\"",
                                                 "\"\"",
                                                 "nil",
                                                 "-9223372036854775808",
                                                 "-ERR no such thing",
                                                 "[]",
                                                 "nil",
                                                 "[\"a\" [1 nil ] -WRONGTYPE inside ]",
                                                 "\"\r\n\0\r\n\""s,
                                                 "+"};

}  // namespace

TEST_CASE("a command is sent by the length of its words, so that no byte in them means anything") {
  CHECK(command({"PING"}) == "*1\r\n$4\r\nPING\r\n");
  CHECK(command({"SET", "", "%s %n\r\n$3"}) == "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$9\r\n%s %n\r\n$3\r\n");
  CHECK(command({"GET", "a\0b"sv}) == "*2\r\n$3\r\nGET\r\n$3\r\na\0b\r\n"s);
}

TEST_CASE("replies are the same however their bytes are cut") {
  SECTION("whole") {
    ReplyReader reader;
    reader.feed(stream);
    CHECK(all_of(reader) == replies_of_stream);
    CHECK_FALSE(reader.holds_bytes());
  }
  SECTION("in two at every place") {
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
      ReplyReader reader;
      reader.feed(std::string_view{stream}.substr(0, cut));
      auto replies = all_of(reader);
      reader.feed(std::string_view{stream}.substr(cut));
      for (auto& reply : all_of(reader)) replies.push_back(std::move(reply));
      REQUIRE(replies == replies_of_stream);
    }
  }
  SECTION("byte by byte") {
    ReplyReader reader;
    std::vector<std::string> replies;
    for (const char byte : stream) {
      reader.feed({&byte, 1});
      for (auto& reply : all_of(reader)) replies.push_back(std::move(reply));
    }
    CHECK(replies == replies_of_stream);
  }
}

TEST_CASE("a reply that is not whole yet is no reply, and its bytes are not forgotten") {
  ReplyReader reader;
  CHECK_FALSE(reader.holds_bytes());
  reader.feed("$5\r\nhel");
  CHECK_FALSE(reader.next());
  CHECK(reader.holds_bytes());
  reader.feed("lo\r\n+left over");
  CHECK(shown(reader.next().value()) == "\"hello\"");
  CHECK_FALSE(reader.next());
  CHECK(reader.holds_bytes());
}

TEST_CASE("a value of many megabytes comes through whole, in pieces") {
  const std::string value(20'000'000, 'v');
  const std::string bytes = "$" + std::to_string(value.size()) + "\r\n" + value + "\r\n";
  ReplyReader reader;
  for (std::size_t at = 0; at < bytes.size(); at += 65'536) reader.feed(std::string_view{bytes}.substr(at, 65'536));
  CHECK(reader.next().value().text == value);
}

TEST_CASE("an array of many elements comes through whole") {
  constexpr std::size_t count = 100'000;
  ReplyReader reader;
  reader.feed("*" + std::to_string(count) + "\r\n");
  for (std::size_t i = 0; i < count; ++i) reader.feed(":" + std::to_string(i) + "\r\n");
  const Reply reply = reader.next().value();
  REQUIRE(reply.elements.size() == count);
  for (std::size_t i = 0; i < count; ++i) REQUIRE(reply.elements[i].integer == static_cast<std::int64_t>(i));
}

TEST_CASE("arrays in arrays come through whole, with what stands behind them, however they are cut") {
  const std::string bytes = "*3\r\n*2\r\n$2\r\nab\r\n*1\r\n*0\r\n$1\r\nc\r\n*1\r\n:5\r\n*2\r\n+x\r\n*-1\r\n:7\r\n";
  const std::vector<std::string> expected{"[[\"ab\" [[] ] ] \"c\" [5 ] ]", "[+x nil ]", "7"};
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    ReplyReader reader;
    std::vector<std::string> replies;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      reader.feed(std::string_view{bytes}.substr(at, piece));
      for (auto& reply : all_of(reader)) replies.push_back(std::move(reply));
    }
    REQUIRE(replies == expected);
    REQUIRE_FALSE(reader.holds_bytes());
  }
}

TEST_CASE("a string in an array that does not end where it says is refused, however the bytes are cut") {
  const std::string bytes = "*1\r\n$3\r\nabcdefgh";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    CAPTURE(piece);
    ReplyReader reader;
    CHECK_THROWS_AS(
        [&] {
          for (std::size_t at = 0; at < bytes.size(); at += piece) {
            reader.feed(std::string_view{bytes}.substr(at, piece));
            (void)all_of(reader);
          }
        }(),
        cascor::ConnectionError);
  }
}

TEST_CASE("a reader within an array holds bytes, though all that came are elements of it") {
  ReplyReader reader;
  reader.feed("*2\r\n:1\r\n");
  CHECK_FALSE(reader.next());
  CHECK(reader.holds_bytes());
  reader.feed(":2\r\n");
  CHECK(shown(reader.next().value()) == "[1 2 ]");
  CHECK_FALSE(reader.holds_bytes());
}

TEST_CASE("an array's header that claims the moon is refused before memory is taken for it") {
  const auto header = GENERATE("*2147483647\r\n", "*16777217\r\n", "*1\r\n*2147483647\r\n");
  CHECK(refusal_of(header) == "an answer that is not Redis's protocol: larger than any answer");
}

TEST_CASE("a string that announces more than Redis ever stores is refused before it comes") {
  const auto header = GENERATE("$1073741825\r\n", "$9223372036854775807\r\n", "*2\r\n:1\r\n$4000000000\r\nx");
  CHECK(refusal_of(header) == "an answer that is not Redis's protocol: larger than any answer");
  ReplyReader reader;
  reader.feed("$1073741824\r\n");
  CHECK_FALSE(reader.next());
}

TEST_CASE("a line that does not end is refused once it is longer than any") {
  ReplyReader reader;
  reader.feed("-ERR " + std::string(1'000'000, 'x'));
  CHECK_FALSE(reader.next());
  reader.feed(std::string(100'000, 'x'));
  CHECK_THROWS_AS(reader.next(), cascor::ConnectionError);
}

TEST_CASE("a header that only claims many elements costs little until they come") {
  ReplyReader reader;
  reader.feed("*16777216\r\n");  // a gigabyte, were it believed
  CHECK_FALSE(reader.next());
}

TEST_CASE("bytes that are not Redis's protocol are refused, with what was found") {
  const std::string what = "an answer that is not Redis's protocol: ";
  CHECK(refusal_of("HTTP/1.1 400 Bad Request\r\n\r\n") == what + "Protocol error, got \"H\" as reply type byte");
  CHECK(refusal_of("\x15\x03\x03\x00\x02\x02\x46"s) == what + "Protocol error, got \"\\x15\" as reply type byte");
  CHECK(refusal_of("220 mail.example.org ESMTP\r\n") == what + "Protocol error, got \"2\" as reply type byte");
  CHECK(refusal_of("%1\r\n+a\r\n+b\r\n") == what + "Protocol error, got \"%\" as reply type byte");
  CHECK_THAT(refusal_of(":12x\r\n"), Catch::StartsWith(what));
  CHECK_THAT(refusal_of("*-2\r\n"), Catch::StartsWith(what));
  CHECK_THAT(refusal_of("$-2\r\n"), Catch::StartsWith(what));
  CHECK_THAT(refusal_of("$99999999999999999999999\r\n"), Catch::StartsWith(what));
  CHECK_THAT(refusal_of("*99999999999999999999999\r\n"), Catch::StartsWith(what));
}

TEST_CASE("nesting deeper than any answer's is refused, not followed") {
  std::string nested;
  for (int i = 0; i < 100'000; ++i) nested += "*1\r\n";
  CHECK_THAT(refusal_of(nested), Catch::StartsWith("an answer that is not Redis's protocol"));
}

TEST_CASE("a reader that refused once refuses what comes after") {
  ReplyReader reader;
  reader.feed("?");
  CHECK_THROWS_AS(reader.next(), cascor::ConnectionError);
  reader.feed("+OK\r\n");
  CHECK_THROWS_AS(reader.next(), cascor::ConnectionError);
}

TEST_CASE("bytes that are received in place are the same as bytes that are fed, however small the pieces") {
  std::mt19937 random{7};
  for (int round = 0; round < 50; ++round) {
    ReplyReader reader;
    std::vector<std::string> replies;
    std::string bytes;
    std::vector<std::string> expected;
    for (int i = 0; i < 20; ++i) {
      const std::string value(random() % (i % 5 == 0 ? 50'000 : 50), static_cast<char>('a' + i));
      bytes += i % 3 == 0 ? "*2\r\n$" + std::to_string(value.size()) + "\r\n" + value + "\r\n:1\r\n"
                          : "$" + std::to_string(value.size()) + "\r\n" + value + "\r\n";
      expected.push_back(i % 3 == 0 ? "[\"" + value + "\" 1 ]" : '"' + value + '"');
    }
    for (std::size_t at = 0; at < bytes.size();) {
      const auto room = reader.space();
      REQUIRE(room.size() >= 16 * 1024);
      const std::size_t some = std::min({room.size(), bytes.size() - at, std::size_t{1} + random() % 30'000});
      std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), some, room.begin());
      reader.received(some);
      at += some;
      for (auto& reply : all_of(reader)) replies.push_back(std::move(reply));
    }
    REQUIRE((replies == expected));
    REQUIRE_FALSE(reader.holds_bytes());
  }
}

TEST_CASE("lines that only look like an answer are refused, not guessed at") {
  for (const char* bytes : {"$3\r\nabcd\r\n", "$3\r\nabc\rx", ":\r\n", ":1 \r\n", "$ 3\r\nabc\r\n", "$\r\n", "$-2\r\n",
                            ":99999999999999999999\r\n"}) {
    CAPTURE(bytes);
    CHECK_THAT(refusal_of(bytes), Catch::StartsWith("an answer that is not Redis's protocol"));
  }
}
