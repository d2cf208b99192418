// The rows that this machine is measured by: those of the library that need no other one to compare with.
#pragma once

#include <cascor/config/cache_config.hpp>
#include <cascor/core/eviction.hpp>
#include <memory>
#include <string>
#include <vector>

#include "measure.hpp"

namespace tool::bench {

/// Rows that need no server, with the eviction that is configured.
std::vector<Row> memory_rows(cascor::Eviction eviction);

class RedisBenchmark;

/// Rows on the configured Redis, under a namespace of their own within the configured one, which is emptied when this
/// ends. What is written there expires within minutes, should this process be killed.
class RedisRows {
 public:
  /// Dials; throws what that throws. `peer` is run beside some rows.
  RedisRows(const cascor::CacheConfig& config, const RedisBenchmark& peer);
  RedisRows(const RedisRows&) = delete;
  RedisRows& operator=(const RedisRows&) = delete;
  ~RedisRows();

  std::vector<Row> rows();
  /// Removes all keys. Throws where the server is gone by now.
  void clean_up();

 private:
  struct Caches;
  void add_round_trips(std::vector<Row>& rows);
  void add_topology(std::vector<Row>& rows);
  void add_many_keys(std::vector<Row>& rows);
  void add_threads(std::vector<Row>& rows);
  void add_near(std::vector<Row>& rows);
  void add_whole_namespace(std::vector<Row>& rows);
  void add_background(std::vector<Row>& rows);

  const RedisBenchmark& peer_;
  std::unique_ptr<Caches> caches_;
};

}  // namespace tool::bench
