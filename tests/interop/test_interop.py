"""Debian's python3-redis reads what the library wrote, and the library reads what it wrote."""

import concurrent.futures
import datetime
import json
import pathlib
import secrets
import sys
import time
import unittest

import redis

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "house"))

from support import BUILD, private_redis, run  # noqa: E402


class Interop(unittest.TestCase):
    def setUp(self):
        entered = private_redis()
        self.url = entered.__enter__()
        self.addCleanup(entered.__exit__, None, None, None)
        self.client = redis.Redis.from_url(self.url)
        self.addCleanup(self.client.close)

    def peer(self, mode, *arguments):
        code, output = run(BUILD / "tests/interop_peer", mode, self.url, *arguments)
        self.assertEqual(code, 0, output)
        return [line for line in output.splitlines() if not line.startswith("INFO:")]

    def test_python_reads_what_cpp_wrote(self):
        self.peer("write")
        self.assertEqual({key.decode() for key in self.client.scan_iter()},
                         {"cascor:metrics:epoch_5", "cascor:topology:latest", "cascor:notes"})
        self.assertEqual(json.loads(self.client.get("cascor:metrics:epoch_5")),
                         {"epoch": 5, "loss": 0.25, "converged": False})
        self.assertEqual(json.loads(self.client.get("cascor:topology:latest")),
                         {"hidden_units": 2, "weights": [0.5, -1.25e-7], "name": "spirale \u00e0 deux"})
        self.assertEqual(json.loads(self.client.get("cascor:notes")), "plain text")
        self.assertGreater(self.client.pttl("cascor:metrics:epoch_5"), 30_000)
        self.assertLessEqual(self.client.pttl("cascor:metrics:epoch_5"), 60_000)
        self.assertEqual(self.client.pttl("cascor:notes"), -1)

    def test_cpp_reads_what_python_wrote(self):
        values = {"metrics:latest": {"epoch": 7, "loss": 1e-3}, "topology:latest": [1, None, "\u00e9"], "number": 42}
        for key, value in values.items():
            self.client.set(f"cascor:{key}", json.dumps(value), ex=60)
        self.client.set("cascor:broken", b"\x80\x04not json")
        *found, broken, nothing = self.peer("read", *values, "broken", "nothing")
        self.assertEqual([json.loads(line) for line in found], list(values.values()))
        self.assertEqual([broken, nothing], ["ERROR", "MISS"])

    def test_values_survive_the_way_through_both(self):
        values = [None, True, 0, -1, 2**53 + 1, 2**63 - 1, -2**63, 2**64 - 1, 0.1, -0.0, 1e-308, 1.7976931348623157e308,
                  "", "\u00e9poque \U0001f300 \u0000 \" \\ \n", "\u2028", [], {}, [[[[1, [2.5, None]]]]],
                  {"": {"a b": [{"nested": {"deep": [True, "x"]}}]}}, list(range(2_000)), {"k" * 300: "v" * 70_000}]
        for ascii_only in [True, False]:
            keys = [f"value:{ascii_only}:{number}" for number in range(len(values))]
            for key, value in zip(keys, values):
                self.client.set(f"cascor:{key}", json.dumps(value, ensure_ascii=ascii_only))
            self.peer("copy", *keys)
            for key, value in zip(keys, values):
                with self.subTest(key=key, value=value):
                    copied = json.loads(self.client.get(f"cascor:copy:{key}"))
                    self.assertEqual(repr(copied), repr(value))

    def test_python_reads_sessions_of_cpp(self):
        session_id, = self.peer("login", "user_123")
        session = json.loads(self.client.get(f"cascor:session:{session_id}"))
        self.assertEqual(set(session), {"user", "data", "created", "last_seen"})
        self.assertEqual(session["user"], "user_123")
        self.assertEqual(session["data"], {"theme": "dark", "empty": []})
        self.assertLess(abs(time.time() - self.seconds(session["created"])), 60)
        self.assertGreater(self.client.pttl(f"cascor:session:{session_id}"), 86_000_000)
        (member, expiry), = self.client.zrange("cascor:session:user:user_123", 0, -1, withscores=True)
        self.assertEqual(member.decode(), session_id)
        self.assertLess(abs(expiry / 1000 - time.time() - 86_400), 60)

    def test_cpp_reads_sessions_of_python(self):
        session_id = secrets.token_urlsafe(32)
        now = datetime.datetime.now(datetime.timezone.utc)
        session = {"user": "py", "data": {"big": 2**60, "list": []},
                   "created": now.isoformat(), "last_seen": time.time()}
        self.client.set(f"cascor:session:{session_id}", json.dumps(session), ex=86_400)
        self.client.zadd("cascor:session:user:py", {session_id: (time.time() + 86_400) * 1000})
        found, nothing = self.peer("session", session_id, "no-id")
        found = json.loads(found)
        self.assertEqual((found["user"], found["data"]), (session["user"], session["data"]))
        self.assertLess(abs(self.seconds(found["created"]) - now.timestamp()), 0.002)
        self.assertEqual(nothing, "MISS")
        self.assertEqual(self.peer("users", "py", "nobody"), ["1", "0"])

    def test_messages_go_both_ways(self):
        with self.client.pubsub(ignore_subscribe_messages=True) as listening:
            listening.subscribe("cascor:events", "answers")
            listening.get_message(timeout=10)
            self.peer("publish", "cascor:events")
            event = json.loads(self.message(listening))
            self.assertEqual(set(event), {"type", "timestamp", "data"})
            self.assertEqual((event["type"], event["data"]), ("metrics_update", {"epoch": 5, "note": "\u00e9"}))
            self.assertLess(abs(time.time() - self.seconds(event["timestamp"])), 60)
            with concurrent.futures.ThreadPoolExecutor() as executor:
                echoing = executor.submit(self.peer, "echo", "cascor:con*", "answers")
                self.assertEqual(json.loads(self.message(listening)), "ready")
                command = json.dumps({"type": "command", "n": 2**53 + 1})
                self.assertEqual(self.client.publish("cascor:control", command), 1)
                echoing.result()
            self.assertEqual(json.loads(self.message(listening)),
                             {"channel": "cascor:control", "message": {"type": "command", "n": 2**53 + 1}})

    @staticmethod
    def seconds(timestamp):
        return datetime.datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()

    def message(self, listening):
        for _ in range(300):
            if (message := listening.get_message(timeout=0.2)) is not None:
                return message["data"]
        return self.fail("no message came")


if __name__ == "__main__":
    unittest.main()
