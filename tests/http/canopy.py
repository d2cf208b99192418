"""A Canopy of the tests' own, and a Redis that they may kill: real processes on free ports of the loopback."""

import contextlib
import http.client
import json
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "house"))

from support import BUILD, _free_port, _process_id, environment  # noqa: E402

PROGRAM = BUILD / "examples/canopy/canopy"


def eventually(condition, within=30):
    """Waits until it is true; what it gave last."""
    end = time.monotonic() + within
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.02)


class Redis:
    """A redis-server on a port of its own, which a restart keeps."""

    def __init__(self, folder):
        self.folder, self.port, self.process = folder, _free_port(), None
        self.start()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not eventually(lambda: _process_id(self.port) == self.process.pid):
            raise RuntimeError("the private redis-server does not answer")

    def kill(self):
        self.process.kill()
        self.process.wait()


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def json(self):
        return json.loads(self.body)


class Canopy:
    """The program, from its start to its end; requests to it, with the cookie of the session that it gave."""

    def __init__(self, folder, *arguments, url=None, port=0, pace=5, wait=True):
        cache = {"CASCOR_CACHE_REDIS_URL": url} if url else {"CASCOR_CACHE_TYPE": "memory"}
        self.process = subprocess.Popen(
            [str(PROGRAM), "--port", str(port), "--pace", str(pace), *arguments], cwd=folder,
            env=environment(CASCOR_CACHE_CONNECTION_POOL_TIMEOUT="2", **cache), encoding="utf-8",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines, self.port, self.cookie, self.token = [], None, None, None
        while wait and self.port is None:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError("Canopy has ended: " + "".join(self.lines))
            self.lines.append(line.rstrip("\n"))
            if line.startswith("Canopy: http://"):
                self.port = int(line.rsplit(":", 1)[1])

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            if self.cookie:
                sent.setdefault("Cookie", self.cookie)
            connection.request(method, path, body, sent)
            return Answer(connection.getresponse())

    def get(self, path, **headers):
        return self.ask("GET", path, **headers)

    def log_in(self):
        answer = self.get("/api/session")
        self.cookie = answer.headers["Set-Cookie"].split(";")[0]
        self.token = answer.json["csrf_token"]
        return answer

    def command(self, name):
        return self.ask("POST", f"/api/train/{name}", X_CSRF_Token=self.token)

    def interrupt(self):
        """Ctrl-C, then ended()."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.ended()

    def ended(self):
        """Waits for its end; its exit code, and what it printed."""
        rest, _ = self.process.communicate(timeout=30)
        return self.process.returncode, "\n".join(self.lines) + "\n" + rest


class Stream:
    """GET /api/stream: events, as they come."""

    def __init__(self, canopy, last_event_id=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", canopy.port, timeout=20)
        self.connection.request("GET", "/api/stream", headers={"Last-Event-ID": last_event_id} if last_event_id else {})
        self.response = self.connection.getresponse()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.response.close()
        self.connection.close()

    def event(self):
        """The next one: (name, id, data)."""
        name = number = data = None
        while True:
            line = self.response.readline().decode().rstrip("\n")
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("id: "):
                number = line[4:]
            elif line.startswith("data: "):
                data = json.loads(line[6:])
            elif not line and data is not None:
                return name, number, data

    def first(self, wanted, such=lambda data: True):
        while True:
            name, number, data = self.event()
            if name == wanted and such(data):
                return number, data
