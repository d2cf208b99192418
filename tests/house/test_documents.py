"""Every ```cpp block of the README and of docs/ compiles, and those with a main run. There is no way to skip one."""

import re
import shutil
import unittest

from support import LIBRARIES, ROOT, compile_cpp, environment, folder, private_redis, run, two_at_a_time

FENCE = re.compile(r"^( *)```cpp[^\n]*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
MAIN = re.compile(r"\bint main\b")
INCLUDES = re.compile(r"^\s*#\s*include[^\n]*\n", re.MULTILINE)


class Block:
    """One fenced block: where it starts, what it says, and the program it stands for."""

    def __init__(self, path, text, match):
        self.line = text.count("\n", 0, match.start()) + 2
        self.name = f"{path.relative_to(ROOT)}:{self.line}"
        self.code = match.group(2)
        self.is_program = bool(MAIN.search(self.code))
        self.where = f'#line {self.line} "{path.relative_to(ROOT)}"\n'

    def program(self):
        if self.is_program:
            return self._ours() + self.where + self.code
        includes = "".join(INCLUDES.findall(self.code))
        body = INCLUDES.sub("\n", self.code)
        return (self._ours() + includes + "using namespace std::chrono_literals;\n"
                "void example(cascor::CacheManager& cache) {\n(void)cache;\n" + self.where + body + "\n}\n")

    def _ours(self):
        """A block that goes on from an earlier one does not say the include again."""
        return "" if "#include <cascor/" in self.code else "#include <cascor/cache.hpp>\n"


def blocks():
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            yield Block(path, text, match)


def compile_block(block):
    """Programs become programs, header-only as a newcomer's first one; fragments are checked only."""
    with folder() as scratch:
        source = scratch / "block.cpp"
        source.write_text(block.program(), encoding="utf-8")
        if not block.is_program:
            return compile_cpp("-DCASCOR_CACHE_COMPILED", "-fsyntax-only", source)
        shutil.copytree(ROOT / "conf", scratch / "conf")
        code, output = compile_cpp("-Wall", "-Wextra", source, "-o", scratch / "block", *LIBRARIES)
        if code:
            return code, output
        with private_redis() as url:
            return run(scratch / "block", cwd=scratch, timeout=60, env=environment(CASCOR_CACHE_REDIS_URL=url))


class Documents(unittest.TestCase):
    def test_blocks(self):
        found = list(blocks())
        self.assertTrue(any(block.is_program for block in found), "the README shows no whole program")
        for block, (code, output) in zip(found, two_at_a_time(compile_block, found)):
            with self.subTest(block.name):
                self.assertEqual(code, 0, output)


if __name__ == "__main__":
    unittest.main()
