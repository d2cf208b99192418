"""docs/operations.md names metrics, commands, options and links that there are."""

import re
import unittest

from support import INCLUDE, ROOT

TEXT = (ROOT / "docs/operations.md").read_text(encoding="utf-8")


class Operations(unittest.TestCase):
    def test_metrics_are_exposed(self):
        source = (INCLUDE / "cascor/prometheus.hpp").read_text(encoding="utf-8")
        exposed = {f"cascor_cache_{name}" for name in re.findall(r'"([a-z_]+)"', source)}
        named = set(re.findall(r"\bcascor_cache_[a-z_]+", TEXT))
        self.assertGreater(len(named), 8)
        self.assertEqual(named - exposed, set())

    def test_commands_and_options_are_in_the_manual_page(self):
        manual = (ROOT / "tools/cascor-cache/cascor-cache.1").read_text(encoding="utf-8").replace("\\-", "-")
        named = re.findall(r"cascor-cache ([a-z]+)((?: --[a-z]+)*)", re.sub(r"cascor-cache doctor: ", "", TEXT))
        self.assertGreater(len(named), 8)
        for command, options in named:
            for word in [command, *options.split()]:
                with self.subTest(word):
                    self.assertRegex(manual, rf"(?m)^\.B.*{re.escape(word)}\b")

    def test_links_lead_somewhere(self):
        headings = {}
        for path in (ROOT / "docs").glob("*.md"):
            found = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            headings[path.name] = {re.sub(r"[^a-z0-9 -]", "", line.lower()).replace(" ", "-") for line in found}
        for file, anchor in re.findall(r"\]\(([a-z-]*\.?[a-z]*)#?([a-z-]*)\)", TEXT):
            with self.subTest(f"{file}#{anchor}"):
                self.assertIn(file or "operations.md", headings)
                if anchor:
                    self.assertIn(anchor, headings[file or "operations.md"])


if __name__ == "__main__":
    unittest.main()
