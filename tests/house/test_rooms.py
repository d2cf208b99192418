"""The rooms of include/cascor and the direction of the arrows between them: ARCHITECTURE.md."""

import re
import unittest

from support import INCLUDE, ROOT, headers

FIVE_ROOMS = {"core", "config", "codec", "memory", "redis"}
MAY_INCLUDE = {
    "core": {"core"},
    "config": {"core", "config"},
    "codec": {"core", "codec"},
    "memory": {"core", "memory"},
    "redis": {"core", "redis"},
    "cache": FIVE_ROOMS | {"cache"},
    "training": FIVE_ROOMS | {"cache", "training"},
    # The files beside the rooms.
    "version.hpp": set(),
    "memory_cache.hpp": {"core", "memory"},
    "cache.hpp": FIVE_ROOMS | {"cache", "training", "memory_cache.hpp"},
    "prometheus.hpp": FIVE_ROOMS | {"cache", "training", "cache.hpp"},
    "spdlog.hpp": {"core"},
}
THIRD_PARTY = {"hiredis", "openssl", "nlohmann", "yaml-cpp", "simdjson", "prometheus", "spdlog"}
SYSTEM_FOLDERS = {"sys", "net", "netinet", "arpa", "linux"}
INCLUDE_LINE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
CODE_FOLDERS = ("include", "tests", "examples", "benchmarks", "tools")
CODE_SUFFIXES = {".hpp", ".ipp", ".cpp", ".h", ".c", ".py", ".sh"}


def room_of(header):
    """`core` for cascor/core/ttl.hpp; the file's own name for one beside the rooms."""
    return header.split("/")[1]


def includes_of(header):
    """The quoted and the angled includes of a file, as they are written."""
    found = INCLUDE_LINE.findall((INCLUDE / header).read_text(encoding="utf-8"))
    return [quoted for quoted, _ in found if quoted], [angled for _, angled in found if angled]


class Rooms(unittest.TestCase):
    def test_every_file_is_in_a_known_room(self):
        self.assertGreater(len(headers()), 0)
        for header in headers():
            with self.subTest(header):
                self.assertIn(room_of(header), MAY_INCLUDE)

    def test_arrows_point_one_way(self):
        for header in headers():
            allowed = MAY_INCLUDE.get(room_of(header), set()) | {"version.hpp"}
            for target in includes_of(header)[0]:
                with self.subTest(f"{header} includes {target}"):
                    self.assertIn(room_of(target), allowed)

    def test_own_headers_are_included_from_the_root_with_quotes(self):
        for header in headers():
            quoted, angled = includes_of(header)
            for target in quoted:
                with self.subTest(f"{header} includes {target}"):
                    self.assertTrue((INCLUDE / target).is_file(), "no such file under include/")
            for target in angled:
                with self.subTest(f"{header} includes {target}"):
                    self.assertFalse(target.startswith("cascor/"))

    def test_each_library_is_known_to_one_file(self):
        users = {library: set() for library in THIRD_PARTY}
        for header in headers():
            for target in includes_of(header)[1]:
                first = target.removesuffix(".h").split("/")[0]
                if first in SYSTEM_FOLDERS or ("/" not in target and first not in THIRD_PARTY):
                    continue
                with self.subTest(f"{header} includes {target}"):
                    self.assertIn(first, THIRD_PARTY)
                users.get(first, set()).add(header)
        for library, files in users.items():
            with self.subTest(library):
                self.assertLessEqual(len(files), 1, sorted(files))

    def test_an_implementation_has_its_header_which_ends_with_it(self):
        for implementation in (name for name in headers() if name.endswith(".ipp")):
            ending = f'#if !defined(CASCOR_CACHE_COMPILED)\n#include "{implementation}"\n#endif\n'
            header = INCLUDE / implementation.replace(".ipp", ".hpp")
            with self.subTest(implementation):
                self.assertTrue(header.read_text(encoding="utf-8").endswith(ending))


class Files(unittest.TestCase):
    def test_none_is_over_600_lines(self):
        for path in (path for name in CODE_FOLDERS for path in (ROOT / name).rglob("*")):
            if path.is_file() and path.suffix in CODE_SUFFIXES:
                with self.subTest(path.relative_to(ROOT).as_posix()):
                    self.assertLessEqual(len(path.read_text(encoding="utf-8").splitlines()), 600)

    def test_the_library_sends_nothing_that_reaches_outside_its_namespace(self):
        for header in headers():
            with self.subTest(header):
                text = (INCLUDE / header).read_text(encoding="utf-8")
                self.assertIsNone(re.search(r'"(FLUSHALL|FLUSHDB|KEYS|CONFIG)"', text))

    def test_the_version_agrees_with_itself(self):
        text = (INCLUDE / "cascor/version.hpp").read_text(encoding="utf-8")
        major, minor, patch = (re.search(rf"VERSION_{part} (\d+)", text)[1] for part in ("MAJOR", "MINOR", "PATCH"))
        self.assertIn(f'VERSION_STRING "{major}.{minor}.{patch}"', text)
        self.assertEqual(re.findall(r"define CASCOR_CACHE_ABI (\w+)", text),
                         [f"v{major}_{minor}_tls", f"v{major}_{minor}_plain"])


if __name__ == "__main__":
    unittest.main()
