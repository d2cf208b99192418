"""A Redis server and Canopy, each at a port that stays its own when it is ended and started again."""

import pathlib
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "house"))

from support import BUILD, free_port, process_id, environment  # noqa: E402


class Redis:
    def __init__(self, data):
        self._data = data
        self._process = None
        self.port = free_port()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._data)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while process_id(self.port) != self._process.pid:
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("redis-server did not start")
            time.sleep(0.05)

    def kill(self):
        if self._process:
            self._process.kill()
            self._process.wait()


class Canopy:
    """Server and trainer in one process, on that Redis."""

    def __init__(self, redis_url, data, *options):
        self._data = data
        self._environment = environment(CASCOR_CACHE_REDIS_URL=redis_url)
        self._options = options
        self._process = None
        self.port = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    def start(self):
        program = BUILD / "examples/canopy/canopy"
        with open(self._data / "canopy.log", "ab") as log:
            self._process = subprocess.Popen(
                [program, "--port", str(self.port), "--no-log-file", *self._options], cwd=self._data,
                env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, encoding="utf-8")
        for line in self._process.stdout:
            if found := re.search(r"Canopy: http://.*:(\d+)$", line.rstrip()):
                self.port = int(found.group(1))
                return
        raise RuntimeError("Canopy did not start:\n" + self.log())

    def stop(self):
        if not self._process:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def log(self):
        return (self._data / "canopy.log").read_text(encoding="utf-8", errors="replace")
