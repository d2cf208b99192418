"""What is broken on purpose, one at a time, to see the tests of docs/reliability.md fail.

Each: the promise it breaks, what the mutant does, the file, its text as it is and as it becomes, and the tests that
must fail then. The text must be there exactly once: a change of the code that moves it away fails the run.
"""

from typing import NamedTuple


class Mutation(NamedTuple):
    promise: int
    does: str
    path: str
    before: str
    after: str
    tests: tuple


MUTATIONS = [
    Mutation(
        1, "gives each byte that arrives the whole time limit anew",
        "include/cascor/redis/transport.ipp",
        "      const milliseconds left = std::min(by.remaining(), milliseconds{std::chrono::hours{24}});",
        "      const milliseconds left{1000};",
        ("a server that drips its answer ends by the deadline",)),
    Mutation(
        1, "begins a retry whose wait is longer than the time left",
        "include/cascor/redis/retry.hpp",
        "return delay < left ? std::optional{delay} : std::nullopt;",
        "return left > milliseconds::min() ? std::optional{delay} : std::nullopt;",
        ("a wait that would reach the deadline is not begun",)),
    Mutation(
        2, "forgets the older of two kept writes' keys, but not its value",
        "include/cascor/cache/pending_changes.ipp",
        "    forget(found->second);\n  }\n  forget_increment(key);",
        "  }\n  forget_increment(key);",
        ("the newest value of a key wins, and the order of writes is kept",)),
    Mutation(
        2, "keeps no removal of what is removed while Redis is away",
        "include/cascor/cache/pending_changes.ipp",
        "  forget(write);\n  remove_key(std::move(key));\n",
        "  forget(write);\n",
        ("past the bound the oldest writes go, are counted, and do not leave an older value behind",)),
    Mutation(
        3, "takes adding to a stream, publishing and counting for safe to send twice",
        "include/cascor/redis/command_rules.ipp",
        "  if (quick_and_safe || listed(detail::safe_commands)) rule.repeat = Repeat::safe;",
        "  rule.repeat = Repeat::safe;",
        ("reads and writes that only set a state may be sent twice, what adds may not, nor what is not known",
         "a command that was cut off is sent again if that is safe, and only then")),
    Mutation(
        3, "sends again whatever was sent",
        "include/cascor/redis/retry.hpp",
        "    if (failed.anything_sent && (repeat_ == Repeat::unsafe || !retry_sent_)) return std::nullopt;\n",
        "",
        ("something sent: what is not safe to repeat is never sent twice, nor on a connection that was idle",
         "what must not happen twice is sent once, whatever became of the answer")),
    Mutation(
        3, "acknowledges a record before it is on the disk",
        "include/cascor/training/journal.ipp",
        "    const int error = ::fdatasync(file->fd()) == 0 ? 0 : errno;",
        "    const int error = 0;",
        ("threads that append at once share an fsync, and each has what it was told",)),
    Mutation(
        4, "does not see that a newer value overtook a load",
        "include/cascor/memory/load.hpp",
        "      if (load->key_ == key) load->overtaken_ = true;",
        "      if (load->key_ == key) continue;",
        ("a load that an invalidation or a newer value overtook is never stored",)),
    Mutation(
        4, "keeps what the server said has changed",
        "include/cascor/cache/near_cache.ipp",
        "  if (!demoted) forget(key);\n  if (options_.changed",
        "  if (options_.changed",
        ("what another client writes, removes, renames or expires is no hit any more",)),
    Mutation(
        4, "goes on serving what is near while its link is down",
        "include/cascor/cache/near_cache.ipp",
        "  fresh_epoch_.store(0, std::memory_order_release);\n",
        "",
        ("a link that is lost stops local serving at once, and nothing of before is a hit afterwards",)),
    Mutation(
        5, "takes a connection for good on which something was sent and not answered",
        "include/cascor/redis/connection.ipp",
        "  broken_ = true;\n  last_used_ = clock_->now();",
        "  last_used_ = clock_->now();",
        ("a connection on which a call timed out is broken for good: the late answer reaches nobody",
         "an answer that comes after the deadline reaches nobody")),
    Mutation(
        5, "keeps a connection to which more was said than was asked",
        "include/cascor/redis/connection.ipp",
        "  broken_ = reader_.holds_bytes();",
        "  broken_ = false;",
        ("a connection to which more was said than was asked is not used again",)),
    Mutation(
        6, "does not give back the memory of what it evicts",
        "include/cascor/memory/free_pages.hpp",
        "    malloc_trim(0);\n",
        "",
        ("one writer of JSON values leaves resident memory within a tenth of the limit",)),
    Mutation(
        7, "shows the password that a server quotes",
        "include/cascor/redis/server_error.ipp",
        "    text.replace(at, size, mask);\n",
        "    at += size;\n",
        ("a secret is masked wherever it stands, whole or cut short",)),
    Mutation(
        7, "believes a certificate of any name",
        "include/cascor/redis/tls.ipp",
        "X509_VERIFY_PARAM_set1_host(wanted, name.c_str(), name.size())) == 1;",
        "1) == 1;",
        ("the certificate is verified against the name that is dialled, or that of the configuration",)),
    Mutation(
        8, "takes memory for however long a string says it will be",
        "include/cascor/redis/protocol.ipp",
        "  return error == std::errc{} && announced <= max_string_bytes;",
        "  return error == std::errc{};",
        ("a string that announces more than Redis ever stores is refused before it comes",)),
    Mutation(
        8, "follows arrays however deep they nest",
        "include/cascor/redis/protocol.ipp",
        "elements > max_array_elements || depth >= max_array_depth",
        "elements > max_array_elements",
        ("nesting deeper than any answer's is refused, not followed",)),
    Mutation(
        9, "does not notice that it is in a forked child",
        "include/cascor/cache/engine_holder.hpp",
        "return made_under == forks().load(std::memory_order_relaxed);",
        "return made_under <= forks().load(std::memory_order_relaxed);",
        ("a child has connections of its own, and its end takes none of the parent's away",)),
    Mutation(
        9, "does not stop what hangs when the cache ends",
        "include/cascor/cache/fallback.ipp",
        "      lock.unlock();\n      store_.stop();\n",
        "      lock.unlock();\n",
        ("a store that hangs is stopped when the cache ends, after shutdown_timeout",)),
]
