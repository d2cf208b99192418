"""Canopy on a real Redis: what a viewer sees while it is killed and started again, and of a trainer elsewhere."""

import unittest

from canopy import Canopy, Redis, Stream, eventually
from support import folder


class OnRedis(unittest.TestCase):
    def setUp(self):
        entered = folder()
        self.folder = entered.__enter__()
        self.addCleanup(entered.__exit__, None, None, None)
        self.redis = Redis(self.folder)
        self.addCleanup(self.redis.kill)

    def start(self, *arguments, **how):
        canopy = Canopy(self.folder, *arguments, url=self.redis.url, **how)
        self.addCleanup(canopy.interrupt)
        return canopy

    def test_viewers_see_redis_go_and_come_back_and_never_an_error(self):
        canopy = self.start()
        canopy.log_in()
        self.assertEqual(canopy.lines[:4], [f"INFO: Redis connection established: 127.0.0.1:{self.redis.port}",
                                            "INFO: Redis cache enabled (TTL: 3600s)",
                                            "INFO: Redis cache initialized (TTL: 3600s)",
                                            "INFO: Juniper Canopy started with Redis integration"])
        status = canopy.get("/api/v1/redis/status").json
        self.assertEqual((status["status"], status["mode"], status["message"]), ("UP", "LIVE", "Redis connection healthy"))
        self.assertEqual(set(status["details"]),
                         {"host", "port", "version", "uptime_seconds", "connected_clients", "used_memory_human",
                          "last_ping_ms", "latency_ms"})
        metrics = canopy.get("/api/v1/redis/metrics").json["metrics"]
        self.assertEqual({name: set(part) for name, part in metrics.items() if name != "keyspace"}, {
            "memory": {"used_memory_bytes", "used_memory_human", "used_memory_peak_human", "mem_fragmentation_ratio"},
            "stats": {"total_connections_received", "total_commands_processed", "instantaneous_ops_per_sec",
                      "keyspace_hits", "keyspace_misses", "hit_rate_percent"},
            "clients": {"connected_clients", "blocked_clients"}})
        self.assertTrue(eventually(lambda: set(canopy.get("/api/v1/redis/metrics").json["metrics"]["keyspace"]
                                               .get("db0", {})) == {"keys", "expires", "avg_ttl"}))

        def all_answer():
            paths = ["metrics", "metrics/history?points=50", "network/topology", "boundary", "status", "statistics"]
            return [canopy.get(f"/api/{path}").status for path in paths] == [200] * len(paths)

        def curve():
            return canopy.get("/api/metrics/history?points=50")

        self.assertEqual(curve().json["history"][0]["epoch"], 1)
        with Stream(canopy) as stream:
            stream.first("status", lambda now: now["mode"] == "LIVE")
            self.redis.kill()
            self.assertTrue(all_answer())
            stream.first("status", lambda now: (now["status"], now["mode"]) == ("DOWN", "FALLBACK"))
            down = canopy.get("/api/v1/redis/status").json
            self.assertEqual((down["status"], down["mode"], down["details"]["fallback"]), ("DOWN", "LIVE", True))
            self.assertEqual(set(down["details"]), {"host", "port", "last_error", "connection_attempts", "fallback"})
            self.assertIsNone(canopy.get("/api/v1/redis/metrics").json["metrics"])
            self.assertTrue(all_answer())
            # The curve keeps its beginning, which only Redis has.
            self.assertTrue(eventually(lambda: curve().headers["X-Cache-Status"] == "STALE"))
            self.assertEqual(curve().json["history"][0]["epoch"], 1)
            # The training goes on, and so do its live metrics, commands and sessions.
            epoch = stream.first("metrics")[1]["epoch"]
            stream.first("metrics", lambda now: now["epoch"] > epoch)
            # A session that only Redis knows is unknown meanwhile; a new one lives on in Redis later.
            self.assertEqual(canopy.command("resume").status, 401)
            canopy.log_in()
            self.assertEqual(canopy.command("resume").status, 200)
            self.redis.start()
            stream.first("status", lambda now: (now["status"], now["mode"]) == ("UP", "LIVE"))
            self.assertTrue(all_answer())
            self.assertEqual(canopy.command("resume").status, 200)

    def test_a_trainer_in_another_process_is_shown_and_obeys(self):
        server = self.start("--serve-only", "--require-redis")
        server.log_in()
        self.assertEqual(server.get("/api/metrics").json["phase"], "idle")
        self.assertEqual(server.command("pause").status, 503)
        trainer = self.start("--train-only", "--require-redis", wait=False)
        self.assertTrue(eventually(lambda: server.get("/api/metrics").json["is_running"]))
        self.assertEqual(server.command("pause").status, 200)
        self.assertTrue(eventually(lambda: server.get("/api/metrics").json["is_paused"]))
        run = server.get("/api/status").json["run"]
        code, _ = trainer.interrupt()
        self.assertEqual(code, 0)
        # The record tells how it ended, once the latest metrics have expired.
        self.assertTrue(eventually(lambda: server.get("/api/metrics").json["phase"] == "stopped"))
        self.assertTrue(eventually(lambda: not server.get("/api/metrics").json["is_running"]))
        self.assertEqual(server.get("/api/status").json["run"], run)
        self.assertGreater(len(server.get("/api/metrics/history").json["history"]), 0)

    def test_what_cannot_start_says_why(self):
        running = self.start()
        taken = Canopy(self.folder, port=running.port, url=self.redis.url, wait=False)
        code, output = taken.ended()
        self.assertEqual(code, 1, output)
        self.assertIn(f"Port {running.port} is taken", output)
        self.assertIn("--port", output)
        self.redis.kill()
        refusing = Canopy(self.folder, "--require-redis", url=self.redis.url, wait=False)
        code, output = refusing.ended()
        self.assertEqual(code, 1, output)
        self.assertIn("Canopy does not start without its Redis: Error connecting to Redis on 127.0.0.1:", output)

    def test_ctrl_c_ends_it_with_its_record_complete(self):
        canopy = self.start()
        self.assertTrue(eventually(lambda: canopy.get("/api/metrics").json["current_epoch"] > 20))
        run = canopy.get("/api/status").json["run"]
        code, output = canopy.interrupt()
        self.assertEqual(code, 0, output)
        again = self.start("--serve-only")
        self.assertEqual(again.get("/api/status").json["run"], run)
        history = again.get("/api/metrics/history").json["history"]
        self.assertEqual(history[-1]["phase"], "stopped")
        epochs = [record["epoch"] for record in history]
        self.assertEqual(sorted(set(epochs)), list(range(1, epochs[-1] + 1)))


if __name__ == "__main__":
    unittest.main()
