"""How the headers meet the linker: twice in one program, in both forms, with and without TLS, and the memory cache alone."""

import re
import unittest

from support import COMPILED_LIBRARY, LIBRARIES, WARNINGS, compile_cpp, compiled_libraries, folder, run, two_at_a_time

EVERYTHING = "#include <cascor/cache.hpp>\n#include <cascor/memory_cache.hpp>\n"
# One unit makes the manager, the other one uses it, so that what is inline has to be the same in both.
MAIN_UNIT = EVERYTHING + """
bool remembers(cascor::CacheManager& cache);
int main() {
  cascor::CacheConfig config;
  config.type = cascor::CacheType::memory;
  cascor::CacheManager cache{config};
  cache.set("key", {{"epoch", 5}});
  return remembers(cache) ? 0 : 1;
}
"""
OTHER_UNIT = EVERYTHING + """
bool remembers(cascor::CacheManager& cache) {
  const auto found = cache.get("key");
  return found && found->value("epoch", 0) == 5;
}
"""
MEMORY_ALONE = """
#include <cascor/memory_cache.hpp>
#include <string>
int main() {
  using namespace std::chrono_literals;
  cascor::MemoryCache<std::string> cache{{.max_bytes = 1 << 20, .default_ttl = 1h}};
  cache.set("key", "value", 5s);
  const auto hit = cache.get("key");
  return hit && *hit == "value" ? 0 : 1;
}
"""
ALLOWED_ALONE = {"core", "memory", "memory_cache.hpp", "version.hpp"}
FOREIGN = re.compile(r"/(hiredis|yaml-cpp|nlohmann|openssl|simdjson|spdlog|prometheus|boost|fmt)(?:/|\.h$)")


class Linking(unittest.TestCase):
    def setUp(self):
        entered = folder()
        self.folder = entered.__enter__()
        self.addCleanup(entered.__exit__, None, None, None)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def succeed(self, result):
        self.assertEqual(result[0], 0, result[1])
        return result[1]

    def link_two_units(self, *options, libraries=LIBRARIES):
        sources = [self.write("main.cpp", MAIN_UNIT), self.write("other.cpp", OTHER_UNIT)]
        for result in two_at_a_time(lambda source: compile_cpp(
                *WARNINGS, *options, "-c", source, "-o", source.with_suffix(".o")), sources):
            self.succeed(result)
        program = self.folder / "program"
        objects = [source.with_suffix(".o") for source in sources]
        self.succeed(compile_cpp(*objects, "-o", program, *libraries))
        self.succeed(run(program, cwd=self.folder))

    def test_two_units_link_header_only(self):
        self.link_two_units()

    def test_two_units_link_with_the_compiled_library(self):
        self.assertTrue(COMPILED_LIBRARY.is_file(), f"{COMPILED_LIBRARY} is not built")
        self.link_two_units("-DCASCOR_CACHE_COMPILED", libraries=compiled_libraries())

    def test_the_namespace_says_whether_tls_was_compiled_in(self):
        source = self.write("unit.cpp", "#include <cascor/cache.hpp>\nvoid use(cascor::CacheManager&) {}\n")

        def symbols(options):
            unit = self.folder / f"unit{len(options)}.o"
            self.succeed(compile_cpp("-DCASCOR_CACHE_COMPILED", *options, "-c", source, "-o", unit))
            return self.succeed(run("nm", "--demangle", unit))

        with_tls, without = two_at_a_time(symbols, [[], ["-DCASCOR_CACHE_NO_TLS"]])
        self.assertRegex(with_tls, r"use\(cascor::v\w+_tls::")
        self.assertRegex(without, r"use\(cascor::v\w+_plain::")

    def test_including_everything_emits_no_code(self):
        # A class with virtual functions that is no template makes every unit emit its vtable and all that it reaches: a
        # template is made only where it is used.
        source, unit = self.write("unit.cpp", EVERYTHING), self.folder / "unit.o"
        self.succeed(compile_cpp("-c", source, "-o", unit))
        symbols = self.succeed(run("nm", "--demangle", "--defined-only", unit)).splitlines()
        self.assertEqual([line for line in symbols if re.search(r" [TWV] .*cascor::", line)][:20], [])

    def files_read(self, header, *options):
        source = self.write("unit.cpp", f"#include <{header}>\n")
        return self.succeed(compile_cpp(*options, "-M", source)).replace("\\\n", " ").split()

    def test_with_the_compiled_library_only_nlohmann_is_read(self):
        # Whatever the library itself was compiled with.
        read = self.files_read("cascor/cache.hpp", "-DCASCOR_CACHE_COMPILED", "-DCASCOR_CACHE_SIMDJSON")
        self.assertEqual({match[1] for path in read if (match := FOREIGN.search(path))}, {"nlohmann"})

    def test_the_memory_cache_reads_no_foreign_header(self):
        read = self.files_read("cascor/memory_cache.hpp")
        self.assertEqual([path for path in read if FOREIGN.search(path)], [])
        own = {path.split("/include/cascor/")[1].split("/")[0] for path in read if "/include/cascor/" in path}
        self.assertIn("memory_cache.hpp", own)
        self.assertLessEqual(own, ALLOWED_ALONE)

    def test_a_program_of_the_memory_cache_links_nothing(self):
        source = self.write("alone.cpp", MEMORY_ALONE)
        for name, options in (("plain", []), ("no-rtti", ["-fno-rtti"])):
            with self.subTest(name):
                program = self.folder / name
                self.succeed(compile_cpp(*WARNINGS, *options, source, "-o", program))
                self.succeed(run(program))


if __name__ == "__main__":
    unittest.main()
