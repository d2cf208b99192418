"""The manual page and the completion of cascor-cache name what --help names."""

import pathlib
import re
import shutil
import subprocess
import unittest

from cli_support import run
from support import ROOT, environment

TOOL = ROOT / "tools/cascor-cache"
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def commands():
    """The commands, and the options of each, by --help."""
    listed = run("--help").out.split("Subcommands:")[1]
    return {name: set(OPTION.findall(run(name, "--help").out)) for name in re.findall(r"(?m)^  (\w+) ", listed)}


class Manual(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.page = (TOOL / "cascor-cache.1").read_text(encoding="utf-8")
        cls.commands = commands()
        cls.common = set(OPTION.findall(run("--help").out))
        # A command's part of the page: from its .TP to that of the next command.
        body = cls.page.replace("\\-", "-").split(".SH COMMANDS")[1].split(".SH ")[0]
        cls.parts = {}
        depth, name = 0, None
        for line in body.splitlines():
            depth += {".RS": 1, ".RE": -1}.get(line, 0)
            head = re.match(r"\.[BIR]+ \"?(\w+)", line)
            if head and depth == 0 and head[1] in cls.commands and head[1] not in cls.parts:
                name = head[1]
                cls.parts[name] = ""
            if name:
                cls.parts[name] += line + "\n"

    def test_there_are_commands(self):
        self.assertGreaterEqual(set(self.commands), {"get", "set", "stats", "monitor", "export"})

    def test_the_page_has_each_command_and_option_and_no_other(self):
        self.assertEqual(sorted(self.parts), sorted(self.commands))
        for name, options in self.commands.items():
            with self.subTest(name):
                self.assertEqual(set(OPTION.findall(self.parts[name])) - {"--json"}, options - {"--help"})
        general = self.page.replace("\\-", "-").split(".SH OPTIONS")[1].split(".SH COMMANDS")[0]
        self.assertEqual(set(OPTION.findall(general)) - {"--watch"}, self.common)

    def test_the_page_has_no_mistake(self):
        if not shutil.which("man"):
            self.skipTest("no man")
        done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(TOOL / "cascor-cache.1")],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, env=environment())
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_every_exit_code_is_on_the_page(self):
        codes = re.findall(r"= (\d+)", (TOOL / "exit_codes.hpp").read_text(encoding="utf-8"))
        listed = re.findall(r"(?m)^\.B (\d+)$", self.page.split(".SH EXIT STATUS")[1])
        self.assertEqual(listed, sorted({*codes} - {"128"}) + ["130"])

    def completed(self, *words):
        """What bash offers for the last of these words."""
        script = f"""source {TOOL / "completion.bash"}
COMP_WORDS=(cascor-cache "$@"); COMP_CWORD=$#; _cascor_cache; printf '%s\\n' "${{COMPREPLY[@]}}" """
        done = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, check=True, encoding="utf-8",
                              cwd=TOOL)
        self.assertEqual(done.stderr, "")
        return set(done.stdout.split())

    def test_completion_offers_each_command_and_option_and_no_other(self):
        self.assertEqual(self.completed(""), set(self.commands))
        self.assertEqual(self.completed("--"), self.common)
        for name, options in self.commands.items():
            with self.subTest(name):
                self.assertEqual(self.completed(name, "--"), options | (self.common - {"--version"}))
                self.assertEqual(self.completed("--url", "get", name, "--"), options | (self.common - {"--version"}))
        self.assertEqual(self.completed("se"), {"set", "sessions"})

    def test_completion_offers_files_where_a_file_is_wanted_and_nothing_where_a_value_is(self):
        here = {path.name for path in pathlib.Path(TOOL).iterdir()}
        self.assertEqual(self.completed("--config", ""), here)
        self.assertEqual(self.completed("import", ""), here)
        self.assertEqual(self.completed("export", "run-1", ""), here)
        for words in (("export", ""), ("get", ""), ("set", "a", "--ttl", ""), ("--url", "")):
            with self.subTest(words):
                self.assertEqual(self.completed(*words), set())
        # Each option that takes a value is known as such: the word behind it is not taken for the command.
        for name, options in self.commands.items():
            takes = set(re.findall(r"(--[a-z-]+) [A-Z]", run(name, "--help").out))
            for option in takes & options:
                with self.subTest((name, option)):
                    self.assertEqual(self.completed(name, option, ""), set())


if __name__ == "__main__":
    unittest.main()
