"""docs/redis.md tells every error: each text in its tables is in the code, and each error that the code knows is there."""

import re
import unittest

from support import INCLUDE, ROOT

SERVER_ERRORS = INCLUDE / "cascor/redis/server_error.ipp"
CODE = re.compile(r"`([^`]+)`")
# What differs from time to time, and what the code puts together.
VARIES = re.compile(r"…|^Timeout |Redis on ")
# The system's own words for an error of a socket or a name.
SYSTEMS_WORDS = {"Connection refused", "Permission denied", "No such file or directory", "Connection reset by peer",
                 "Resource temporarily unavailable", "Broken pipe", "Name or service not known"}


def section(title):
    text = (ROOT / "docs/redis.md").read_text(encoding="utf-8")
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def first_cells(text):
    """What is in code in the first column of the tables."""
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    return [error for row in rows for error in CODE.findall(row.split("|")[1])]


class ErrorsDocument(unittest.TestCase):
    def setUp(self):
        self.connections, self.server = section("Every error").split("\nWhat the server says itself:", 1)

    def test_every_text_is_in_the_code(self):
        code = "".join(path.read_text(encoding="utf-8") for path in sorted((INCLUDE / "cascor/redis").glob("*.[hi]pp")))
        code = re.sub(r'"\s*\n\s*"', "", code)  # literals that go on in the next line
        errors = first_cells(self.connections)
        self.assertGreater(len(errors), 10)
        for error in errors:
            for part in VARIES.split(error):
                words = part.strip(" :.")
                if words and words not in SYSTEMS_WORDS:
                    with self.subTest(error):
                        self.assertTrue(words in code, f"no text of include/cascor/redis says: {words}")

    def test_every_error_that_the_code_knows_is_told(self):
        known = re.findall(r'KnownError\{\s*"([^"]+)"', SERVER_ERRORS.read_text(encoding="utf-8"))
        self.assertGreater(len(known), 15)
        told = first_cells(self.server)
        for words in known:
            with self.subTest(words):
                self.assertIn(words, told)


if __name__ == "__main__":
    unittest.main()
