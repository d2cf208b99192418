"""cascor-cache bench: its rows, on memory and on a Redis of our own, and that it leaves nothing behind."""

import json
import os
import shutil
import signal
import subprocess
import unittest

from doctor_world import PROGRAM, Server, command, environment, eventually, folder_for, free_port


class Bench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(folder_for())
        cls.server = Server(cls.folder / "server")
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        self.server.send("FLUSHALL")
        self.server.send("SET", "cascor:metrics:latest", "theirs")
        self.server.send("SET", "somebody:else", "theirs")

    def bench(self, *words, env=None, code=0):
        done = command(self.folder, "bench", "--rounds", 1, *words, env={"TMPDIR": str(self.folder), **(env or {})})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def assert_nothing_left(self):
        self.assertEqual(sorted(self.server.send("KEYS", "*")), ["cascor:metrics:latest", "somebody:else"])
        self.assertEqual(self.server.send("GET", "cascor:metrics:latest"), "theirs")
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("cascor-bench")], [])

    def rows(self, text):
        told = json.loads(text)
        for row in told["rows"]:
            self.assertGreater(row["least"], 0, row)
            self.assertLessEqual(row["least"], row["median"])
            self.assertLessEqual(row["median"], row["most"])
            self.assertIn(row["unit"], ["seconds", "per_second", "share"])
        return told, {row["what"]: row for row in told["rows"]}

    def test_memory(self):
        for words, env in [(["--memory"], {}), ([], {"CASCOR_CACHE_TYPE": "memory"})]:
            told, rows = self.rows(self.bench("--json", *words, env=env))
            self.assertIn("memory: hit of 1,000 keys, 8 threads", rows)
            self.assertFalse([what for what in rows if what.startswith("Redis")])
            self.assertTrue(0.5 < rows["memory: hit ratio of that"]["median"] < 0.95)
            self.assertIn("it needs a Redis", told["redis_benchmark"])

    def test_redis(self):
        heard = self.server.client.pubsub(ignore_subscribe_messages=True)
        heard.psubscribe("cascor:training", "cascor:metrics*")
        told, rows = self.rows(self.bench("--json", "--url", self.server.url))
        for what in ["memory: hit of 1,000 keys, 1 thread", "Redis: get, 100 B", "Redis: set, 100 B",
                     "Redis: get_many of 128, keys", "Redis: set_many of 128, keys", "Redis: get, 100 B, 32 threads",
                     "near cache: hit", "Redis: invalidate 1,000 keys by a pattern",
                     "write behind: set, time in its caller", "recorder: epoch, time in its caller"]:
            self.assertIn(what, rows)
        self.assert_nothing_left()
        self.assertIsNone(heard.get_message(timeout=0.05))  # nor did it speak to who listens to the real training
        heard.close()
        calls = {name.removeprefix("cmdstat_") for name in self.server.client.info("commandstats")}
        self.assertEqual(calls & {"flushdb", "config|set", "swapdb", "debug"}, set())
        self.assertEqual(told["redis_benchmark"], "used")
        self.assertEqual(rows["Redis: get, 100 B"]["beside"]["what"], "redis-benchmark -c 1")
        self.assertGreater(rows["Redis: get, 100 B"]["beside"]["median"], 100)

    def test_people_get_a_table_and_are_told_why_redis_benchmark_is_not_in_it(self):
        bare = self.folder / "bin"
        bare.mkdir()
        (bare / "cascor-cache").symlink_to(PROGRAM)
        text = self.bench("--url", self.server.url, env={"PATH": str(bare)})
        self.assertIn("redis-benchmark was not run: it is not installed (Debian: redis-tools).", text)
        self.assertRegex(text, r"\nRedis: get, 100 B +[0-9.]+ [kM]?/s")
        self.assertTrue(shutil.which("redis-benchmark"), "redis-tools is among the packages of the tests")

    def test_password_is_not_handed_on(self):
        self.server.send("ACL", "SETUSER", "ann", "on", ">pa55word", "~cascor:*", "&cascor:*", "+@all", "-@dangerous",
                         "+info", "+role")
        text = self.bench("--url", f"redis://ann@127.0.0.1:{self.server.port}/0", env={"REDIS_PASSWORD": "pa55word"})
        self.assertIn("redis-benchmark was not run: it takes a password only on its command line", text)
        self.assertNotIn("pa55word", text)
        self.assert_nothing_left()

    def test_interrupted(self):
        bench = subprocess.Popen([str(PROGRAM), "bench", "--rounds", "1000", "--url", self.server.url], cwd=self.folder,
                                 env=environment(TMPDIR=str(self.folder)), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertTrue(eventually(lambda: self.server.send("DBSIZE") > 3))
        bench.send_signal(signal.SIGINT)
        out, errors = bench.communicate(timeout=60)
        self.assertEqual((bench.returncode, out, errors), (130, b"", b""))
        self.assert_nothing_left()

    def test_no_server(self):
        self.bench("--url", f"redis://127.0.0.1:{free_port()}/0", code=3)


if __name__ == "__main__":
    unittest.main()
