// Whom records wait for: which configurations mean the same Redis, and what becomes of folders that wait.
#include <fcntl.h>
#include <sys/file.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "cascor/redis/descriptor.hpp"
#include "cascor/training/destination.hpp"
#include "cascor/training/waiting_folder.hpp"
#include "support/captured_log.hpp"
#include "support/temporary_folder.hpp"

using cascor::CacheConfig;
using Destination = cascor::detail::Destination<>;
namespace fs = std::filesystem;

namespace {

Destination at(const std::string& url, const std::string& key_namespace = "cascor:") {
  CacheConfig config;
  config.redis_url = url;
  config.password = "of-the-config";
  return Destination::of(config, key_namespace);
}
bool same(const std::string& one, const std::string& other) { return at(one).is_same(at(other)); }

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream{path} << text;
}

}  // namespace

TEST_CASE("a server is known by address, database and namespace, and by nothing else", "[destination]") {
  CHECK(same("redis://Host:6379/1", "redis://user:secret@host/1"));
  CHECK_FALSE(same("redis://host/1", "redis://host/2"));
  CHECK_FALSE(same("redis://host:6379/0", "redis://host:6380/0"));
  CHECK_FALSE(same("redis://host/0", "redis://other/0"));
  CHECK_FALSE(same("unix:///run/a.sock", "unix:///run/b.sock"));
  CHECK_FALSE(at("redis://host/0", "a:").is_same(at("redis://host/0", "b:")));
  CHECK_FALSE(same("redis://a:26379/0", "redis+sentinel://a/mymaster/0"));
}

TEST_CASE("Sentinels and clusters are the same while their lists share a node", "[destination]") {
  CHECK(same("redis+sentinel://a,b,c/mymaster/0", "redis+sentinel://c,d/mymaster/0"));
  CHECK_FALSE(same("redis+sentinel://a,b/mymaster/0", "redis+sentinel://c,d/mymaster/0"));  // everybody's is "mymaster"
  CHECK_FALSE(same("redis+sentinel://a,b/mymaster/0", "redis+sentinel://a,b/other/0"));
  CHECK_FALSE(same("redis+sentinel://a,b/mymaster/0", "redis+sentinel://a,b/mymaster/1"));
  CHECK(same("redis://a:7000,b:7000", "redis://b:7000,c:7000"));
  CHECK_FALSE(same("redis://a:7000,b:7000", "redis://a:7001,c:7000"));
}

TEST_CASE("a destination is text and back, and a folder's name of its own, without secrets", "[destination]") {
  std::set<std::string> folders;
  for (const auto& one :
       {at("redis://user:secret@host/1"), at("redis://host/2"), at("redis://host:1/2"), at("unix:///run/a/../b.sock"),
        at("redis+sentinel://a,b/mymaster/0"), at("redis+sentinel://a,c/mymaster/0"), at("redis://a:7000,b:7000"),
        at("redis://[::1]:7000/0"), at("redis://host/1", "../../etc/"), at("redis://host/1", ".."),
        at("redis://host/1", "\xff\n"), at("redis://host/1", std::string(256, 'x'))}) {
    const auto again = Destination::parse(one.text());
    REQUIRE(again);
    CHECK(again->is_same(one));
    CHECK(again->text() == one.text());
    CHECK(one.text().find("secret") == std::string::npos);
    CHECK(one.text().find("of-the-config") == std::string::npos);
    const std::string folder = one.folder();
    CHECK(folder.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") ==
          std::string::npos);
    CHECK(folder.size() < 150);
    CHECK(folder.front() != '.');
    CHECK(folders.insert(folder).second);
  }
  for (const char* text :
       {"", "{}", "[]", "null", R"({"kind":5})", "\xff", R"({"kind":"server","name":"","nodes":7})"}) {
    CHECK_FALSE(Destination::parse(text));
  }
}

TEST_CASE("what waits under an older list of nodes moves over, unless somebody writes it", "[destination]") {
  const support::TemporaryFolder folder;
  const support::CapturedLog log;
  const std::string base = folder.path().string();
  const auto before = at("redis+sentinel://a,b/mymaster/0");
  const auto now = at("redis+sentinel://b,c/mymaster/0");
  const fs::path old = folder.path() / before.folder();
  const fs::path ours = folder.path() / now.folder();
  write(old / "run-1.jsonl", "one\n");
  write(old / "run-2.jsonl", "two\n");
  write(old / "run-3.jsonl", "three\n");
  write(ours / "run-2.jsonl", "ours\n");
  cascor::detail::mark_folder(old.string(), before.text());
  {
    const cascor::redis::Descriptor writer{::open((old / "run-3.jsonl").c_str(), O_RDWR | O_CLOEXEC)};
    REQUIRE(::flock(writer.fd(), LOCK_EX) == 0);
    CHECK(cascor::detail::waiting_folder<void>(base, now, cascor::Log{log.sink()}) == ours.string());
  }
  CHECK(fs::exists(ours / "run-1.jsonl"));
  CHECK_FALSE(fs::exists(old / "run-1.jsonl"));
  CHECK(fs::file_size(ours / "run-2.jsonl") == 5);
  CHECK(fs::exists(old / "run-2.jsonl"));
  CHECK(fs::exists(old / "run-3.jsonl"));
  CHECK(log.mentions("History of 2 runs in "));
  CHECK(log.mentions("is being written, or is there already"));
  // The mark goes with the folder: the next list is compared with this one.
  const auto later = at("redis+sentinel://c,d/mymaster/0");
  CHECK(cascor::detail::waiting_folder<void>(base, later, cascor::Log{log.sink()}) ==
        (folder.path() / later.folder()).string());
  CHECK(fs::exists(folder.path() / later.folder() / "run-1.jsonl"));
}

TEST_CASE("a folder without a mark, or with a broken one, is left as it is", "[destination]") {
  const support::TemporaryFolder folder;
  const support::CapturedLog log;
  const auto now = at("redis://host/0");
  write(folder.path() / "someone" / "run-1.jsonl", "one\n");
  write(folder.path() / "broken" / "run-1.jsonl", "one\n");
  write(folder.path() / "broken" / "destination.json", std::string(100'000, '['));
  (void)cascor::detail::waiting_folder<void>(folder.path().string(), now, cascor::Log{log.sink()});
  CHECK(log.count("WARNING: History of 1 run in ") == 2);
  CHECK(fs::exists(folder.path() / "someone" / "run-1.jsonl"));
  CHECK(fs::exists(folder.path() / "broken" / "run-1.jsonl"));
}
