"""cascor-cache doctor: each thing is broken in turn, and the report names it with its cure, in one screen."""

import contextlib
import json
import unittest

from doctor_world import (Certificates, Listener, Report, Server, command, eventually, folder_for, free_port,
                          shifted_clock)

ACCOUNT = ["on", ">pa55word", "~cascor:*", "&cascor:*", "+@all", "-@dangerous", "+info", "+role"]


class Doctor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(folder_for())
        cls.certificates = Certificates(cls.folder)
        good = cls.certificates.signed("good.pem", "DNS:localhost,IP:127.0.0.1", 365)
        cls.tls_port = free_port()
        cls.server = cls.start("main", "--tls-port", cls.tls_port, "--tls-cert-file", good, "--tls-key-file",
                               cls.folder / "server.key", "--tls-ca-cert-file", cls.folder / "ca.pem",
                               "--tls-auth-clients", "no", "--appendonly", "yes", "--maxmemory", "100mb",
                               "--maxmemory-policy", "volatile-lru")
        cls.node = cls.start("node", "--cluster-enabled", "yes")
        cls.node.send("CLUSTER", "ADDSLOTSRANGE", 0, 16383)

    @classmethod
    def start(cls, name, *words, **more):
        server = Server(cls.folder / name, *words, **more)
        cls.addClassCleanup(server.stop)
        return server

    def doctor(self, *words, configuration=None, env=None, url=None):
        """Its report, which takes a screen at most."""
        if configuration is not None:
            (self.folder / "app.yaml").write_text(configuration, encoding="utf-8")
            words = ["--config", "app.yaml", *words]
        if url is not None:
            words = ["--url", url, *words]
        report = Report(command(self.folder, "doctor", *words, env=env))
        self.assertEqual(report.errors, "")
        if "--json" not in words and "--all" not in words:
            self.assertLessEqual(len(report.lines), 24, report.text)
            for line in report.lines:
                self.assertLessEqual(len(line), 80, line)
        return report

    def assert_finds(self, report, mark, what, cure, code=1):
        """It has one such finding, and nothing else that is as bad."""
        self.assertEqual(report.code, code, report.text)
        found = report.findings(mark)
        self.assertEqual(len(found), 1, report.text)
        self.assertIn(what, found[0])
        self.assertIn("cure: ", found[0])
        self.assertIn(cure, found[0].split("cure: ")[1])
        if mark == "WARNING":
            self.assertEqual(report.findings("PROBLEM"), [])

    def assert_well(self, report):
        self.assertEqual(report.code, 0, report.text)
        self.assertEqual(report.findings("PROBLEM") + report.findings("WARNING"), [])
        self.assertEqual(report.lines[-1], "All is well.")

    @contextlib.contextmanager
    def set_to(self, name, value):
        """A setting of the server's, put back afterwards."""
        before = self.server.send("CONFIG", "GET", name)[1]
        self.server.send("CONFIG", "SET", name, value)
        try:
            yield
        finally:
            self.server.send("CONFIG", "SET", name, before)

    # ---- nothing is wrong

    def test_healthy_server(self):
        report = self.doctor(url=self.server.url)
        self.assert_well(report)
        self.assertIn("Redis 7", report.text)
        self.assertEqual(self.server.send("DBSIZE"), 0)  # and it left nothing behind

    def test_healthy_account_as_documented(self):
        self.server.send("ACL", "SETUSER", "cascor", *ACCOUNT)
        report = self.doctor(url=f"redis://cascor:pa55word@127.0.0.1:{self.server.port}/0")
        self.assert_well(report)
        self.assertNotIn("pa55word", report.text)

    def test_memory_and_a_cache_that_is_switched_off(self):
        self.assert_well(self.doctor(env={"CASCOR_CACHE_TYPE": "memory"}))
        report = self.doctor(env={"CASCOR_CACHE_ENABLED": "off"})
        self.assert_well(report)
        self.assertIn("switched off by enabled (CASCOR_CACHE_ENABLED)", report.findings("info")[0])

    # ---- the configuration

    def test_unknown_key(self):
        report = self.doctor(configuration=f"backend:\n  cache:\n    redis_url: {self.server.url}\n    ttl_second: 5\n")
        self.assert_finds(report, "WARNING", "app.yaml:4:5: unknown key 'ttl_second'", "write ttl_seconds:")

    def test_unknown_variable(self):
        report = self.doctor(url=self.server.url, env={"CASCOR_CACHE_TTL": "5"})
        self.assert_finds(report, "WARNING", "CASCOR_CACHE_TTL: unknown", "CASCOR_CACHE_TTL_SECONDS")

    def test_configuration_that_cannot_be_used(self):
        report = self.doctor(configuration="backend:\n  cache:\n    type: memcached\n")
        self.assert_finds(report, "PROBLEM", "app.yaml:3:11: type: found 'memcached'", "docs/configuration.md", code=2)
        report = self.doctor(url="redis://us:pa55word:6379")
        self.assertEqual(report.code, 2)
        self.assertNotIn("pa55word", report.text)

    def test_origins(self):
        report = self.doctor("--all", configuration="backend:\n  cache:\n    ttl_seconds: 7\n    password: pa55word\n",
                             env={"CASCOR_CACHE_TYPE": "memory"})
        rows = [line.split() for line in report.lines]
        self.assertIn(["ttl_seconds", "7", "app.yaml:3:18"], rows)
        self.assertIn(["type", '"memory"', "CASCOR_CACHE_TYPE"],
                      [[row[0], row[1] if row[1].startswith('"') else f'"{row[1]}"', row[2]]
                       for row in rows if len(row) == 3])
        self.assertIn("connection_pool.timeout", report.text)
        self.assertNotIn("pa55word", report.text)

    # ---- the way to the server

    def test_server_down(self):
        server = self.start("down")
        self.assertEqual(self.doctor(url=server.url).findings("PROBLEM"), [])
        server.stop()
        self.assert_finds(self.doctor(url=server.url), "PROBLEM", f"127.0.0.1:{server.port}: Connection refused",
                          "systemctl start redis-server", code=3)

    def test_wrong_port(self):
        report = self.doctor(configuration=f"backend:\n  cache:\n    redis_url: redis://127.0.0.1:{free_port()}/0\n")
        self.assert_finds(report, "PROBLEM", "Connection refused", "correct redis_url (app.yaml:3:16)", code=3)

    def test_something_else_listens(self):
        for answer, what, cure in [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "not Redis's protocol", "another program"),
                                   (b"", "Timeout waiting for Redis", "see whether it hangs")]:
            with self.subTest(what):
                listener = Listener(answer)
                self.addCleanup(listener.stop)
                report = self.doctor(url=listener.url, env={"CASCOR_CACHE_CONNECTION_POOL_TIMEOUT": "0.3"})
                self.assert_finds(report, "PROBLEM", what, cure, code=3)

    def test_what_a_server_says_does_not_reach_the_terminal(self):
        for answer in [b"-ERR \x1b[2J\x07 obey\r\n", b"+\x1b[2J" + b"x" * 5000 + b"\r\n", b":-1\r\n", b"*0\r\n",
                       b"$12\r\nredis_mode:\x1b\r\n", b"$-1\r\n"]:
            with self.subTest(answer[:20]):
                listener = Listener(answer)
                self.addCleanup(listener.stop)
                report = self.doctor(url=listener.url, env={"CASCOR_CACHE_CONNECTION_POOL_TIMEOUT": "0.3"})
                self.assertGreaterEqual(len(report.findings("PROBLEM")), 1)
                self.assertNotRegex(report.text, r"[\x00-\x09\x0b-\x1f\x7f]")

    def test_unknown_name(self):
        report = self.doctor(url="redis://no-such-host.invalid:6379/0")
        self.assert_finds(report, "PROBLEM", "no-such-host.invalid:6379", "getent hosts no-such-host.invalid", code=3)

    # ---- being let in

    def test_wrong_password(self):
        with self.set_to("requirepass", "right-one"):
            self.server.client.connection_pool.connection_kwargs["password"] = "right-one"
            report = self.doctor(url=self.server.url, env={"REDIS_PASSWORD": "pa55word"})
            self.assert_finds(report, "PROBLEM", "WRONGPASS", "which is from REDIS_PASSWORD", code=4)
            self.assertNotIn("pa55word", report.text)
            self.assert_finds(self.doctor(url=self.server.url), "PROBLEM", "NOAUTH", "export REDIS_PASSWORD=", code=4)
            self.assert_well(self.doctor(url=self.server.url, env={"REDIS_PASSWORD": "right-one"}))
        del self.server.client.connection_pool.connection_kwargs["password"]

    def test_missing_rights(self):
        url = f"redis://lacking:pa55word@127.0.0.1:{self.server.port}/0"
        for lacks, mark, what, cure in [
                (["-publish"], "PROBLEM", "+publish (messages are not published)", "ACL SETUSER lacking +publish"),
                (["-eval"], "PROBLEM", "+eval (increment, tags, sessions", "ACL SETUSER lacking +eval"),
                (["-scan"], "PROBLEM", "+scan (patterns", "ACL SETUSER lacking +scan"),
                (["-set"], "PROBLEM", "+set (writes)", "ACL SETUSER lacking +set"),
                (["-psubscribe"], "WARNING", "+psubscribe (subscribe_pattern)", "ACL SETUSER lacking +psubscribe"),
                (["-info"], "WARNING", "INFO is refused", "ACL SETUSER lacking +info"),
                (["resetkeys", "~other:*"], "PROBLEM", "~cascor:*", "ACL SETUSER lacking ~cascor:*"),
                (["-client|tracking"], "WARNING", "client|tracking", "+client|tracking")]:
            with self.subTest(lacks):
                self.server.send("ACL", "DELUSER", "lacking")
                self.server.send("ACL", "SETUSER", "lacking", *ACCOUNT, *lacks)
                self.assert_finds(self.doctor(url=url), mark, what, cure)

    # ---- what the server can do

    def test_noeviction_with_little_memory_left(self):
        with self.set_to("maxmemory-policy", "noeviction"):
            used = self.server.client.info("memory")["used_memory"]
            with self.set_to("maxmemory", int(used * 1.06)):
                self.assert_finds(self.doctor(url=self.server.url), "PROBLEM", "fail once it is full",
                                  "maxmemory-policy volatile-lru")
            with self.set_to("maxmemory", used // 2):
                self.assert_finds(self.doctor(url=self.server.url), "PROBLEM", "are refused: OOM",
                                  "maxmemory-policy volatile-lru")

    def test_policy_that_evicts_what_must_stay(self):
        self.server.send("ZADD", "cascor:runs", 1, "run-1")
        try:
            with self.set_to("maxmemory-policy", "allkeys-lru"):
                self.assert_finds(self.doctor(url=self.server.url), "WARNING", "evict the record of 1 run",
                                  "volatile-lru")
        finally:
            self.server.send("DEL", "cascor:runs")

    def test_pool_larger_than_maxclients(self):
        with self.set_to("maxclients", 40):
            report = self.doctor(configuration=f"backend:\n  cache:\n    redis_url: {self.server.url}\n"
                                               "    connection_pool:\n      max_connections: 50\n")
            self.assert_finds(report, "PROBLEM", "connection_pool.max_connections (app.yaml:5:24) is 50",
                              "max_connections: 10")

    def test_clock_skew(self):
        server = self.start("shifted", "--appendonly", "yes", "--maxmemory", "50mb", "--maxmemory-policy",
                            "volatile-lru", env=shifted_clock(self.folder, 7200))
        self.assert_finds(self.doctor(url=server.url), "PROBLEM", "is 120 min ahead of", "timedatectl set-ntp true")

    def test_replica(self):
        self.server.send("CONFIG", "SET", "repl-diskless-sync-delay", 0)
        replica = self.start("replica", "--replicaof", "127.0.0.1", self.server.port, "--appendonly", "yes",
                             "--maxmemory", "50mb", "--maxmemory-policy", "volatile-lru")
        eventually(lambda: replica.client.info("replication")["master_link_status"] == "up")
        self.assert_finds(self.doctor(url=replica.url), "PROBLEM", "is a replica", f"127.0.0.1:{self.server.port}")

    # ---- TLS

    def tls(self, certificate, host="localhost", **more):
        with self.set_to("tls-cert-file", certificate):
            env = {"CASCOR_CACHE_TLS_CA_FILE": str(self.folder / "ca.pem"),
                   "CASCOR_CACHE_CONNECTION_POOL_TIMEOUT": "2", **more}
            return self.doctor(url=f"rediss://{host}:{self.tls_port}/0", env=env)

    def test_tls(self):
        report = self.tls(self.folder / "good.pem")
        self.assert_well(report)
        self.assertRegex(report.text, r"ok TLS: TLSv1\.3, CN = server, verified, expires in 36\d days")

    def test_expired_certificate(self):
        expired = self.certificates.signed("expired.pem", "DNS:localhost", -1)
        self.assert_finds(self.tls(expired), "PROBLEM", "(CN = server) expired 24 h ago", "tls-cert-file", code=3)

    def test_certificate_that_expires_soon(self):
        soon = self.certificates.signed("soon.pem", "DNS:localhost", 5)
        self.assert_finds(self.tls(soon), "WARNING", "(CN = server) expires in ", "renew it")

    def test_certificate_for_another_name(self):
        other = self.certificates.signed("other.pem", "DNS:redis.internal", 365)
        self.assert_finds(self.tls(other), "PROBLEM", "is for redis.internal, not for localhost",
                          "server_name: redis.internal", code=3)

    def test_certificate_of_nobody_known(self):
        report = self.tls(self.folder / "good.pem", CASCOR_CACHE_TLS_CA_FILE="")
        self.assert_finds(report, "PROBLEM", "is not trusted", "ca_file:", code=3)

    def test_plain_text_where_tls_is_expected_and_the_other_way_round(self):
        env = {"CASCOR_CACHE_CONNECTION_POOL_TIMEOUT": "2"}
        report = self.doctor(url=f"rediss://localhost:{self.server.port}/0", env=env)
        self.assert_finds(report, "PROBLEM", "answers in plain text", "tls-port", code=3)
        report = self.doctor(url=f"redis://localhost:{self.tls_port}/0", env=env)
        self.assert_finds(report, "PROBLEM", f"localhost:{self.tls_port}", "rediss://", code=3)

    # ---- more than one server

    def test_sentinel_without_quorum(self):
        master = self.start("master", "--appendonly", "yes")
        sentinel = self.start("sentinel", sentinel=f"sentinel monitor mymaster 127.0.0.1 {master.port} 1\n")
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/mymaster/0"
        self.assert_finds(self.doctor(url=url), "WARNING", "no replica to take its place", "replicaof 127.0.0.1")
        sentinel.send("SENTINEL", "SET", "mymaster", "quorum", 2)
        self.assert_finds(self.doctor(url=url), "PROBLEM", "no failover is possible: NOQUORUM",
                          "SENTINEL SET mymaster quorum")
        other = f"redis+sentinel://127.0.0.1:{sentinel.port}/other/0"
        self.assert_finds(self.doctor(url=other), "PROBLEM", "know no master named other", "SENTINEL MASTERS", code=3)

    def test_cluster_with_a_slot_of_nobody(self):
        url = f"redis://127.0.0.1:{self.node.port},localhost:{self.node.port}/0"
        self.assertTrue(eventually(lambda: "cluster_state:ok" in self.node.send("CLUSTER", "INFO")))
        report = self.doctor(url=url)
        self.assertEqual(report.findings("PROBLEM") + report.findings("WARNING"), [], report.text)
        self.assertIn("whole: 16384 slots on 1 master", report.text)
        self.node.send("CLUSTER", "DELSLOTS", 5, 6, 7, 99)
        self.assert_finds(self.doctor(url=url), "PROBLEM", "4 slots are of no node: 5-7, 99",
                          f"redis-cli --cluster fix 127.0.0.1:{self.node.port}")
        self.assert_finds(self.doctor(url=self.node.url), "PROBLEM", "is a node of a Redis Cluster", "name several")

    # ---- this machine

    def test_history_directory_that_cannot_be_written(self):
        (self.folder / "file").write_text("in the way", encoding="utf-8")
        report = self.doctor(url=self.server.url, env={"CASCOR_CACHE_HISTORY_DIRECTORY": "file/history"})
        self.assert_finds(report, "PROBLEM", "nothing can be written to", "install -d -o")

    def test_records_that_wait_for_another_redis(self):
        waiting = self.folder / "away/pending/elsewhere-1"
        waiting.mkdir(parents=True)
        (waiting / "run-1.jsonl").write_text('{"seq":1,"epoch":1,"record":{"epoch":1}}\n', encoding="utf-8")
        report = self.doctor(url=self.server.url, env={"CASCOR_CACHE_HISTORY_DIRECTORY": "away"})
        self.assert_finds(report, "WARNING", "records of 1 run", "mv away/pending/elsewhere-1/*.jsonl")

    # ---- for scripts

    def test_json(self):
        with self.set_to("maxmemory-policy", "noeviction"), self.set_to("maxmemory", 1):
            report = self.doctor("--json", url=self.server.url)
        told = json.loads(report.text)
        self.assertEqual((report.code, told["problems"], told["warnings"]), (1, 1, 0))
        problem, = [one for one in told["findings"] if one["level"] == "problem"]
        self.assertEqual(problem["subject"], "memory")
        self.assertTrue(problem["what"] and problem["cure"])
        origins = {one["key"]: one["origin"] for one in told["configuration"]}
        self.assertEqual((origins["redis_url"], origins["ttl_seconds"]), ("--url", "default"))


if __name__ == "__main__":
    unittest.main()
