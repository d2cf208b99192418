// How a cluster's client takes a batch apart and reads what the nodes say, without a server.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "cascor/redis/redirect.hpp"
#include "cascor/redis/routing.hpp"
#include "cascor/redis/slot_map.hpp"
#include "cascor/redis/slots.hpp"

using cascor::Reply;
using cascor::redis::Answer;
using cascor::redis::slot_of;
using Batch = cascor::redis::Batch<>;
using Routing = cascor::redis::Routing<>;
using SlotMap = cascor::redis::SlotMap<>;

namespace {

Reply integer(std::int64_t value) {
  Reply reply;
  reply.kind = Reply::Kind::integer;
  reply.integer = value;
  return reply;
}
Reply text(std::string value, Reply::Kind kind = Reply::Kind::string) {
  Reply reply;
  reply.kind = kind;
  reply.text = std::move(value);
  return reply;
}
Reply array(std::vector<Reply> elements) {
  Reply reply;
  reply.kind = Reply::Kind::array;
  reply.elements = std::move(elements);
  return reply;
}
Reply error(std::string words) { return text(std::move(words), Reply::Kind::error); }

std::optional<std::size_t> first_key(std::vector<std::string_view> words) { return cascor::redis::first_key(words); }

}  // namespace

TEST_CASE("A key's slot is that of the Redis Cluster specification", "[cluster]") {
  CHECK(slot_of("123456789") == 0x31C3 % 16384);  // the specification's test vector of CRC16
  CHECK(slot_of("foo") == 12182);
  CHECK(slot_of("{user}.a") == slot_of("user"));
  CHECK(slot_of("user") == 5474);
  CHECK(slot_of("{}foo") == 9500);
  CHECK(slot_of("foo{{bar}}") == 4015);
  CHECK(slot_of("foo{bar}{zap}") == slot_of("bar"));
  CHECK(slot_of("foo{bar") != slot_of("bar"));
}

TEST_CASE("The first key is found where a command has it", "[cluster]") {
  CHECK(first_key({"GET", "k"}) == 1);
  CHECK(first_key({"get", "k"}) == 1);
  CHECK(first_key({"EVAL", "return 1", "1", "k", "a"}) == 3);
  CHECK(first_key({"EVALSHA", "abc", "0"}) == std::nullopt);
  CHECK(first_key({"XREAD", "COUNT", "5", "BLOCK", "100", "STREAMS", "s", "0"}) == 6);
  CHECK(first_key({"xread", "streams", "s", "0"}) == 2);
  CHECK(first_key({"OBJECT", "ENCODING", "k"}) == 2);
  CHECK(first_key({"ZUNION", "2", "a", "b"}) == 2);
  CHECK(first_key({"PUBLISH", "c", "m"}) == std::nullopt);
  CHECK(first_key({"PING"}) == std::nullopt);
  CHECK(first_key({"GET"}) == std::nullopt);
  CHECK(first_key({}) == std::nullopt);
}

TEST_CASE("A command of one slot goes as it is", "[cluster]") {
  Batch batch;
  batch.add(Answer{Answer::status}, "SET", "{a}1", "v");
  const auto units = Routing::units_of(batch);
  REQUIRE(units.size() == 1);
  CHECK(units[0].is_whole);
  CHECK(units[0].slot == slot_of("a"));
  CHECK(units[0].commands(batch).bytes() == batch.bytes());
}

TEST_CASE("What has many keys is split by slot and put together in the order asked", "[cluster]") {
  Batch batch;
  batch.add(Answer{Answer::array, 4}, "MGET", "{a}1", "{b}1", "{a}2", "{c}1");
  const auto units = Routing::units_of(batch);
  REQUIRE(units.size() == 3);
  std::vector<Reply> whole(1);
  for (const auto& unit : units) {
    std::vector<Reply> values;
    for (const std::size_t part : unit.parts) values.push_back(text("value " + std::to_string(part)));
    CHECK(unit.own.answer(0).elements == values.size());
    Reply answer = unit.slot == slot_of("b") ? error("CLUSTERDOWN so") : array(values);
    Routing::place(unit, {&answer, 1}, whole);
  }
  REQUIRE(whole[0].elements.size() == 4);
  CHECK(whole[0].elements[0].text == "value 0");
  CHECK(whole[0].elements[1].text == "CLUSTERDOWN so");
  CHECK(whole[0].elements[1].is_error());
  CHECK(whole[0].elements[2].text == "value 2");
  CHECK(whole[0].elements[3].text == "value 3");
}

TEST_CASE("Counts of a split command are summed, and an error among them is the answer", "[cluster]") {
  Batch batch;
  batch.add(Answer{Answer::integer}, "UNLINK", "{a}1", "{b}1", "{c}1");
  const auto units = Routing::units_of(batch);
  REQUIRE(units.size() == 3);
  for (const std::size_t failing : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{3}}) {
    std::vector<Reply> whole(1);
    for (std::size_t i = 0; i < units.size(); ++i) {
      Reply answer = i == failing ? error("READONLY so") : integer(1);
      Routing::place(units[i], {&answer, 1}, whole);
    }
    CAPTURE(failing);
    CHECK(whole[0].kind == (failing == 3 ? Reply::Kind::integer : Reply::Kind::error));
    if (failing == 3) CHECK(whole[0].integer == 3);
  }
}

TEST_CASE("A transaction stays whole, and other batches go command by command", "[cluster]") {
  Batch transaction;
  transaction.add(Answer{Answer::status}, "MULTI").add(Answer{Answer::status}, "DEL", "{a}1", "{a}2");
  transaction.add(Answer{Answer::array}, "EXEC");
  REQUIRE(Routing::units_of(transaction).size() == 1);
  CHECK(Routing::units_of(transaction)[0].slot == slot_of("a"));

  Batch batch;
  batch.add(Answer{Answer::status}, "SET", "{a}1", "v").add(Answer{Answer::status}, "SET", "{b}1", "");
  batch.add(Answer{Answer::status}, "PING");
  const auto units = Routing::units_of(batch);
  REQUIRE(units.size() == 3);
  CHECK(units[1].slot == slot_of("b"));
  CHECK(units[1].first == 1);
  CHECK(units[2].slot == Routing::Unit::any_slot);
  Batch message;
  message.add(Answer{Answer::integer}, "PUBLISH", "anything", "m");
  CHECK(Routing::units_of(message).at(0).slot == 0);  // all by one node, so that all come in one order
  std::string bytes;
  for (const auto& unit : units) bytes += unit.own.bytes();
  CHECK(bytes == batch.bytes());
}

TEST_CASE("Redirects name the node to ask", "[cluster]") {
  using cascor::redis::redirect_in;
  using Kind = cascor::redis::Redirect::Kind;
  cascor::redis::Endpoint here;
  here.host = "10.0.0.1";
  const auto moved = redirect_in("MOVED 3999 127.0.0.1:6381", here);
  REQUIRE(moved);
  CHECK(moved->kind == Kind::moved);
  CHECK(moved->to.host == "127.0.0.1");
  CHECK(moved->to.port == 6381);
  CHECK(redirect_in("ASK 3999 ::1:6381", here)->kind == Kind::ask);
  CHECK(redirect_in("ASK 3999 ::1:6381", here)->to.host == "::1");
  CHECK(redirect_in("MOVED 3999 :6380", here)->to.host == "10.0.0.1");
  for (const char* other :
       {"MOVED", "MOVED 1", "MOVED 1 a:0", "MOVED 1 a:70000", "MOVED 1 ?:1", "MOVEDX 1 a:1", "ERR"}) {
    CAPTURE(other);
    CHECK_FALSE(redirect_in(other, here));
  }
}

TEST_CASE("A map of slots is read as CLUSTER SLOTS tells it", "[cluster]") {
  cascor::redis::Endpoint here;
  here.host = "10.0.0.1";
  const auto range = [](std::int64_t first, std::int64_t last, std::string host, std::int64_t port) {
    return array({integer(first), integer(last), array({text(std::move(host)), integer(port), text("id")}),
                  array({text("replica"), integer(1)})});
  };
  const auto map = SlotMap::from(array({range(0, 99, "a", 7000), range(100, 199, "", 7001), range(300, 300, "a", 7000),
                                        range(400, 400, "?", 7000)}),
                                 here);
  REQUIRE(map);
  REQUIRE(map->masters().size() == 2);
  CHECK(map->owner(0) == 0);
  CHECK(map->owner(300) == 0);
  CHECK(map->masters()[map->owner(150)].host == "10.0.0.1");
  CHECK(map->owner(200) == SlotMap::nobody);
  CHECK(map->owner(400) == SlotMap::nobody);

  CHECK_FALSE(SlotMap::from(error("ERR"), here));
  CHECK_FALSE(SlotMap::from(array({}), here));
  CHECK_FALSE(SlotMap::from(array({integer(1)}), here));
  CHECK_FALSE(SlotMap::from(array({range(5, 4, "a", 7000)}), here));
  CHECK_FALSE(SlotMap::from(array({range(-1, 4, "a", 7000)}), here));
  CHECK_FALSE(SlotMap::from(array({range(0, 16384, "a", 7000)}), here));
  CHECK_FALSE(SlotMap::from(array({range(0, 1, "a", 0)}), here));
}

TEST_CASE("What a node tells of others is taken only where it can be so", "[cluster]") {
  const auto range = [](std::string host) {
    return array({integer(0), integer(9), array({text(std::move(host)), integer(7000)})});
  };
  CHECK_FALSE(SlotMap::from(array({range("a\nERROR b")}), {}));
  CHECK_FALSE(SlotMap::from(array({range(std::string(256, 'a'))}), {}));
  CHECK(SlotMap::from(array({range("fe80::1%eth0")}), {}));
  // More ranges than slots: each one costs time.
  CHECK_FALSE(SlotMap::from(array(std::vector<Reply>(16385, range("a"))), {}));
  CHECK_FALSE(cascor::redis::redirect_in("MOVED 1 a\x01:7000", {}));
  CHECK_FALSE(cascor::redis::redirect_in("MOVED 1 " + std::string(256, 'a') + ":7000", {}));
}
