#!/usr/bin/env python3
"""The unit costs of docs/scale.md: what a write, a read, an invalidation, a message and a connection cost a redis-server.

Starts one of its own, with connections that listen in a process of their own, and prints the median of three runs. Run it
with `ulimit -n 4096`. It takes about a minute on a quiet machine.
"""
import os
import re
import selectors
import signal
import socket
import subprocess
import tempfile
import time

VALUE = b"v" * 256


def encoded(*words):
    words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def reply(self):
        line = self.file.readline()
        if line[:1] in b"+-:":
            return line[1:-2]
        size = int(line[1:])
        if size < 0:
            return None
        return self.file.read(size + 2)[:-2] if line[:1] == b"$" else [self.reply() for _ in range(size)]

    def ask(self, *words):
        self.socket.sendall(encoded(*words))
        return self.reply()

    def info(self, name):
        return float(re.search(name.encode() + rb":([0-9.]+)", self.ask("INFO", "everything")).group(1))


def tracking(port):
    one = Connection(port)
    number = one.ask("CLIENT", "ID")
    assert one.ask("CLIENT", "TRACKING", "ON", "REDIRECT", number, "BCAST", "PREFIX", "cascor:metrics:") == b"OK"
    one.ask("SUBSCRIBE", "__redis__:invalidate")
    return one


def subscribed(port):
    one = Connection(port)
    one.ask("SUBSCRIBE", "cascor:training")
    return one


def listen(connections):
    """A process that reads what comes; its id."""
    child = os.fork()
    if child:
        return child
    selector = selectors.DefaultSelector()
    for one in connections:
        one.socket.setblocking(False)
        selector.register(one.socket, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            key.fileobj.recv(1 << 20)


def cost(port, listeners, make, writes, command, pipeline=1):
    """Microseconds of the server's CPU and bytes that it sends, a write."""
    runs = []
    for _ in range(3):
        connections = [make(port) for _ in range(listeners)]
        child = listen(connections) if connections else None
        asks, writer = Connection(port), Connection(port)
        before = asks.info("used_cpu_user") + asks.info("used_cpu_sys"), asks.info("total_net_output_bytes")
        for first in range(0, writes, pipeline):
            writer.socket.sendall(b"".join(encoded(*command(i)) for i in range(first, first + pipeline)))
            for _ in range(pipeline):
                writer.reply()
        time.sleep(0.3)
        after = asks.info("used_cpu_user") + asks.info("used_cpu_sys"), asks.info("total_net_output_bytes")
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        for one in connections:
            one.socket.close()
        runs.append(((after[0] - before[0]) / writes * 1e6, (after[1] - before[1]) / writes))
    return sorted(runs)[1]


def show(what, figures):
    print(f"{what:55} {figures[0]:9.1f} us {figures[1]:9.0f} bytes", flush=True)


def main():
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        server = subprocess.Popen(
            ["redis-server", "--port", str(port), "--save", "", "--dir", folder, "--maxclients", "4000"],
            stdout=subprocess.DEVNULL,
        )
        try:
            while True:
                try:
                    Connection(port).ask("PING")
                    break
                except ConnectionRefusedError:
                    time.sleep(0.01)

            def latest(_):
                return "SET", "cascor:metrics:latest", VALUE

            def epoch(i):
                return "SET", f"cascor:metrics:epoch_{i}", VALUE

            def message(_):
                return "PUBLISH", "cascor:training", VALUE

            for listeners in (0, 10, 100, 1000):
                writes = 2000 if listeners < 100 else 100
                show(f"SET, {listeners} that keep it near", cost(port, listeners, tracking, writes, latest))
                show(f"PUBLISH, {listeners} that listen", cost(port, listeners, subscribed, writes, message))
            for pipeline in (10, 100):
                show(f"SET of different keys, {pipeline} at once, 100 near", cost(port, 100, tracking, 1000, epoch, pipeline))
                show(f"SET of one key, {pipeline} at once, 100 near", cost(port, 100, tracking, 1000, latest, pipeline))
            show("GET", cost(port, 0, None, 2000, lambda _: ("GET", "cascor:metrics:latest")))
            show("XADD", cost(port, 0, None, 2000, lambda i: ("XADD", "cascor:run:1:history", "*", "epoch", i, "record", VALUE)))
            asks = Connection(port)
            before = asks.info("used_memory")
            kept = [tracking(port) for _ in range(500)]
            print(f"a connection: {(asks.info('used_memory') - before) / len(kept) / 1024:.1f} KiB of the server's memory")
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
