"""What it costs to compile our headers, against what they include anyway.

Each round compiles both sides once, one after the other and the other way round in the next; the gate is on the median
of the rounds' ratios of user CPU time. A few rounds are enough where all of them are within the limit; else there are
more, so that one slow moment of the machine decides nothing."""

import os
import re
import statistics
import subprocess
import unittest

from support import CXX, INCLUDE, compile_cpp, environment, folder

FEW_ROUNDS, MANY_ROUNDS = 3, 9
HEADER_LINE = re.compile(r"^(\.+) (.+)$")
INCLUDED_NAME = re.compile(r"^\s*#\s*include\s*<([^>]+)>", re.MULTILINE)


def compile_seconds(source, options):
    """User CPU seconds that the compiler and its children took."""
    compiler = subprocess.Popen(
        [CXX, "-std=c++20", "-O0", f"-I{INCLUDE}", *options, "-c", str(source), "-o", os.devnull], env=environment())
    _, status, usage = os.wait4(compiler.pid, 0)
    compiler.returncode = os.waitstatus_to_exitcode(status)
    if compiler.returncode:
        raise RuntimeError(f"{source} does not compile")
    return usage.ru_utime


def foreign_includes(header):
    """What our headers include that is not ours, in the order in which the compiler meets it."""
    with folder() as scratch:
        source = scratch / "all.cpp"
        source.write_text(f"#include <{header}>\n", encoding="utf-8")
        code, output = compile_cpp("-H", "-E", "-o", os.devnull, source)
    if code:
        raise RuntimeError(output)
    names, parents = [], []  # parents[d]: the file that was last opened at depth d
    for line in output.splitlines():
        match = HEADER_LINE.match(line)
        if not match:
            continue
        depth, path = len(match[1]), os.path.realpath(match[2])
        del parents[depth - 1:]
        if parents and _is_ours(parents[-1]) and not _is_ours(path):
            names.append(_name_in(parents[-1], path))
        parents.append(path)
    return names


def _is_ours(path):
    return path.startswith(f"{INCLUDE}/")


def _name_in(parent, path):
    """How the parent wrote the include of this path."""
    with open(parent, encoding="utf-8") as text:
        for name in INCLUDED_NAME.findall(text.read()):
            if path.endswith(f"/{name}"):
                return name
    raise RuntimeError(f"{parent} does not include {path} by name")


class CompileTime(unittest.TestCase):
    def gate(self, name, ours, options, theirs, limit):
        with folder() as scratch:
            for side, includes in (("ours", [ours]), ("theirs", theirs)):
                lines = "".join(f"#include <{include}>\n" for include in includes)
                (scratch / f"{side}.cpp").write_text(lines, encoding="utf-8")
            sides = [(scratch / "ours.cpp", options), (scratch / "theirs.cpp", [])]
            mine, peer, ratios = [], [], []
            while len(ratios) < FEW_ROUNDS or (len(ratios) < MANY_ROUNDS and max(ratios) > limit):
                order = (0, 1) if len(ratios) % 2 == 0 else (1, 0)
                seconds = {side: compile_seconds(*sides[side]) for side in order}
                mine.append(seconds[0])
                peer.append(seconds[1])
                ratios.append(seconds[0] / seconds[1])
        ratio = statistics.median(ratios)
        print(f"{name}: {ratio:.3f} (at most {limit}); {min(ratios):.3f} to {max(ratios):.3f} in {len(ratios)} rounds, "
              f"{statistics.median(mine):.2f} s against {statistics.median(peer):.2f} s", flush=True)
        self.assertLessEqual(ratio, limit)

    def test_cache_against_what_it_includes(self):
        self.gate("cache.hpp", "cascor/cache.hpp", [], foreign_includes("cascor/cache.hpp"), 1.3)

    def test_cache_compiled_against_nlohmann(self):
        self.gate("cache.hpp, compiled", "cascor/cache.hpp", ["-DCASCOR_CACHE_COMPILED"], ["nlohmann/json.hpp"], 1.1)

    def test_memory_cache_against_what_it_includes(self):
        self.gate("memory_cache.hpp", "cascor/memory_cache.hpp", [], foreign_includes("cascor/memory_cache.hpp"), 1.2)


if __name__ == "__main__":
    unittest.main()
