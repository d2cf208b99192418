#!/usr/bin/env python3
"""Breaks the library on purpose, one promise at a time, and sees that its tests fail: tests/mutations/promises.py.

Works on a copy of the sources in build/mutations, whose tests must pass as they are. A part of `./check --long`.
usage: run.py [NUMBER …]: only the mutations of these promises
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from promises import MUTATIONS

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "build" / "mutations"
TREE = PLACE / "tree"
BUILD = PLACE / "build"
PATIENCE = 120  # seconds a test: a mutant may hang
PROGRAMS = ("unit_tests", "server_tests")


def quietly(*command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **more)


def copy_sources():
    """Only what differs is written, so that a second run builds little."""
    names = quietly("git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout
    for name in filter(None, names.split("\0")):
        source, target = ROOT / name, TREE / name
        if not source.is_file():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != source.read_bytes():
            shutil.copy(source, target)


def test_files(names):
    """The files that hold these test cases, as an expression for CASCOR_CACHE_TEST_FILES."""
    found = set()
    for source in (TREE / "tests").glob("*_test.cpp"):
        text = source.read_text(encoding="utf-8")
        if any(f'TEST_CASE("{name}"' in text for name in names):
            found.add(source.stem)
    return "|".join(sorted(found))


def program_of(name):
    for source in (TREE / "tests").glob("*_test.cpp"):
        if f'TEST_CASE("{name}"' in source.read_text(encoding="utf-8"):
            return PROGRAMS[source.name.startswith(("redis_", "facade_"))]
    return None


def passes(name):
    exact = re.sub(r"([\\,\[])", r"\\\1", name)  # what is special in Catch2's test specifications
    try:
        ended = quietly(str(BUILD / "tests" / program_of(name)), exact, timeout=PATIENCE, start_new_session=True)
    except subprocess.TimeoutExpired:
        return False
    if "No test cases matched" in ended.stdout:
        sys.exit(f"no such test: {name}")
    return ended.returncode == 0


def build():
    ended = quietly("cmake", "--build", str(BUILD), "--target", *PROGRAMS)
    return ended.stdout if ended.returncode != 0 else None


def main():
    wanted = {int(number) for number in sys.argv[1:]}
    chosen = [one for one in MUTATIONS if not wanted or one.promise in wanted]
    copy_sources()
    tests = sorted({name for one in chosen for name in one.tests})
    unknown = [name for name in tests if program_of(name) is None]
    if unknown:
        sys.exit("no such test: " + "; ".join(unknown))
    configured = quietly("cmake", "--preset", "dev", "-G", "Ninja", "-S", str(TREE), "-B", str(BUILD),
                         "-DCASCOR_CACHE_BUILD_EXAMPLES=OFF", "-DCASCOR_CACHE_BUILD_BENCHMARKS=OFF",
                         "-DCASCOR_CACHE_BUILD_TOOLS=OFF", "-DCASCOR_CACHE_WERROR=OFF",
                         f"-DCASCOR_CACHE_TEST_FILES={test_files(tests)}", cwd=TREE)
    if configured.returncode != 0:
        sys.exit(configured.stdout)
    if words := build():
        sys.exit(words)
    good = bad = 0
    for name in tests:
        if not passes(name):
            sys.exit(f"fails without a mutation: {name}")
    for one in chosen:
        path = TREE / one.path
        text = path.read_text(encoding="utf-8")
        if text.count(one.before) != 1:
            print(f"promise {one.promise}: STALE, its text is in {one.path} {text.count(one.before)} times: {one.does}")
            bad += 1
            continue
        path.write_text(text.replace(one.before, one.after), encoding="utf-8")
        try:
            words = build()
            unseen = [] if words else [name for name in one.tests if passes(name)]
        finally:
            path.write_text(text, encoding="utf-8")
        if words:
            print(f"promise {one.promise}: DOES NOT BUILD: {one.does}\n{words[-2000:]}")
        elif unseen:
            print(f"promise {one.promise}: NOT SEEN by {unseen}: the mutant {one.does}")
        else:
            print(f"promise {one.promise}: seen: the mutant {one.does}")
        sys.stdout.flush()
        good, bad = (good, bad + 1) if words or unseen else (good + 1, bad)
    print(f"{good} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    os.environ.setdefault("CTEST_OUTPUT_ON_FAILURE", "1")
    sys.exit(main())
