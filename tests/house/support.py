"""What the script tests share: where things are, how to compile, a private Redis server."""

import concurrent.futures
import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"
BUILD = pathlib.Path(os.environ.get("CASCOR_BUILD_DIR", ROOT / "build" / "dev"))
CXX = os.environ.get("CXX", "g++")
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
LIBRARIES = ["-lhiredis", "-lyaml-cpp", "-lssl", "-lcrypto"]
COMPILED_LIBRARY = BUILD / "libcascor-cache-compiled.a"


def compiled_libraries():
    """What a program of the compiled library links: the libraries above, and simdjson where CMake found it."""
    found = re.search(r"^simdjson_DIR:PATH=/", (BUILD / "CMakeCache.txt").read_text(encoding="utf-8"), re.MULTILINE)
    return [COMPILED_LIBRARY, *LIBRARIES, *(["-lsimdjson"] if found else [])]


def headers():
    """Every header and implementation file of the library, by its path from the include root."""
    return sorted(path.relative_to(INCLUDE).as_posix() for path in INCLUDE.rglob("*.[hi]pp"))


def environment(**more):
    """The caller's environment without what would configure a cache, and what is given."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith("CASCOR_CACHE_") and name != "REDIS_PASSWORD"}
    return {**kept, **more}


def run(*command, cwd=None, env=None, timeout=300):
    """Runs a command; gives its exit code and what it wrote on both streams together."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=env or environment(), timeout=timeout,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          encoding="utf-8", errors="replace", check=False)
    return done.returncode, done.stdout


def compile_cpp(*arguments, cwd=None):
    return run(CXX, "-std=c++20", "-pthread", f"-I{INCLUDE}", *arguments, cwd=cwd)


def two_at_a_time(function, items):
    """function(item) for each, two running at once; the results in order."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(function, items))


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="cascor-") as name:
        yield pathlib.Path(name)


@contextlib.contextmanager
def private_redis():
    """The URL of a redis-server of our own, gone afterwards."""
    if not shutil.which("redis-server"):
        raise RuntimeError("redis-server is not installed")
    with folder() as data:
        server, port = _start_redis(data)
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait(timeout=10)


def _start_redis(data):
    for _ in range(5):  # the port may be taken between the moment it was found free and the server's start
        port = _free_port()
        server = subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(data)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while server.poll() is None and time.monotonic() < end:
            if _process_id(port) == server.pid:
                return server, port
            time.sleep(0.05)
        server.kill()
        server.wait()
    raise RuntimeError("no private redis-server could be started")


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _process_id(port):
    """Which process answers there: another server on the same port would answer a PING too."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"INFO server\r\n")
            found = re.search(rb"process_id:(\d+)", connection.recv(65536))
            return int(found.group(1)) if found else None
    except OSError:
        return None
