#include <cascor/memory_cache.hpp>
#include <string>

int main() {
  cascor::MemoryCache<std::string> cache{{.max_bytes = 1 << 20, .default_ttl = std::chrono::hours{1}}};
  cache.set("key", "value");
  const auto hit = cache.get("key");
  return hit && *hit == "value" ? 0 : 1;
}
