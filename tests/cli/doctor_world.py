"""What `cascor-cache doctor` is tried on: servers of the tests' own, certificates, and the command itself."""

import contextlib
import random
import re
import socket
import subprocess
import threading

import redis

from cli_support import PROGRAM, eventually
from support import CXX, environment, folder as folder_for  # found by way of cli_support


def free_port():
    """Below those that the system gives to outgoing connections, with room for a cluster's second port."""
    while True:
        port = random.randint(20_000, 31_999)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Server:
    """A redis-server of ours on a free port, ended by its process id. `words` are arguments of its own."""

    def __init__(self, folder, *words, env=None, sentinel=None):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        for _ in range(5):  # somebody else may take the port first
            self.port = free_port()
            common = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder), "--logfile", "redis.log"]
            if sentinel is None:
                command = ["redis-server", *common, "--save", "", *words]
            else:
                (folder / "sentinel.conf").write_text(sentinel, encoding="utf-8")
                command = ["redis-server", str(folder / "sentinel.conf"), *common, "--sentinel", *words]
            self.process = subprocess.Popen([str(word) for word in command], env=environment(**(env or {})),
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            stderr=subprocess.DEVNULL)
            self.client = redis.Redis("127.0.0.1", self.port, decode_responses=True)
            if eventually(self._is_there) and self.process.poll() is None:
                return
            self.stop()
        raise RuntimeError("no redis-server could be started: " + (folder / "redis.log").read_text())

    def _is_there(self):
        if self.process.poll() is not None:
            return True
        with contextlib.suppress(redis.RedisError, OSError):
            return self.client.info("server")["process_id"] == self.process.pid
        return False

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def send(self, *words):
        return self.client.execute_command(*[str(word) for word in words])

    def stop(self):
        self.client.close()
        self.process.kill()
        self.process.wait()


class Listener:
    """Something that is not Redis: answers whatever comes with `answer`, each command once, or with nothing at all."""

    def __init__(self, answer):
        self.answer = answer
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._answer, args=[self.socket.accept()[0]], daemon=True).start()

    def _answer(self, peer):
        with peer, contextlib.suppress(OSError):
            while came := peer.recv(65536):
                peer.sendall(self.answer * len(re.findall(rb"\*\d+\r\n\$", came)))

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


class Certificates:
    """An authority, and certificates for one key that it has signed."""

    def __init__(self, folder):
        self.folder = folder
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "400",
                      "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")
        self._openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.csr")

    def signed(self, name, names, days):
        (self.folder / "names").write_text(f"subjectAltName={names}\n", encoding="utf-8")
        self._openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                      "-days", str(days), "-extfile", "names", "-out", name)
        return self.folder / name

    def _openssl(self, *words):
        done = subprocess.run(["openssl", *words], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, encoding="utf-8", check=False)
        if done.returncode:
            raise RuntimeError(done.stdout)


def shifted_clock(folder, seconds):
    """The environment of a process whose calendar is so many seconds ahead."""
    source = folder / "shift.cpp"
    source.write_text(f"""
        #include <dlfcn.h>
        #include <sys/time.h>
        #include <time.h>
        extern "C" int gettimeofday(struct timeval* now, void* zone) noexcept {{
          static auto real = reinterpret_cast<int (*)(struct timeval*, void*)>(dlsym(RTLD_NEXT, "gettimeofday"));
          int failed = real(now, zone);
          now->tv_sec += {seconds};
          return failed;
        }}
        extern "C" int clock_gettime(clockid_t which, struct timespec* now) noexcept {{
          static auto real = reinterpret_cast<int (*)(clockid_t, struct timespec*)>(dlsym(RTLD_NEXT, "clock_gettime"));
          int failed = real(which, now);
          if (which == CLOCK_REALTIME) now->tv_sec += {seconds};
          return failed;
        }}
        """, encoding="utf-8")
    library = folder / "shift.so"
    subprocess.run([CXX, "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", str(library), str(source), "-ldl"], check=True)
    return {"LD_PRELOAD": str(library)}


class Report:
    """What `cascor-cache doctor` said."""

    def __init__(self, done):
        self.code, self.text, self.errors = done.returncode, done.stdout, done.stderr
        self.lines = self.text.splitlines()

    def findings(self, mark):
        """The findings so marked, each in one line with its cure."""
        found, open_ = [], False
        for line in self.lines[1:-1]:
            if not line.startswith("  "):
                open_ = line.startswith(mark + " ")
                if open_:
                    found.append(line[len(mark) + 1:])
            elif open_:
                found[-1] += " " + line.strip()
        return [re.sub(r"\s+", " ", one) for one in found]


def command(folder, *words, env=None, timeout=60):
    """Runs cascor-cache in `folder`."""
    return subprocess.run([str(PROGRAM), *[str(word) for word in words]], cwd=folder, env=environment(**(env or {})),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
                          timeout=timeout, check=False)
