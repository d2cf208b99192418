"""Projects that use the library as others will: installed, as a subdirectory, through pkg-config, the memory cache alone."""

import os
import pathlib
import re
import shutil
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "house"))

from support import BUILD, CXX, INCLUDE, ROOT, environment, run  # noqa: E402

WORK = BUILD / "consumer"
PREFIX = WORK / "prefix"
CXX_RUNTIME = {"libstdc++.so.6", "libm.so.6", "libgcc_s.so.1", "libc.so.6"}


def version():
    text = (INCLUDE / "cascor/version.hpp").read_text(encoding="utf-8")
    return [int(re.search(rf"VERSION_{part} (\d+)", text)[1]) for part in ("MAJOR", "MINOR", "PATCH")]


class Consumer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(PREFIX, ignore_errors=True)
        code, output = run("cmake", "--install", BUILD, "--prefix", PREFIX)
        if code:
            raise RuntimeError(output)

    def succeed(self, *command, **options):
        code, output = run(*command, **options)
        self.assertEqual(code, 0, output)
        return output

    def configure(self, project, *definitions, folder=None):
        launcher = {"CMAKE_CXX_COMPILER_LAUNCHER": "ccache"} if shutil.which("ccache") else {}
        return run("cmake", "--fresh", "-S", HERE / project, "-B", WORK / (folder or project),
                   f"-DCMAKE_CXX_COMPILER={CXX}", f"-DCMAKE_PREFIX_PATH={PREFIX}", *definitions,
                   env=environment(**launcher))

    def build(self, project, *definitions):
        code, output = self.configure(project, *definitions)
        self.assertEqual(code, 0, output)
        self.succeed("cmake", "--build", WORK / project, "--parallel", 2)

    def test_find_package(self):
        self.build("installed")
        self.succeed(WORK / "installed/header_only")
        self.succeed(WORK / "installed/compiled")

    def test_add_subdirectory(self):
        self.build("subdirectory", f"-DCASCOR_ROOT={ROOT}")
        self.succeed(WORK / "subdirectory/header_only")

    def test_memory_cache_alone_links_nothing(self):
        self.build("memory_alone")
        program = WORK / "memory_alone/memory_alone"
        self.succeed(program)
        needed = set(re.findall(r"NEEDED.*\[(.+)\]", self.succeed("readelf", "--dynamic", program)))
        self.assertLessEqual(needed, CXX_RUNTIME)

    def test_pkg_config(self):
        [folder] = {path.parent for path in PREFIX.rglob("cascor-cache.pc")}
        with_package = environment(PKG_CONFIG_PATH=str(folder))
        major, minor, patch = version()
        self.assertEqual(self.succeed("pkg-config", "--modversion", "cascor-cache", env=with_package).strip(),
                         f"{major}.{minor}.{patch}")
        flags = self.succeed("pkg-config", "--cflags", "--libs", "cascor-cache", env=with_package).split()
        self.assertIn(str(PREFIX / "include"), [os.path.normpath(flag[2:]) for flag in flags if flag.startswith("-I")])
        program = WORK / "pkg_config"
        self.succeed(CXX, "-std=c++20", HERE / "main.cpp", HERE / "remembers.cpp", "-o", program, *flags)
        self.succeed(program)

    def install(self, name, *definitions):
        """Another installation, without the compiled library; its prefix."""
        prefix = WORK / f"prefix-{name}"
        shutil.rmtree(prefix, ignore_errors=True)
        self.succeed("cmake", "--fresh", "-S", ROOT, "-B", WORK / f"build-{name}", f"-DCMAKE_CXX_COMPILER={CXX}",
                     *(f"-DCASCOR_CACHE_BUILD_{part}=OFF" for part in ("COMPILED", "TESTS", "EXAMPLES", "BENCHMARKS", "TOOLS")),
                     *definitions)
        self.succeed("cmake", "--install", WORK / f"build-{name}", "--prefix", prefix)
        return prefix

    @unittest.skipUnless(run("pkg-config", "--exists", "simdjson")[0] == 0, "simdjson is not installed")
    def test_header_only_programs_have_simdjson_where_the_package_was_made_so(self):
        [folder] = {path.parent for path in self.install("simdjson", "-DCASCOR_CACHE_SIMDJSON=ON").rglob("*.pc")}
        flags = self.succeed("pkg-config", "--cflags", "--libs", "cascor-cache",
                             env=environment(PKG_CONFIG_PATH=str(folder))).split()
        program = WORK / "with_simdjson"
        self.succeed(CXX, "-std=c++20", HERE / "with_simdjson.cpp", "-o", program, *flags)
        self.succeed(program)

    def test_a_package_without_simdjson_does_not_ask_for_it(self):
        prefix = self.install("plain", "-DCASCOR_CACHE_SIMDJSON=OFF")
        code, output = self.configure("version", "-DWANTED=", "-DCMAKE_DISABLE_FIND_PACKAGE_simdjson=ON",
                                      f"-DCMAKE_PREFIX_PATH={prefix}", folder="without_simdjson")
        self.assertEqual(code, 0, output)

    def test_versions_that_fit(self):
        major, minor, patch = version()
        for wanted in (f"{major}.{minor}", f"{major}.{minor}.{patch}"):
            with self.subTest(wanted):
                code, output = self.configure("version", f"-DWANTED={wanted}", folder="version")
                self.assertEqual(code, 0, output)

    def test_versions_that_do_not_fit(self):
        major, minor, patch = version()
        for wanted in ("9.9", f"{major}.{minor + 1}", f"{major + 1}.0", f"{major}.{minor}.{patch + 1}"):
            with self.subTest(wanted):
                code, output = self.configure("version", f"-DWANTED={wanted}", folder="version")
                self.assertNotEqual(code, 0)
                self.assertIn("were considered but not accepted", re.sub(r"\s+", " ", output))


if __name__ == "__main__":
    unittest.main()
