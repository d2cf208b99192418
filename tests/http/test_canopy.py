"""Canopy's API as wire.md and examples/canopy/README.md have it: the real server, in memory and without a network."""

import json
import re
import socket
import unittest

from canopy import Canopy, Stream, eventually
from support import folder

METRICS = {"is_running", "is_paused", "current_epoch", "current_loss", "current_accuracy", "val_loss", "val_accuracy",
           "hidden_units", "metrics_count", "phase"}


class InMemory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        entered = folder()
        cls.folder = entered.__enter__()
        cls.addClassCleanup(entered.__exit__, None, None, None)
        cls.canopy = Canopy(cls.folder)
        cls.addClassCleanup(cls.canopy.interrupt)
        cls.canopy.log_in()
        cls.get = cls.canopy.get
        eventually(lambda: cls.get("/api/metrics").json["current_epoch"] > 20)

    def metrics(self):
        return self.get("/api/metrics").json

    def test_it_says_how_it_started(self):
        self.assertEqual(self.canopy.lines, ["INFO: Memory cache enabled (TTL: 3600s)",
                                             "INFO: Juniper Canopy started with memory cache",
                                             f"Canopy: http://127.0.0.1:{self.canopy.port}"])
        log = (self.folder / "logs/system.log").read_text()
        self.assertRegex(log, r"(?m)^[-\d]+ [:.\d]+ INFO: Juniper Canopy started with memory cache$")

    def test_metrics_have_their_shape_and_their_headers(self):
        answer = self.get("/api/metrics")
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/json"))
        self.assertEqual(set(answer.json), METRICS)
        self.assertEqual(answer.headers["X-Cache-Status"], "HIT")
        self.assertEqual(answer.headers["X-Cache-Tier"], "memory")
        self.assertEqual(answer.headers["Age"], "0")
        self.assertEqual(answer.headers["Cache-Control"], "private, no-cache")

    def test_history_has_its_shape_and_is_downsampled(self):
        history = self.get("/api/metrics/history?limit=8").json["history"]
        self.assertEqual(len(history), 8)
        self.assertEqual([record["epoch"] for record in history], list(range(history[0]["epoch"], history[0]["epoch"] + 8)))
        self.assertEqual(set(history[0]), {"epoch", "metrics", "network_topology", "phase", "timestamp"})
        self.assertEqual(set(history[0]["metrics"]), {"loss", "accuracy", "val_loss", "val_accuracy"})
        self.assertEqual(set(history[0]["network_topology"]), {"input_units", "hidden_units", "output_units"})
        for query in ["limit=20&points=5", "points=5"]:
            fewer = self.get(f"/api/metrics/history?{query}").json["history"]
            self.assertEqual(len(fewer), 5)
            self.assertGreaterEqual(fewer[-1]["epoch"] - fewer[0]["epoch"], 19)
        again = self.get("/api/metrics/history?limit=8")
        self.assertIn(again.headers["X-Cache-Status"], {"HIT", "MISS"})
        self.assertTrue(eventually(
            lambda: self.get("/api/metrics/history?limit=8").headers["X-Cache-Status"] == "HIT"))

    def test_the_network_is_shown(self):
        topology = eventually(lambda: (seen := self.get("/api/network/topology").json)["hidden_units"] and seen)
        self.assertEqual(set(topology),
                         {"input_units", "hidden_units", "output_units", "nodes", "connections", "total_connections"})
        self.assertEqual(len(topology["nodes"]), 3 + topology["hidden_units"])
        self.assertEqual(set(topology["nodes"][0]), {"id", "type", "layer"})
        self.assertEqual(set(topology["connections"][0]), {"from", "to", "weight"})
        self.assertEqual(len(topology["connections"]), topology["total_connections"])
        units = eventually(lambda: self.get("/api/network/units").json["units"])
        self.assertEqual(units[0]["unit"], 0)
        boundary = self.get("/api/boundary").json
        self.assertEqual(len(boundary["values"]), boundary["width"] * boundary["height"])
        self.assertTrue(all(-0.5 <= value <= 0.5 for value in boundary["values"]))
        self.assertEqual(len(self.get("/api/dataset").json["points"]), 194)

    def test_the_cache_is_shown(self):
        status = self.get("/api/v1/redis/status").json
        self.assertEqual((status["status"], status["mode"]), ("DISABLED", "DISABLED"))
        self.assertEqual(status["details"], {"config_enabled": True, "config_path": "backend.cache.enabled"})
        self.assertEqual(set(status), {"status", "mode", "message", "timestamp", "details"})
        self.assertRegex(status["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        self.assertIsNone(self.get("/api/v1/redis/metrics").json["metrics"])
        statistics = self.get("/api/statistics").json
        self.assertGreater(statistics["prefixes"]["metrics"]["hits"], 0)
        self.assertEqual(statistics["memory"]["limit_bytes"], 100 << 20)
        self.assertGreater(statistics["memory"]["used_bytes"], 0)
        self.assertEqual(statistics["backend"]["mode"], "LIVE")
        self.assertEqual(self.get("/api/health").json["status"], "healthy")
        self.assertEqual(set(self.get("/api/status").json), METRICS | {"run", "viewers", "cache"})
        scraped = self.get("/metrics")
        self.assertTrue(scraped.headers["Content-Type"].startswith("text/plain"))
        self.assertIn(b'cascor_cache_reads_total{prefix="metrics",result="hit",tier="memory"}', scraped.body)

    def test_what_a_client_has_is_not_sent_again(self):
        tag = self.get("/api/dataset").headers["ETag"]
        for header in [tag, f'"other", W/{tag}', "*"]:
            answer = self.get("/api/dataset", If_None_Match=header)
            self.assertEqual((answer.status, answer.body, answer.headers["ETag"]), (304, b"", tag))
        self.assertEqual(self.get("/api/dataset", If_None_Match='"other"').status, 200)

    def test_what_cannot_be_asked_gets_an_error_as_json(self):
        refused = [("GET", "/api/nothing", 404), ("GET", "/favicon.bmp", 404), ("DELETE", "/api/metrics", 405),
                   ("POST", "/api/metrics", 405), ("GET", "/api/train/pause", 405), ("OPTIONS", "/api/metrics", 405),
                   ("GET", "/api/metrics/history?limit=0", 400), ("GET", "/api/metrics/history?limit=x", 400),
                   ("GET", "/api/metrics/history?limit=-1", 400), ("GET", "/api/metrics/history?points=2", 400),
                   ("GET", "/api/metrics/history?limit=99999999999999999999", 400),
                   ("POST", "/api/train/dance", 404), ("BREW", "/api/metrics", 400)]
        for method, path, status in refused:
            with self.subTest(f"{method} {path}"):
                answer = self.canopy.ask(method, path)
                self.assertEqual(answer.status, status)
                self.assertEqual(answer.json["status"], status)
                self.assertIn("error", answer.json)
        self.assertEqual(self.canopy.ask("POST", "/api/metrics").headers["Allow"], "GET, HEAD")
        self.assertEqual(self.canopy.ask("POST", "/api/train/pause", "x" * 70_000).status, 413)

    def test_a_head_has_no_body(self):
        for path in ["/api/dataset", "/", "/api/stream"]:
            answer = self.canopy.ask("HEAD", path)
            self.assertEqual((answer.status, answer.body), (200, b""))

    def test_no_file_outside_the_page_is_served(self):
        for path in ["/../CMakeLists.txt", "/..%2fCMakeLists.txt", "/%2e%2e/CMakeLists.txt", "/vendor/../../../etc/passwd",
                     "//etc/passwd", "/./index.html", "/.hidden.js", "/index.html%00.js", "/sub/../index.html"]:
            with self.subTest(path):
                self.assertEqual(self.get(path).status, 404)
        page = self.get("/")
        self.assertEqual((page.status, page.headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertIn("default-src 'none'", page.headers["Content-Security-Policy"])

    def test_other_names_and_other_sites_are_refused(self):
        for host in ["localhost", "127.0.0.1:1", "[::1]:8050", "LOCALHOST:8050"]:
            self.assertEqual(self.get("/api/health", Host=host).status, 200, host)
        for host in ["evil.example", "evil.example:8050", "127.0.0.1.evil.example", "localhost.evil.example", ""]:
            self.assertEqual(self.get("/api/health", Host=host).status, 421, host)
        own = f"127.0.0.1:{self.canopy.port}"
        self.assertEqual(self.get("/api/health", Origin=f"http://{own}").status, 200)
        for origin in ["http://evil.example", f"http://{own}.evil.example", "null", "http://127.0.0.1:1"]:
            self.assertEqual(self.get("/api/health", Origin=origin).status, 403, origin)

    def test_a_session_keeps_settings_and_commands_need_it(self):
        fresh = self.get("/api/session", Cookie="canopy_session=guessed")
        cookie = fresh.headers["Set-Cookie"]
        self.assertRegex(cookie, r"^canopy_session=[-\w]{43}; Path=/; HttpOnly; SameSite=Lax$")
        mine = {"Cookie": cookie.split(";")[0]}
        token = {"X_CSRF_Token": fresh.json["csrf_token"]}
        body = json.dumps({"settings": {"theme": "dark"}})
        self.assertEqual(self.canopy.ask("PUT", "/api/session", body, **mine, **token).status, 200)
        again = self.get("/api/session", **mine)
        self.assertEqual(again.json, {"csrf_token": fresh.json["csrf_token"], "settings": {"theme": "dark"}})
        self.assertNotIn("Set-Cookie", again.headers)

        post = lambda **headers: self.canopy.ask("POST", "/api/train/resume", **headers).status
        self.assertEqual(post(Cookie="none=1"), 401)
        self.assertEqual(post(**mine), 403)
        self.assertEqual(post(**mine, X_CSRF_Token="0" * 32), 403)
        self.assertEqual(post(**mine, X_CSRF_Token=self.canopy.token), 403)
        self.assertEqual(post(**mine, **token), 200)
        put = lambda text: self.canopy.ask("PUT", "/api/session", text, **mine, **token).status
        self.assertEqual([put("no json"), put("[]"), put('{"settings": 5}'), put("")], [400] * 4)
        self.assertEqual(put(json.dumps({"settings": {"x": "y" * 5_000}})), 413)

    def test_the_training_obeys(self):
        obeyed = self.canopy.command("pause")
        self.assertEqual((obeyed.status, obeyed.json["status"], obeyed.json["command"]), (200, "done", "pause"))
        self.assertTrue(eventually(lambda: self.metrics()["is_paused"]))
        stands = self.metrics()["current_epoch"]
        self.canopy.command("resume")
        self.assertTrue(eventually(lambda: not self.metrics()["is_paused"]))
        self.assertTrue(eventually(lambda: self.metrics()["current_epoch"] > stands))
        run = self.get("/api/status").json["run"]
        self.canopy.command("stop")
        self.assertTrue(eventually(lambda: self.metrics()["phase"] == "stopped"))
        self.assertFalse(self.metrics()["is_running"])
        self.canopy.command("start")
        self.assertTrue(eventually(lambda: self.metrics()["is_running"] and self.get("/api/status").json["run"] != run))
        run = self.get("/api/status").json["run"]
        self.canopy.command("reset")
        self.assertTrue(eventually(lambda: self.get("/api/status").json["run"] != run))
        self.assertTrue(eventually(lambda: self.metrics()["current_epoch"] > 30))

    def test_the_stream_tells_what_is_new_and_what_was_missed(self):
        self.canopy.command("resume")
        with Stream(self.canopy) as stream:
            self.assertEqual(stream.response.headers["Content-Type"], "text/event-stream")
            last, data = stream.first("metrics")
            self.assertEqual(set(data), METRICS | {"epoch", "run"})
            self.assertEqual(last, f"{data['run']}:{data['epoch']}")
            self.assertEqual(set(stream.first("topology")[1]), {"hidden_units", "total_connections"})
            self.canopy.command("resume")
            self.assertEqual(stream.first("command")[1], {"command": "resume", "status": "done", "run": data["run"]})
            later = stream.first("metrics", lambda now: now["epoch"] > data["epoch"] + 20)[1]
        with Stream(self.canopy, last) as stream:
            name, number, missed = stream.event()
            self.assertEqual((name, missed["run"]), ("history", data["run"]))
            epochs = [record["epoch"] for record in missed["history"]]
            self.assertEqual(epochs, list(range(data["epoch"] + 1, epochs[-1] + 1)))
            self.assertGreaterEqual(epochs[-1], later["epoch"])
            self.assertEqual(number, f"{data['run']}:{epochs[-1]}")
        for other in ["another-run:5", f"{data['run']}:x", "nonsense"]:
            with Stream(self.canopy, other) as stream:
                self.assertNotEqual(stream.event()[0], "history")

    def test_several_requests_on_a_connection_are_answered_in_order(self):
        host = f"Host: 127.0.0.1:{self.canopy.port}\r\n"
        with socket.create_connection(("127.0.0.1", self.canopy.port), timeout=20) as connection:
            connection.sendall(f"GET /api/health HTTP/1.1\r\n{host}\r\nGET /api/nothing HTTP/1.1\r\n{host}\r\n".encode()
                               + f"GET /api/dataset HTTP/1.1\r\n{host}Connection: close\r\n\r\n".encode())
            text = b""
            while part := connection.recv(65536):
                text += part
        self.assertEqual(re.findall(rb"HTTP/1.1 (\d+)", text), [b"200", b"404", b"200"])

    def test_a_post_without_a_body_needs_no_length(self):
        with socket.create_connection(("127.0.0.1", self.canopy.port), timeout=10) as connection:
            connection.sendall(b"POST /api/train/pause HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertIn(b"401 Unauthorized", connection.recv(4096))  # it is asked for its session

    def test_a_body_that_is_not_read_is_no_request(self):
        with socket.create_connection(("127.0.0.1", self.canopy.port), timeout=20) as connection:
            inner = "GET /api/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
            connection.sendall(f"GET /api/health HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(inner)}\r\n\r\n{inner}"
                               .encode())
            text = b""
            while part := connection.recv(65536):
                text += part
        self.assertEqual(re.findall(rb"HTTP/1.1 (\d+)", text), [b"200"])


if __name__ == "__main__":
    unittest.main()
