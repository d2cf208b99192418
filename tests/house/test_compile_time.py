"""What it costs to compile our headers, against what they include anyway.

Counted in instructions of the compiler, by valgrind: the same to a thousandth whatever else the machine does, where
seconds of a shared machine differ by a tenth from round to round. `target` is what docs/decisions/0001 asks for,
`ceiling` is what holds today and must not grow; where they differ the target is still to be reached, and said so."""

import os
import re
import shlex
import unittest

from support import CXX, INCLUDE, compile_cpp, folder, run, two_at_a_time

HEADER_LINE = re.compile(r"^(\.+) (.+)$")
INCLUDED_NAME = re.compile(r"^\s*#\s*include\s*<([^>]+)>", re.MULTILINE)
INSTRUCTIONS = re.compile(r"I +refs: +([\d,]+)")


def compile_instructions(job):
    """Instructions of the compiler proper for (source, options), assembler and linker left out."""
    source, options = job
    code, output = run(CXX, "-###", "-std=c++20", "-O0", f"-I{INCLUDE}", *options, "-S", source, "-o", os.devnull)
    command = next((line for line in output.splitlines() if "cc1plus" in line and " -quiet " in line), None)
    if code or command is None:
        raise RuntimeError(f"{CXX} does not tell how it compiles:\n{output}")
    code, output = run("valgrind", "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={os.devnull}",
                       *shlex.split(command), timeout=800)
    match = INSTRUCTIONS.search(output)
    if code or match is None:
        raise RuntimeError(f"{source} was not compiled under valgrind:\n{output[-2000:]}")
    return int(match[1].replace(",", ""))


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
    def gate(self, name, ours, options, theirs, target, ceiling):
        with folder() as scratch:
            for side, includes in (("ours", [ours]), ("theirs", theirs)):
                lines = "".join(f"#include <{include}>\n" for include in includes)
                (scratch / f"{side}.cpp").write_text(lines, encoding="utf-8")
            mine, peer = two_at_a_time(compile_instructions,
                                       [(scratch / "ours.cpp", options), (scratch / "theirs.cpp", [])])
        ratio = mine / peer
        reached = "reached" if ratio <= target else "NOT REACHED YET"
        print(f"{name}: {ratio:.3f} (target {target}: {reached}; ceiling {ceiling}), "
              f"{mine / 1e9:.2f} against {peer / 1e9:.2f} thousand million instructions", flush=True)
        self.assertLessEqual(ratio, ceiling)

    def test_cache_against_what_it_includes(self):
        self.gate("cache.hpp", "cascor/cache.hpp", [], foreign_includes("cascor/cache.hpp"), 1.3, 1.49)

    def test_cache_compiled_against_nlohmann(self):
        self.gate("cache.hpp, compiled", "cascor/cache.hpp", ["-DCASCOR_CACHE_COMPILED"], ["nlohmann/json.hpp"],
                  1.1, 1.13)

    def test_memory_cache_against_what_it_includes(self):
        self.gate("memory_cache.hpp", "cascor/memory_cache.hpp", [], foreign_includes("cascor/memory_cache.hpp"),
                  1.2, 1.12)


if __name__ == "__main__":
    unittest.main()
