"""docs/reliability.md names test cases that are there, and tests/mutations breaks every promise it makes."""

import re
import sys
import unittest

from support import ROOT

sys.path.insert(0, str(ROOT / "tests/mutations"))
from promises import MUTATIONS

QUOTED = re.compile(r'"([^"]+)"')


class Promises(unittest.TestCase):
    def setUp(self):
        text = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
        self.sections = {int(part.split(".", 1)[0]): part for part in text.split("\n## ")[1:]}
        self.tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("*_test.cpp"))

    def test_named_tests_exist(self):
        for number, section in self.sections.items():
            for line in section.splitlines():
                if line.startswith("- "):
                    for name in QUOTED.findall(line):
                        if name != "under TLS":
                            self.assertIn(f'TEST_CASE("{name}"', self.tests, f"promise {number}")

    def test_each_promise_is_broken_once(self):
        self.assertEqual({one.promise for one in MUTATIONS}, set(self.sections))

    def test_mutations_are_of_this_code_and_their_tests_are_named(self):
        for one in MUTATIONS:
            source = (ROOT / one.path).read_text(encoding="utf-8")
            self.assertEqual(source.count(one.before), 1, f"{one.path}: {one.does}")
            for name in one.tests:
                self.assertIn(f'TEST_CASE("{name}"', self.tests)
            self.assertIn("Mutant", self.sections[one.promise])


if __name__ == "__main__":
    unittest.main()
