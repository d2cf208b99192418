"""The command as it is run, real servers for it, and a real terminal (tmux) to run it in."""

import contextlib
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "house"))

import redis  # noqa: E402

from support import BUILD, _free_port, environment, folder  # noqa: E402

PROGRAM = BUILD / "tools/cascor-cache/cascor-cache"


def eventually(condition, within=30):
    """Waits until it is true; what it gave last."""
    end = time.monotonic() + within
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.02)


class Ran:
    """What a run of the command came to."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        """Standard output as the one JSON value that it must be."""
        return json.loads(self.out)


def run(*words, url=None, text=None, cwd=None, **more):
    """Runs it to its end, in a folder without a configuration unless `cwd` says otherwise."""
    command = [str(PROGRAM), *(["--url", url] if url else []), *[str(word) for word in words]]
    return Ran(subprocess.run(command, cwd=cwd or "/", env=environment(**more), input=text or "", timeout=60,
                              capture_output=True, encoding="utf-8", check=False))


class Follower:
    """The command in the background, whose standard output is read by lines."""

    def __init__(self, *words, url):
        self.process = subprocess.Popen([str(PROGRAM), "--url", url, *words], cwd="/", env=environment(),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def first(self, such):
        """The first line from here on, as JSON, that is so."""
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError("it has ended: " + self.process.stderr.read().decode())
            event = json.loads(line)
            if such(event):
                return event

    def end(self, by=signal.SIGINT):
        """Its exit code once the signal has ended it."""
        if self.process.poll() is None:
            self.process.send_signal(by)
        _, self.err = self.process.communicate(timeout=30)
        return self.process.returncode


class Server:
    """A redis-server or a Sentinel of our own on a free port, ended by its process id."""

    def __init__(self, data, *arguments, configuration=None, port=None):
        self.port = port or _free_port()
        self.data = data / str(self.port)
        self.data.mkdir(exist_ok=True)
        self.command = ["redis-server"]
        if configuration:
            file = self.data / "sentinel.conf"
            file.write_text(configuration, encoding="utf-8")
            self.command += [str(file), "--sentinel"]
        self.command += ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.data),
                         *arguments]
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        if not eventually(lambda: self.field("server", "process_id") == self.process.pid):
            raise RuntimeError("the private redis-server does not answer")

    def field(self, section, name):
        try:
            return self.client().info(section).get(name)
        except redis.exceptions.RedisError:
            return None

    def client(self, **how):
        return redis.Redis(port=self.port, socket_timeout=5, **how)

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def kill(self):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def server(*arguments):
    with folder() as data:
        own = Server(data, *arguments)
        try:
            yield own
        finally:
            own.kill()


@contextlib.contextmanager
def sentinels():
    """A URL by way of a Sentinel that watches over a master and its replica; the two servers."""
    with folder() as data, contextlib.ExitStack() as ended:
        def started(*arguments, **how):
            own = Server(data, *arguments, **how)
            ended.callback(own.kill)
            return own

        master = started("--repl-diskless-sync-delay", "0")
        replica = started("--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1", str(master.port))
        sentinel = started(configuration=f"sentinel monitor mymaster 127.0.0.1 {master.port} 1\n"
                                         "sentinel down-after-milliseconds mymaster 1000\n")
        asked = sentinel.client(decode_responses=True)

        def settled():
            state = asked.sentinel_master("mymaster")
            return state["num-slaves"] == 1 and not state["is_odown"] and \
                replica.field("replication", "master_link_status") == "up"

        if not eventually(settled):
            raise RuntimeError("the Sentinel does not find the replica")
        yield f"redis+sentinel://127.0.0.1:{sentinel.port}/mymaster/0", master, replica


@contextlib.contextmanager
def cluster():
    """The URL of a cluster of three masters, and these."""
    with folder() as data, contextlib.ExitStack() as ended:
        nodes = []
        for _ in range(3):
            nodes.append(Server(data, "--cluster-enabled", "yes", "--cluster-port", str(_free_port()),
                                "--cluster-node-timeout", "2000"))
            ended.callback(nodes[-1].kill)
        for i, node in enumerate(nodes):
            client = node.client()
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 16384 * i // 3, 16384 * (i + 1) // 3 - 1)
            bus = nodes[0].command[nodes[0].command.index("--cluster-port") + 1]
            if i > 0:
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port, bus)

        def whole(node):
            info = node.client(decode_responses=True).execute_command("CLUSTER INFO")
            said = info if isinstance(info, dict) else dict(re.findall(r"(\w+):(\w+)", info))
            return said["cluster_state"] == "ok" and said["cluster_known_nodes"] == "3"

        if not eventually(lambda: all(whole(node) for node in nodes)):
            raise RuntimeError("the cluster does not come together")
        yield "redis://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes) + "/0", nodes


class Terminal:
    """A terminal with a shell in it: tmux, on a socket of its own."""

    PROMPT = "ready>"

    def __init__(self, data, columns=80, rows=24, **variables):
        self.tmux_command = ["tmux", "-S", str(data / "tmux"), "-f", "/dev/null"]
        words = ["env", "-i", *(f"{name}={value}" for name, value in environment(
            TERM="screen-256color", PS1=self.PROMPT, LANG="C.UTF-8", **variables).items()), "sh"]
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), "-c", "/", shlex.join(words))
        self.wait_for(lambda screen: screen.endswith(self.PROMPT))

    def tmux(self, *words):
        done = subprocess.run([*self.tmux_command, *words], capture_output=True, timeout=30, check=True)
        return done.stdout.decode()

    def type(self, *words):
        """Has the shell run the command."""
        self.send(shlex.join([str(PROGRAM), *[str(word) for word in words]]))

    def send(self, line):
        self.tmux("send-keys", "-l", line)
        self.tmux("send-keys", "Enter")

    def clear(self):
        """An empty screen, whatever a test that failed has left there."""
        if not eventually(lambda: self.screen().endswith(self.PROMPT), within=2):
            self.press("C-c")
            self.wait_for(lambda shown: shown.endswith(self.PROMPT))
        self.send("clear")
        self.wait_for(lambda shown: shown == self.PROMPT)

    def press(self, key):
        self.tmux("send-keys", key)

    def resize(self, columns, rows):
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self, *more):
        """What is to be seen, without what is empty at the end; each row apart, or (-J) those that wrapped joined."""
        shown = self.tmux("capture-pane", "-p", *more)
        return "\n".join(row.rstrip() for row in shown.split("\n")).rstrip()

    def wait_for(self, such):
        """The screen once it is such."""
        shown = eventually(lambda: (lambda screen: screen if such(screen) else None)(self.screen()))
        if not shown:
            raise RuntimeError("the terminal shows:\n" + self.screen())
        return shown

    def exit_code(self):
        """Of the command that has just ended."""
        self.wait_for(lambda screen: screen.endswith(self.PROMPT))
        self.send("echo code:$?:")
        shown = self.wait_for(lambda screen: re.search(r"^code:(\d+):$", screen, re.MULTILINE))
        return int(re.findall(r"^code:(\d+):$", shown, re.MULTILINE)[-1])

    @property
    def cursor_shown(self):
        return self.tmux("display-message", "-p", "#{cursor_flag}#{alternate_on}").strip() == "10"

    def close(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            self.tmux("kill-server")


@contextlib.contextmanager
def terminal(columns=80, rows=24, **variables):
    with folder() as data:
        own = Terminal(data, columns, rows, **variables)
        try:
            yield own
        finally:
            own.close()


def journal(path, records):
    """Writes a file as export does."""
    with open(path, "w", encoding="utf-8") as file:
        for i in range(1, records + 1):
            record = json.dumps({"epoch": i, "metrics": {"loss": 1 / i}, "phase": "output"}, separators=(",", ":"))
            file.write(f'{{"seq":{i},"epoch":{i},"record":{record}}}\n')
    return os.fspath(path)
