"""get_cache_manager() is one object for shared libraries that hide their symbols from each other."""

import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "house"))

from support import CXX, LIBRARIES, compile_cpp, environment, folder, run  # noqa: E402


class ProcessWide(unittest.TestCase):
    def compile(self, *arguments):
        code, output = compile_cpp(*arguments)
        self.assertEqual(code, 0, output)

    def test_two_libraries_share_one_cache(self):
        with folder() as built:
            hidden = ["-fvisibility=hidden", "-fvisibility-inlines-hidden", "-fPIC"]
            self.compile(*hidden, "-c", HERE / "plugin.cpp", "-o", built / "plugin.o")
            plugins = [built / "one.so", built / "other.so"]
            for plugin in plugins:
                self.compile("-shared", built / "plugin.o", "-o", plugin, *LIBRARIES)
            self.compile(HERE / "host.cpp", "-o", built / "host", "-ldl")
            memory = environment(CASCOR_CACHE_TYPE="memory")
            # GCC marks the object as unique in the process, also for libraries that are loaded apart from each other.
            for how in ["global"] if "clang" in CXX else ["global", "local"]:
                with self.subTest(how):
                    code, output = run(built / "host", how, *plugins, env=memory, cwd=built)
                    self.assertEqual(code, 0, output)


if __name__ == "__main__":
    unittest.main()
