// The eviction policies against plain models: LRU as one list, S3-FIFO written from the paper's text.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "cascor/memory/ghost_queue.hpp"
#include "cascor/memory/lru_policy.hpp"
#include "cascor/memory/s3fifo_policy.hpp"

using cascor::detail::Charge;
using cascor::detail::LruPolicy;
using cascor::detail::PolicyNode;
using GhostQueue = cascor::detail::GhostQueue<>;
using S3FifoPolicy = cascor::detail::S3FifoPolicy<>;

namespace {

// The oldest is in front.
class LruModel {
 public:
  void inserted(int key, std::size_t /*charge*/) { order_.push_back(key); }
  void hit(int key) {
    erase(key);
    order_.push_back(key);
  }
  void replaced(int /*key*/, std::size_t /*charge*/) {}
  void erase(int key) { order_.erase(std::find(order_.begin(), order_.end(), key)); }
  int evict() {
    const int victim = order_.front();
    order_.pop_front();
    return victim;
  }

 private:
  std::deque<int> order_;
};

// Two queues and a ghost, all as they stand in the paper; the oldest is in front. Insertion: to main if the ghost knows
// the key, else to small. Eviction: from small while it has more than a tenth of the bytes, else from main. What leaves
// small and was read goes to main, what was not goes to the ghost. What would leave main and was read goes round again.
class S3FifoModel {
 public:
  void inserted(int key, std::size_t charge) {
    auto& queue = std::find(ghost_.begin(), ghost_.end(), key) != ghost_.end() ? main_ : small_;
    queue.push_back({key, charge, 0});
  }
  void hit(int key) {
    auto& reads = find(key)->reads;
    reads = std::min(reads + 1, 3);
  }
  void replaced(int key, std::size_t charge) { find(key)->charge = charge; }
  void erase(int key) { queue_of(key).erase(find(key)); }
  int evict() {
    while (true) {
      if (main_.empty() || (!small_.empty() && 10 * bytes(small_) > bytes(small_) + bytes(main_))) {
        const Entry entry = pop(small_);
        if (entry.reads == 0) {
          ghost_.push_back(entry.key);
          while (ghost_.size() > small_.size() + main_.size()) ghost_.pop_front();
          return entry.key;
        }
        main_.push_back({entry.key, entry.charge, 0});
      } else {
        const Entry entry = pop(main_);
        if (entry.reads == 0) return entry.key;
        main_.push_back({entry.key, entry.charge, entry.reads - 1});
      }
    }
  }

 private:
  struct Entry {
    int key;
    std::size_t charge;
    int reads;
  };
  using Queue = std::deque<Entry>;

  static Queue::iterator in(Queue& queue, int key) {
    return std::find_if(queue.begin(), queue.end(), [key](const Entry& entry) { return entry.key == key; });
  }
  Queue& queue_of(int key) { return in(small_, key) != small_.end() ? small_ : main_; }
  Queue::iterator find(int key) { return in(queue_of(key), key); }
  static std::size_t bytes(const Queue& queue) {
    std::size_t sum = 0;
    for (const Entry& entry : queue) sum += entry.charge;
    return sum;
  }
  static Entry pop(Queue& queue) {
    const Entry entry = queue.front();
    queue.pop_front();
    return entry;
  }

  Queue small_;
  Queue main_;
  std::deque<int> ghost_;
};

struct Node : PolicyNode {
  int key = 0;
  std::uint64_t hash = 0;
};

std::uint64_t hash_of(const PolicyNode& node) { return static_cast<const Node&>(node).hash; }

// Random insertions, hits, replacements, removals and evictions, in both; every victim must be the same.
template <class Policy, class Model>
void agrees_with_model(std::uint32_t seed) {
  CAPTURE(seed);
  std::mt19937 random{seed};
  const auto up_to = [&random](std::size_t most) {
    return std::uniform_int_distribution<std::size_t>{0, most}(random);
  };
  Policy policy;
  Model model;
  std::vector<std::unique_ptr<Node>> nodes;
  std::vector<int> free_keys(200);
  for (std::size_t i = 0; i < free_keys.size(); ++i) free_keys[i] = static_cast<int>(i);
  const std::size_t room = 20 + up_to(60);

  const auto leaves = [&](const PolicyNode* node) {
    const auto at = std::find_if(nodes.begin(), nodes.end(), [node](const auto& one) { return one.get() == node; });
    REQUIRE(at != nodes.end());
    free_keys.push_back((*at)->key);
    nodes.erase(at);
  };
  const auto make = [&up_to](int key) {
    auto node = std::make_unique<Node>();
    node->key = key;
    node->hash = static_cast<std::uint64_t>(key) * 0x9E3779B97F4A7C15;
    node->charge(8 * (1 + up_to(99)));
    return node;
  };
  for (int i = 0; i < 4'000; ++i) {
    INFO("step " << i);
    const std::size_t kind = up_to(9);
    if (kind < 4 || nodes.empty()) {
      if (nodes.size() >= room) {
        PolicyNode* const victim = policy.victim();
        REQUIRE(static_cast<Node*>(victim)->key == model.evict());
        policy.removed(*victim, hash_of(*victim), true);
        leaves(victim);
      }
      const std::size_t at = up_to(free_keys.size() - 1);
      auto node = make(free_keys[at]);
      free_keys.erase(free_keys.begin() + static_cast<std::ptrdiff_t>(at));
      policy.inserted(*node, node->hash);
      model.inserted(node->key, node->charge());
      nodes.push_back(std::move(node));
      continue;
    }
    // Some are used more than others.
    auto& chosen = nodes[std::min(up_to(nodes.size() - 1), up_to(nodes.size() - 1))];
    if (kind < 7) {
      policy.hit(*chosen);
      model.hit(chosen->key);
    } else if (kind < 8) {
      const std::size_t before = chosen->charge();
      chosen->charge(8 * (1 + up_to(99)));
      policy.recharged(*chosen, before);
      model.replaced(chosen->key, chosen->charge());
    } else if (kind < 9) {
      auto by = make(chosen->key);
      policy.replaced(*chosen, *by);
      model.replaced(by->key, by->charge());
      chosen = std::move(by);
    } else {
      policy.removed(*chosen, chosen->hash, false);
      model.erase(chosen->key);
      leaves(chosen.get());
    }
  }
  while (PolicyNode* const victim = policy.victim()) {
    REQUIRE(static_cast<Node*>(victim)->key == model.evict());
    policy.removed(*victim, hash_of(*victim), true);
    leaves(victim);
  }
  CHECK(nodes.empty());
}

}  // namespace

TEST_CASE("LRU names the least recently used entry, whatever happened before") {
  for (std::uint32_t seed = 1; seed <= 10; ++seed) agrees_with_model<LruPolicy, LruModel>(seed);
}

TEST_CASE("S3-FIFO names the entry that the paper's algorithm names, whatever happened before") {
  for (std::uint32_t seed = 1; seed <= 30; ++seed) agrees_with_model<S3FifoPolicy, S3FifoModel>(seed);
}

TEST_CASE("a policy that gave its entries away knows none, and starts anew") {
  const auto starts_anew = [](auto policy) {
    std::vector<Node> nodes(10);
    for (Node& node : nodes) policy.inserted(node, node.hash);
    cascor::detail::EntryList given;
    policy.give_all(given);
    CHECK(given.size() == nodes.size());
    CHECK(given.oldest() == nodes.data());
    CHECK(policy.victim() == nullptr);
    policy.inserted(nodes[5], 0);
    CHECK(policy.victim() == &nodes[5]);
  };
  starts_anew(LruPolicy{});
  starts_anew(S3FifoPolicy{});
}

TEST_CASE("S3-FIFO brings what it remembers straight to the main queue") {
  const auto evict = [](S3FifoPolicy& policy) {
    PolicyNode* const victim = policy.victim();
    policy.removed(*victim, hash_of(*victim), true);
    return victim;
  };
  S3FifoPolicy policy;
  std::vector<Node> nodes(4);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    nodes[i].hash = i + 1;
    nodes[i].charge(100);
    policy.inserted(nodes[i], nodes[i].hash);
  }
  CHECK(evict(policy) == &nodes[0]);
  CHECK(policy.ghost().contains(1));
  policy.inserted(nodes[0], nodes[0].hash);
  CHECK(nodes[0].in_main());
}

TEST_CASE("the ghost remembers the newest so many and no others, but for a few, however the number changes") {
  std::size_t remembered = 0;
  std::size_t forgotten = 0;
  std::size_t mistaken = 0;
  for (std::uint32_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random{seed};
    const auto up_to = [&random](std::size_t most) {
      return std::uniform_int_distribution<std::size_t>{0, most}(random);
    };
    GhostQueue ghost;
    std::deque<std::uint64_t> model;
    std::vector<std::uint64_t> hashes(400);
    for (auto& hash : hashes) hash = random();
    std::size_t room = 10;
    for (int i = 0; i < 6'000; ++i) {
      const std::size_t change = up_to(40);
      if (change == 0) room = up_to(20);
      if (change == 1) room = up_to(2'000);
      if (change > 1 && change < 20) ++room;
      if (change == 20) {
        ghost.clear();
        model.clear();
      }
      const std::uint64_t hash = hashes[up_to(hashes.size() - 1)];
      ghost.add(hash, room);
      model.push_back(hash);
      while (model.size() > room) model.pop_front();
      REQUIRE(ghost.size() == model.size());
      const std::uint64_t asked = hashes[up_to(hashes.size() - 1)];
      const bool is_new = std::find(model.begin(), model.end(), asked) != model.end();
      if (ghost.contains(asked)) {
        ++(is_new ? remembered : mistaken);
      } else {
        forgotten += is_new ? 1U : 0U;
      }
    }
  }
  CHECK(remembered > 2'000);
  CHECK(forgotten * 50 < remembered);
  CHECK(mistaken * 1'000 < remembered);
}

TEST_CASE("the ghost of a large shard forgets the oldest of its hashes, and few others, also when its numbers wrap") {
  GhostQueue ghost;
  std::mt19937_64 random{7};
  const std::size_t room = 60'000;
  std::vector<std::uint64_t> hashes(4 * room);
  for (auto& hash : hashes) hash = random();
  for (const std::uint64_t hash : hashes) ghost.add(hash, room);
  CHECK(ghost.size() == room);
  const auto found_of = [&](std::size_t first, std::size_t last) {
    std::size_t found = 0;
    for (std::size_t i = first; i < last; ++i) found += ghost.contains(hashes[i]) ? 1U : 0U;
    return found;
  };
  CHECK(found_of(3 * room + 100, 4 * room) > room - room / 50);
  CHECK(found_of(0, 3 * room - 100) < room / 50);
}

TEST_CASE("entries are asked for in the order in which they leave, whatever leaves or moves on the way") {
  // What is brought near cannot be seen; that the way to it never leads to one that is gone can, under a sanitizer.
  std::mt19937 random{3};
  cascor::detail::EntryList list;
  std::vector<std::unique_ptr<Node>> nodes;
  for (int i = 0; i < 20'000; ++i) {
    list.expect_oldest();
    const std::size_t kind = random() % 8;
    if (nodes.size() < 3 || kind < 3) {
      nodes.push_back(std::make_unique<Node>());
      list.push_newest(*nodes.back());
      continue;
    }
    const std::size_t at = std::min<std::size_t>(random() % nodes.size(), random() % nodes.size());
    if (kind < 5) {
      list.remove(*nodes[at]);
      nodes.erase(nodes.begin() + static_cast<std::ptrdiff_t>(at));
    } else if (kind < 6) {
      auto by = std::make_unique<Node>();
      list.replace(*nodes[at], *by);
      nodes[at] = std::move(by);
    } else if (kind < 7) {
      list.make_newest(*nodes[at]);
      std::rotate(nodes.begin() + static_cast<std::ptrdiff_t>(at), nodes.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                  nodes.end());
    } else {
      cascor::detail::EntryList other;
      other.take(list);
      list.take(other);
    }
    REQUIRE(list.oldest() == nodes.front().get());
    REQUIRE(list.newest() == nodes.back().get());
    REQUIRE(list.size() == nodes.size());
  }
}

TEST_CASE("the ghost never holds more than there are entries") {
  S3FifoPolicy policy;
  std::vector<std::unique_ptr<Node>> nodes;
  std::size_t entries = 0;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    nodes.push_back(std::make_unique<Node>());
    nodes.back()->hash = i * 0x9E3779B97F4A7C15;
    nodes.back()->charge(8);
    policy.inserted(*nodes.back(), nodes.back()->hash);
    ++entries;
    const std::size_t most = i < 10'000 ? 1'000 : 10;  // first a large cache, then a small one
    while (entries > most) {
      PolicyNode& victim = *policy.victim();
      policy.removed(victim, hash_of(victim), true);
      --entries;
    }
    REQUIRE(policy.ghost().size() <= std::max<std::size_t>(entries, 1));
  }
  CHECK(policy.ghost().size() == 10);
}

TEST_CASE("a charge is kept in 16 bits: exact while small, then rounded up by a thousandth at most, never down") {
  for (std::size_t bytes = 0; bytes < 16'384; bytes += 8) REQUIRE(Charge::round_up(bytes) == bytes);
  CHECK(Charge::round_up(1) == 8);
  std::mt19937_64 random{1};
  for (int i = 0; i < 100'000; ++i) {
    const std::size_t bytes = (random() % Charge::most) >> random() % 44;
    const std::size_t kept = Charge::round_up(bytes);
    REQUIRE(kept >= bytes);
    REQUIRE(kept <= bytes + bytes / 1'000 + 8);
    REQUIRE(Charge::round_up(kept) == kept);
  }
  CHECK(Charge::round_up(Charge::most) == Charge::most);
}

TEST_CASE("what readers note in a node, and what policies keep there, do not disturb each other") {
  Node node;
  CHECK_FALSE(node.was_seen());
  for (int i = 0; i < 10; ++i) node.used();
  CHECK(node.was_seen());
  CHECK(node.uses() == PolicyNode::most_uses);
  node.in_main(true);
  node.uses(1);
  node.has_times(true);
  node.is_awaited(true);
  node.seen();
  CHECK(node.uses() == 1);
  CHECK(node.in_main());
  CHECK(node.has_times());
  CHECK(node.is_awaited());
  node.in_main(false);
  node.is_awaited(false);
  CHECK(node.uses() == 1);
  CHECK(node.was_seen());
  CHECK(node.has_times());
  Node other;
  node.newer(&other);
  node.older(&node);
  CHECK(node.newer() == &other);
  CHECK(node.older() == &node);
  node.newer(nullptr);
  CHECK(node.newer() == nullptr);
  CHECK(node.charge() == 0);
}
