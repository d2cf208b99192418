// The queue of writes that are sent in the background: which value of a key leaves, in which order, and when what was
// queued at some moment has left. No server, no thread; time from a clock that stands still.
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/cache/queued_writes.hpp"
#include "cascor/core/clock.hpp"

using namespace std::chrono_literals;
using cascor::ManualClock;
using cascor::TimePoint;

namespace {

using Queue = cascor::detail::QueuedWrites<>;
using Entry = Queue::Entry;

class Queued {
 public:
  bool put(const std::string& key, const std::string& value, cascor::milliseconds ttl = 1h) {
    Entry entry;
    entry.key = key;
    entry.bytes = std::make_shared<const std::string>(value);
    entry.queued = clock.now();
    entry.expires = clock.now() + ttl;
    return queue.put(entry);
  }
  std::size_t remove(std::string_view key) {
    return queue.remove_if([key](const Entry& queued) { return queued.key == key; }, clock.now());
  }
  // "a=1 b=2", or "-a -b" for removals; nothing is settled.
  std::string next(std::size_t most = 100, std::size_t most_bytes = 1'000) {
    std::vector<const Entry*> chunk;
    queue.next(chunk, clock.now(), most, most_bytes);
    size = chunk.size();
    std::string text;
    for (const Entry* entry : chunk) {
      if (!text.empty()) text += ' ';
      text += entry->is_removal_at(clock.now()) ? '-' + entry->key : entry->key + '=' + *entry->bytes;
    }
    return text;
  }
  void settle() {
    auto spent = queue.settle(size);
    if (spent.order.empty()) return;
    spent.index.clear();
    spent.order.clear();
    queue.reuse(std::move(spent));
  }
  std::string sent(std::size_t most = 100) {
    std::string text = next(most);
    settle();
    return text;
  }
  std::string value(std::string_view key) const {
    const Entry* const entry = queue.find(key);
    if (entry == nullptr) return "nothing";
    return entry->bytes ? *entry->bytes : "removed";
  }

  Queue queue;
  ManualClock clock;
  std::size_t size = 0;
};

}  // namespace

TEST_CASE("the newest value of a key leaves, in the order in which the newest were written") {
  Queued q;
  CHECK_FALSE(q.put("record", "1"));
  CHECK_FALSE(q.put("latest", "1"));
  CHECK_FALSE(q.put("a key that is too long for a string's own room", "x"));
  CHECK_FALSE(q.put("record2", "2"));
  CHECK(q.put("latest", "2"));
  CHECK(q.put("a key that is too long for a string's own room", "y"));
  CHECK(q.queue.size() == 4);
  CHECK(q.value("latest") == "2");
  CHECK(q.next() == "record=1 record2=2 latest=2 a key that is too long for a string's own room=y");
  q.settle();
  CHECK(q.queue.empty());
  CHECK(q.queue.bytes() == 0);
  CHECK(q.value("latest") == "nothing");
  CHECK(q.next().empty());
}

TEST_CASE("what is being sent is still seen, does not change, and a newer value waits behind it") {
  Queued q;
  q.put("a", "1");
  q.put("b", "1");
  CHECK(q.next(1) == "a=1");
  CHECK_FALSE(q.put("a", "2"));
  CHECK_FALSE(q.put("b", "2"));  // not sent yet, but its turn has come: order is kept
  CHECK(q.value("a") == "2");
  CHECK(q.next(1) == "a=1");  // what was not settled is given again
  q.settle();
  CHECK(q.sent() == "b=1");
  CHECK(q.value("b") == "2");
  CHECK(q.sent() == "a=2 b=2");
}

TEST_CASE("a key that is written without end leaves once a generation, and so does everything before it") {
  Queued q;
  q.put("latest", "0");
  for (int i = 1; i <= 10; ++i) {
    q.put("record" + std::to_string(i), "r");
    q.put("latest", std::to_string(i));
  }
  const auto then = q.queue.newest();
  CHECK(q.queue.left() < then);
  for (int i = 0; i < 10; ++i) {
    REQUIRE(q.next(1).starts_with("record"));
    q.put("latest", "newer");
    CHECK(q.queue.left() < then);
    q.settle();
  }
  CHECK(q.queue.left() < then);
  CHECK(q.sent(1) == "latest=10");
  CHECK(q.queue.left() == then);
  CHECK(q.queue.newest() > then);
  CHECK(q.sent() == "latest=newer");
  CHECK(q.queue.left() == q.queue.newest());
}

TEST_CASE("a removal takes the place of a queued value and leaves in its turn") {
  Queued q;
  q.put("a", "1");
  q.put("b", "1");
  CHECK(q.remove("a") == 1);
  CHECK(q.remove("a") == 0);
  CHECK(q.remove("never") == 0);
  CHECK(q.value("a") == "removed");
  CHECK(q.queue.size() == 2);
  CHECK(q.sent() == "b=1");  // writes and removals apart
  CHECK(q.sent() == "-a");
  q.put("a", "2");
  CHECK(q.next() == "a=2");
  CHECK(q.remove("a") == 1);  // while it is on its way
  CHECK(q.value("a") == "removed");
  q.settle();
  CHECK(q.value("a") == "removed");
  CHECK(q.sent() == "-a");
  CHECK(q.value("a") == "nothing");
}

TEST_CASE("a value that expires while it waits leaves as a removal: it took the place of the one before") {
  Queued q;
  q.put("brief", "1", 1s);
  q.put("long", "1", 1h);
  q.clock.advance(1s);
  CHECK(q.remove("brief") == 0);  // it was no longer alive
  q.put("brief", "2", 1s);
  q.clock.advance(1s);
  CHECK(q.sent() == "long=1");
  CHECK(q.sent() == "-brief");
}

TEST_CASE("one round trip takes so many keys and about so many bytes, and at least one") {
  Queued q;
  for (int i = 0; i < 5; ++i) q.put(std::string(1, static_cast<char>('a' + i)), std::string(600, 'v'));
  std::vector<const Entry*> chunk;
  q.queue.next(chunk, q.clock.now(), 100, 1'000);
  CHECK(chunk.size() == 2);
  chunk.clear();
  q.queue.next(chunk, q.clock.now(), 100, 1);
  CHECK(chunk.size() == 1);
  chunk.clear();
  q.queue.next(chunk, q.clock.now(), 4, 1'000'000);
  CHECK(chunk.size() == 4);
}

TEST_CASE("against a model: each key ends with its newest value, and no more bytes are counted than are queued") {
  std::mt19937 random{20261124};
  for (int round = 0; round < 200; ++round) {
    Queued q;
    std::map<std::string, std::string> written;
    std::map<std::string, std::string> arrived;
    const auto arrive = [&](const std::string& text) {
      for (std::size_t at = 0; at < text.size();) {
        const std::string word = text.substr(at, text.find(' ', at) - at);
        at += word.size() + 1;
        const auto equals = word.find('=');
        if (equals == std::string::npos) {
          arrived.erase(word.substr(1));
        } else {
          arrived[word.substr(0, equals)] = word.substr(equals + 1);
        }
      }
    };
    for (int step = 0; step < 100; ++step) {
      const std::string key = "k" + std::to_string(random() % 8);
      switch (random() % 4) {
        case 0:
          if (q.value(key) != "nothing") {
            q.remove(key);
            written.erase(key);
          }
          break;
        case 1: arrive(q.sent(1 + random() % 4)); break;
        default: q.put(key, std::to_string(step)); written[key] = std::to_string(step);
      }
      for (const auto& [name, value] : written) {
        const std::string queued = q.value(name);
        REQUIRE((queued == value || (queued == "nothing" && arrived.at(name) == value)));
      }
    }
    while (!q.queue.empty()) arrive(q.sent());
    REQUIRE(arrived == written);
    REQUIRE(q.queue.bytes() == 0);
    REQUIRE(q.queue.left() == q.queue.newest());
  }
}
