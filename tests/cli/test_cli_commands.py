"""The commands of cascor-cache by their output and exit codes, against a Redis of our own."""

import subprocess
import unittest

from cli_support import PROGRAM, Follower, journal, run, server
from support import environment, folder

SESSION = "pP0aXtqVx3o2n0S6vD1kTq8l4mZ7yR5cU9eHbJwGfKA"


class OnRedis(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.redis = cls.enterClassContext(server())
        cls.client = cls.redis.client(decode_responses=True)

    def setUp(self):
        self.client.flushall()

    def run_it(self, *words, **how):
        return run(*words, url=self.redis.url, **how)

    def test_a_value_goes_there_and_back(self):
        self.assertEqual(self.run_it("set", "metrics:latest", '{"loss": 0.25}', "--ttl", "90").code, 0)
        self.assertEqual(self.client.get("cascor:metrics:latest"), '{"loss":0.25}')
        self.assertEqual(self.run_it("get", "metrics:latest").out, '{"loss":0.25}\n')
        found = self.run_it("get", "cascor:metrics:latest", "--json").json
        self.assertEqual((found["value"], found["status"], found["tier"]), ({"loss": 0.25}, "HIT", "redis"))
        self.assertTrue(60 < found["expires_in"] <= 90)
        self.assertRegex(self.run_it("ttl", "metrics:latest").out, r"^1 min( \d+ s)?\n$")

    def test_a_value_that_is_no_json_is_a_text(self):
        for given, text, stored in (("hello", (), '"hello"'), ("-5", (), "-5"), ("17", ("--text",), '"17"')):
            self.assertEqual(self.run_it("set", "a", given, *text).code, 0)
            self.assertEqual(self.client.get("cascor:a"), stored)
        broken = self.run_it("set", "a", '{"loss": 0.25')
        self.assertEqual(broken.code, 2)
        self.assertIn("begins as JSON does", broken.err)
        self.assertEqual(self.client.get("cascor:a"), '"17"')
        self.assertEqual(self.run_it("set", "a", "-", text="[1, 2]").code, 0)
        self.assertEqual(self.client.get("cascor:a"), "[1,2]")

    def test_a_ttl_is_the_prefix_s_or_none_or_the_one_given(self):
        self.run_it("set", "session_count", "1")
        self.assertTrue(3500 < self.client.ttl("cascor:session_count") <= 3600)
        self.assertIsNone(self.run_it("set", "kept", "1", "--ttl", "0", "--json").json["expires_in"])
        self.assertEqual(self.client.ttl("cascor:kept"), -1)
        self.assertEqual(self.run_it("ttl", "kept").out, "does not expire\n")
        self.assertEqual(self.run_it("set", "kept", "1", "--ttl", "-1").code, 2)

    def test_what_is_not_there_is_exit_code_1(self):
        for words in (("get", "nothing"), ("ttl", "nothing"), ("keys", "nothing*"), ("invalidate", "nothing*"),
                      ("runs",), ("sessions",), ("export", "nothing", "/tmp/nothing.jsonl")):
            with self.subTest(words):
                self.assertEqual(self.run_it(*words).code, 1)
                self.assertEqual(self.run_it(*words, "--json").code, 1)

    def test_json_is_one_value_whatever_happens(self):
        self.client.set("cascor:a", "1")
        for words in (("get", "a"), ("get", "nothing"), ("set", "b", "1"), ("ttl", "a"), ("keys",), ("stats",),
                      ("runs",), ("sessions",), ("invalidate", "a"), ("clear",), ("clear", "--yes"), ("get", "")):
            with self.subTest(words):
                self.assertIsInstance(self.run_it(*words, "--json").json, dict)

    def test_keys_are_this_cache_s_and_sorted(self):
        for key in ("cascor:metrics:b", "cascor:metrics:a", "cascor:run:r:history", "other:metrics:c"):
            self.client.set(key, "1")
        self.assertEqual(self.run_it("keys").out, "cascor:metrics:a\ncascor:metrics:b\n")
        self.assertEqual(self.run_it("keys", "metrics:[a]").out, "cascor:metrics:a\n")
        self.assertEqual(len(self.run_it("keys", "--limit", "1").out.splitlines()), 1)

    def test_what_a_server_holds_is_shown_and_never_obeyed(self):
        self.client.set("cascor:\x1b[31mred", "\x1b[2Jnot \x9b JSON\u202e\n")
        self.client.set(b"cascor:\xff\xfe", '"\\u001b[2J\\u202e\\u0085"')
        listed = self.run_it("keys").out
        self.assertEqual(sorted(listed.splitlines()), ["cascor:\\x1b[31mred", "cascor:\\xff\\xfe"])
        foreign = self.run_it("get", "\x1b[31mred")
        self.assertEqual(foreign.out, "\\x1b[2Jnot \\u009b JSON\\u202e\n\n")
        self.assertEqual(foreign.code, 0)
        value = self.run_it("get", b"cascor:\xff\xfe".decode("utf-8", "surrogateescape"))
        self.assertEqual(value.out, '"\\u001b[2J\\u202e\\u0085"\n')
        self.assertTrue(self.run_it("keys", "--json").out.isascii())

    def test_ids_of_sessions_are_never_shown(self):
        user = "user_123"
        self.client.set(f"cascor:session:{SESSION}", '{"user": "user_123", "data": null, "created": "", "last_seen": ""}')
        self.client.zadd(f"cascor:session:user:{user}", {SESSION: 9e15})
        for words in (("keys",), ("keys", "session:*"), ("sessions",), ("stats",)):
            for how in ((), ("--json",), ("--verbose",)):
                with self.subTest((words, how)):
                    ran = self.run_it(*words, *how)
                    self.assertEqual(ran.code, 0)
                    self.assertNotIn(SESSION, ran.out + ran.err)
        self.assertEqual(self.run_it("keys", "--json").json["sessions"], 1)
        self.assertEqual(self.run_it("sessions", "--json").json,
                         {"sessions": 1, "users": [{"user": user, "sessions": 1}]})
        self.assertEqual(self.run_it("stats", "--json").json["keys"]["prefixes"]["session"], 1)

    def test_invalidate_removes_what_matches_and_says_how_many(self):
        for key in ("cascor:metrics:a", "cascor:metrics:b", "cascor:topology:a", "metrics:a"):
            self.client.set(key, "1")
        self.assertEqual(self.run_it("invalidate", "metrics:*").out, "Removed 2 keys.\n")
        self.assertEqual(sorted(self.client.keys()), ["cascor:topology:a", "metrics:a"])
        self.assertEqual(self.run_it("invalidate").code, 2)
        self.assertEqual(self.run_it("invalidate", "a", "--tag", "b").code, 2)

    def test_clear_does_not_clear_unasked(self):
        for key in ("cascor:metrics:a", "cascor:run:r:history", "else"):
            self.client.set(key, "1")
        for text in ("", "y\n"):  # no terminal: nobody is asked, whatever stands on standard input
            refused = self.run_it("clear", text=text)
            self.assertEqual(refused.code, 4)
            self.assertIn("--yes", refused.err)
            self.assertEqual(self.client.exists("cascor:metrics:a"), 1)
        self.assertEqual(self.run_it("clear", "--yes").code, 0)
        self.assertEqual(sorted(self.client.keys()), ["cascor:run:r:history", "else"])

    def test_a_run_goes_out_and_in(self):
        with folder() as here:
            file = journal(here / "run-1.jsonl", 2500)
            self.assertEqual(self.run_it("import", file).out, "Imported 2,500 records of run-1.\n")
            self.assertEqual(self.client.xlen("cascor:run:run-1:history"), 2500)
            listed = self.run_it("runs", "--json").json["runs"]
            self.assertEqual([(run["run"], run["records"], run["last"]["epoch"]) for run in listed],
                             [("run-1", 2500, 2500)])
            self.assertEqual(self.run_it("export", "run-1", here / "copy.jsonl", "--json").json["records"], 2500)
            self.assertEqual((here / "copy.jsonl").read_bytes(), (here / "run-1.jsonl").read_bytes())
            self.assertEqual(self.run_it("import", file, "--run", "another").code, 0)
            again = self.run_it("import", file)  # adds nothing
            self.assertEqual((again.code, self.client.xlen("cascor:run:run-1:history")), (0, 2500))
            self.assertEqual(self.run_it("export", "run-1", here / "no folder/a.jsonl").code, 2)
            self.assertFalse((here / "no folder").exists())
            self.assertEqual(self.run_it("import", here / "nothing.jsonl").code, 2)

    def test_a_name_that_can_be_no_run_s_spoils_no_list(self):
        self.client.zadd("cascor:runs", {"../evil\x1b[2J": 1, "good": 2})
        self.client.xadd("cascor:run:good:history", {"seq": 1, "epoch": 1, "record": '{"epoch":1}'}, "1-1")
        listed = self.run_it("runs")
        self.assertIn("good", listed.out)
        self.assertNotIn("\x1b", listed.out + listed.err)

    def test_stats_shows_what_the_server_holds(self):
        self.client.set("cascor:metrics:a", "1")
        self.client.set("cascor:whatever", "1")
        self.client.config_set("maxmemory", "64mb")
        self.client.config_set("maxmemory-policy", "allkeys-lru")
        stats = self.run_it("stats", "--json").json
        self.assertEqual(stats["keys"]["prefixes"], {"metrics": 1, "topology": 0, "session": 0, "history": 0,
                                                     "control": 0, "other": 1})
        self.assertEqual((stats["keys"]["total"], stats["health"]["status"]), (2, "UP"))
        self.assertEqual((stats["server"]["maxmemory"], stats["server"]["maxmemory_policy"]), (64 << 20, "allkeys-lru"))
        self.assertNotIn("hits", stats)  # of this process, whose own say nothing
        shown = self.run_it("stats").out
        self.assertRegex(shown, r"(?m)^metrics +1 +1\.0 s$")
        self.assertRegex(shown, r"(?m)^memory +\S+ MiB of 64\.0 MiB$")
        self.assertRegex(shown, r"(?m)^when full +allkeys-lru$")
        self.client.config_set("maxmemory", "0")

    def test_stats_watch_goes_on_until_it_is_ended(self):
        watching = Follower("stats", "--watch", "0.2", "--json", url=self.redis.url)
        self.assertEqual(watching.first(lambda stats: True)["keys"]["total"], 0)
        self.client.set("cascor:a", "1")
        self.assertTrue(watching.first(lambda stats: stats["keys"]["total"] == 1))
        self.assertEqual(watching.end(), 130)
        self.assertEqual(self.run_it("stats", "--watch", "never").code, 2)

    def test_monitor_tells_changes_and_messages(self):
        monitor = Follower("monitor", "--json", url=self.redis.url)
        for what in ("messages", "changes"):
            monitor.first(lambda event, what=what: event == {**event, "event": "listening", "to": what})
        self.client.set("cascor:metrics:\x1bx", "1")
        self.assertEqual(monitor.first(lambda e: e["event"] == "changed")["key"], "cascor:metrics:\x1bx")
        self.client.set(f"cascor:session:{SESSION}", "1")
        self.assertEqual(monitor.first(lambda e: e["event"] == "changed")["key"], "cascor:session:***")
        self.client.publish("cascor:training", '{"type":"epoch","data":{"loss":0.5}}')
        told = monitor.first(lambda e: e["event"] == "message")
        self.assertEqual((told["channel"], told["payload"]["data"]), ("cascor:training", {"loss": 0.5}))
        self.client.publish("cascor:else", "no JSON")
        self.assertEqual(monitor.first(lambda e: e["event"] == "message")["payload"], "no JSON")
        self.assertEqual(monitor.end(), 130)
        self.assertEqual(monitor.err, b"")

    def test_monitor_of_a_pattern_tells_that_alone(self):
        monitor = Follower("monitor", "jobs:*", "--channels", "news", "--json", url=self.redis.url)
        for what in ("messages", "changes"):
            monitor.first(lambda event, what=what: event == {**event, "event": "listening", "to": what})
        for key in ("cascor:metrics:a", "cascor:jobs:1"):
            self.client.set(key, "1")
        self.assertEqual(monitor.first(lambda e: e["event"] == "changed")["key"], "cascor:jobs:1")
        for channel in ("cascor:training", "news"):
            self.client.publish(channel, "1")
        self.assertEqual(monitor.first(lambda e: e["event"] == "message")["channel"], "news")
        self.assertEqual(monitor.end(), 130)
        self.assertEqual(self.run_it("monitor", "run:*").code, 2)

    def test_monitor_stays_through_a_restart_and_tells_of_the_gap(self):
        with server() as own:
            monitor = Follower("monitor", "--json", url=own.url)
            monitor.first(lambda e: e["event"] == "listening" and e["to"] == "changes")
            own.kill()
            own.start()
            gaps = {monitor.first(lambda e: e["event"] == "gap")["of"] for _ in range(2)}
            self.assertEqual(gaps, {"changes", "messages"})
            own.client().set("cascor:metrics:a", "1")
            self.assertEqual(monitor.first(lambda e: e["event"] == "changed")["key"], "cascor:metrics:a")
            self.assertEqual(monitor.end(), 130)

    def test_nothing_is_coloured_where_nobody_looks(self):
        for words in (("stats",), ("keys",), ("get", "nothing")):
            ran = self.run_it(*words, TERM="xterm-256color")
            self.assertNotIn("\x1b", ran.out + ran.err)

    def test_standard_output_that_cannot_be_written_is_no_success(self):
        self.client.set("cascor:a", "1")
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([str(PROGRAM), "--url", self.redis.url, "keys"], cwd="/", env=environment(),
                                  stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 4)
        self.assertIn(b"could not be written", done.stderr)


class Configuration(unittest.TestCase):
    def test_mistakes_are_exit_code_2_and_named(self):
        with folder() as here:
            (here / "bad.yaml").write_text("backend: {cache: {type: redos}}\n", encoding="utf-8")
            for words, named in ((("get", "a", "--config", here / "bad.yaml"), "bad.yaml:1:"),
                                 (("get", "a", "--config", here / "none.yaml"), "none.yaml"),
                                 (("get", "a", "--url", "http://localhost"), "--url"),
                                 (("nonsense",), "nonsense"), (("get",), "KEY"), (("get", "a", "--what"), "--what"),
                                 ((), "Usage")):
                with self.subTest(words):
                    ran = run(*words)
                    self.assertEqual(ran.code, 2)
                    self.assertIn(named, ran.err)
                    self.assertEqual(ran.out, "")

    def test_a_file_in_its_usual_place_is_read(self):
        with server() as own, folder() as here:
            (here / "conf").mkdir()
            (here / "conf/app_config.yaml").write_text(
                f'backend: {{cache: {{redis_url: "{own.url}", namespace: "mine:"}}}}\n', encoding="utf-8")
            self.assertEqual(run("set", "a", "1", cwd=here).code, 0)
            self.assertEqual(own.client().keys(), [b"mine:a"])
            # The environment counts more, and --url most.
            self.assertEqual(run("keys", cwd=here, CASCOR_CACHE_REDIS_URL="redis://127.0.0.1:1").code, 3)
            self.assertEqual(run("keys", cwd=here, CASCOR_CACHE_TYPE="memory", url=own.url).out, "mine:a\n")

    def test_a_server_that_is_away_is_exit_code_3(self):
        for words in (("get", "a"), ("set", "a", "1"), ("keys",), ("stats",), ("runs",), ("monitor",)):
            with self.subTest(words):
                ran = run(*words, url="redis://127.0.0.1:1")
                self.assertEqual((ran.code, ran.out), (3, ""))
                self.assertIn("Error connecting to Redis on 127.0.0.1:1", ran.err)
                self.assertEqual(run(*words, "--json", url="redis://127.0.0.1:1").json["error"]["code"], "connection")

    def test_what_the_account_may_not_is_exit_code_4_and_no_password_is_shown(self):
        with server() as own:
            own.client().execute_command("ACL", "SETUSER", "looker", "on", ">verysecret", "~cascor:*", "+get", "+ping",
                                         "+info", "+scan", "+pttl")
            url = f"redis://looker:verysecret@127.0.0.1:{own.port}/0"
            for words, code in ((("get", "a"), 1), (("set", "a", "1"), 4), (("keys",), 1), (("stats",), 0),
                                (("monitor",), 4), (("clear",), 4), (("clear", "--verbose"), 4)):
                with self.subTest(words):
                    ran = run(*words, url=url)
                    self.assertEqual(ran.code, code, ran.err)
                    self.assertNotIn("verysecret", ran.out + ran.err)
            wrong = run("get", "a", url=f"redis://looker:wrongsecret@127.0.0.1:{own.port}/0")
            self.assertEqual(wrong.code, 4)
            self.assertNotIn("wrongsecret", wrong.out + wrong.err)

    def test_of_a_memory_cache_the_runs_are_to_be_seen(self):
        with folder() as here:
            memory = {"CASCOR_CACHE_TYPE": "memory", "cwd": here}
            self.assertIn("lives in the process that made it", run("stats", **memory).out)
            for words in (("get", "a"), ("set", "a", "1"), ("keys",), ("clear", "--yes"), ("monitor",), ("sessions",)):
                with self.subTest(words):
                    ran = run(*words, **memory)
                    self.assertEqual(ran.code, 4)
                    self.assertIn("type: memory", ran.err)
            file = journal(here / "run-1.jsonl", 20)
            self.assertEqual(run("runs", **memory).code, 1)
            self.assertEqual(run("import", file, **memory).code, 0)
            self.assertEqual((here / "data/history/run-1.jsonl").read_bytes(), (here / "run-1.jsonl").read_bytes())
            self.assertRegex(run("runs", **memory).out, r"run-1 +20 +20 +output")
            self.assertEqual(run("stats", "--json", **memory).json["runs"], 1)
            self.assertEqual(run("export", "run-1", here / "copy.jsonl", **memory).code, 0)
            switched_off = run("get", "a", CASCOR_CACHE_ENABLED="false")
            self.assertEqual(switched_off.code, 4)
            self.assertIn("enabled: false", switched_off.err)


if __name__ == "__main__":
    unittest.main()
