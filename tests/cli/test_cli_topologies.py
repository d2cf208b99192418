"""cascor-cache against real Sentinels and a real cluster."""

import unittest

from cli_support import Follower, cluster, eventually, journal, run, sentinels
from support import folder


class Topology:
    """What holds for both: self.url, and self.holds(key), whether any server of it has the key."""

    def run_it(self, *words):
        ran = run(*words, url=self.url)
        self.assertEqual(ran.code, 0, ran.err)
        return ran

    def test_values_runs_and_messages(self):
        keys = [f"metrics:{i}" for i in range(20)]  # of every slot's third
        for key in keys:
            self.run_it("set", key, "1", "--ttl", "100")
        self.assertTrue(all(self.holds("cascor:" + key) for key in keys))
        self.assertEqual(self.run_it("get", keys[7]).out, "1\n")
        self.assertEqual(len(self.run_it("keys").out.splitlines()), 20)
        with folder() as here:
            file = journal(here / "run-1.jsonl", 50)
            self.run_it("import", file)
            self.run_it("export", "run-1", here / "copy.jsonl")
            self.assertEqual((here / "copy.jsonl").read_bytes(), (here / "run-1.jsonl").read_bytes())
        stats = self.run_it("stats", "--json").json
        self.assertEqual((stats["keys"]["prefixes"]["metrics"], stats["runs"]), (20, 1))
        self.assertEqual(sorted(node["role"] for node in stats["health"]["details"]["nodes"]), self.roles)
        self.assertIn("NODE", self.run_it("stats").out)
        monitor = Follower("monitor", "--json", url=self.url)
        for what in ("messages", "changes"):
            monitor.first(lambda event, what=what: event == {**event, "event": "listening", "to": what})
        for key in keys[:3]:
            self.run_it("set", key, "2")
            self.assertEqual(monitor.first(lambda e: e["event"] == "changed")["key"], "cascor:" + key)
        self.assertEqual(monitor.end(), 130)
        self.assertEqual(self.run_it("invalidate", "metrics:*").out, "Removed 20 keys.\n")
        self.assertFalse(any(self.holds("cascor:" + key) for key in keys))

    def test_doctor_finds_all_well_and_bench_leaves_nothing(self):
        report = self.run_it("doctor", "--json").json
        self.assertEqual([one for one in report["findings"] if one["level"] in ("warning", "problem")], [])
        self.assertIn(self.subject, [one["subject"] for one in report["findings"] if one["level"] == "ok"])
        self.run_it("bench", "--rounds", "1")
        self.assertEqual(run("keys", "bench-*", url=self.url).code, 1)


class BySentinel(Topology, unittest.TestCase):
    roles = ["master", "replica", "sentinel"]
    subject = "sentinels"

    @classmethod
    def setUpClass(cls):
        cls.url, cls.master, cls.replica = cls.enterClassContext(sentinels())

    def holds(self, key):
        return self.master.client().exists(key)

    def test_a_master_that_is_replaced_is_left(self):
        url, master, replica = self.enterContext(sentinels())
        self.assertEqual(run("set", "a", "1", url=url).code, 0)
        self.assertTrue(eventually(lambda: replica.client().exists("cascor:a")))
        master.kill()
        self.assertTrue(eventually(lambda: replica.field("replication", "role") == "master"))
        self.assertTrue(eventually(lambda: run("get", "a", url=url).out == "1\n"))
        self.assertEqual(run("set", "b", "1", url=url).code, 0)


class InACluster(Topology, unittest.TestCase):
    roles = ["master", "master", "master"]
    subject = "cluster"

    @classmethod
    def setUpClass(cls):
        cls.url, cls.nodes = cls.enterClassContext(cluster())

    def test_each_master_tells_of_itself(self):
        stats = self.run_it("stats", "--json").json
        self.assertEqual(sorted(stats["nodes"]), sorted(f"127.0.0.1:{node.port}" for node in self.nodes))
        for name in ("used_memory", "connected_clients"):
            parts = [node[name] for node in stats["nodes"].values()]
            self.assertTrue(all(part > 0 for part in parts))
            self.assertEqual(stats["server"][name], sum(parts))
        shown = self.run_it("stats").out
        self.assertIn("The masters together", shown)
        self.assertEqual(len([row for row in shown.splitlines() if " MiB " in row and row.startswith("127.0")]), 3)

    def holds(self, key):
        return any(key.encode() in node.client().keys() for node in self.nodes)


if __name__ == "__main__":
    unittest.main()
