"""cascor-cache at a real terminal (tmux): colours, widths, progress, questions, Ctrl-C."""

import pathlib
import re
import socket
import time
import unittest

from cli_support import PROGRAM, journal, run, server, terminal
from support import folder

COLOUR = "\x1b["


class Terminal(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.redis = cls.enterClassContext(server())
        cls.client = cls.redis.client(decode_responses=True)
        cls.wide = cls.enterClassContext(terminal(80, 40))
        cls.narrow = cls.enterClassContext(terminal(40, 90))
        cls.data = pathlib.Path(cls.enterClassContext(folder()))

    def setUp(self):
        self.client.client_unpause()
        self.client.flushall()
        for screen in (self.wide, self.narrow):
            screen.clear()

    def started(self, screen, *words):
        screen.type("--url", self.redis.url, *words)

    def slowed_import(self, screen):
        """An import that has half of its records there, and is held up; its file."""
        half, whole = journal(self.data / "half.jsonl", 1000), journal(self.data / "run.jsonl", 2000)
        self.assertEqual(run("import", half, "--run", "run", url=self.redis.url).code, 0)
        self.client.client_pause(20_000, all=False)  # writes wait, what is read is answered
        self.started(screen, "import", whole)

    def test_a_long_work_shows_how_far_it_is_and_leaves_nothing_of_that(self):
        for screen, columns in ((self.wide, 80), (self.narrow, 40)):
            with self.subTest(columns=columns):
                self.setUp()
                self.slowed_import(screen)
                shown = screen.wait_for(lambda now: " 50 %" in now)
                bar = [row for row in shown.split("\n") if " 50 %" in row]
                self.assertEqual(len(bar), 1, shown)
                self.assertRegex(bar[0], r"^Importing run.*\[#+\.+\]  50 %")
                self.assertEqual(shown.split("\n")[-1], bar[0])  # it has not wrapped
                self.assertFalse(screen.cursor_shown)
                self.client.client_unpause()
                shown = screen.wait_for(lambda now: "Imported 2,000" in now)
                self.assertNotIn("50 %", shown)
                self.assertEqual(screen.exit_code(), 0)
                self.assertTrue(screen.cursor_shown)

    def test_ctrl_c_ends_a_long_work_at_once_and_it_can_be_repeated(self):
        self.slowed_import(self.wide)
        self.wide.wait_for(lambda now: " 50 %" in now)
        self.wide.press("C-c")
        self.assertEqual(self.wide.exit_code(), 130)
        self.assertNotIn("50 %", self.wide.screen())
        self.assertTrue(self.wide.cursor_shown)
        self.client.client_unpause()
        self.assertEqual(run("import", self.data / "run.jsonl", url=self.redis.url).code, 0)
        self.assertEqual(self.client.xlen("cascor:run:run:history"), 2000)

    def test_ctrl_c_does_not_wait_for_a_server_that_says_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            began = time.monotonic()
            self.wide.type("--url", f"redis://127.0.0.1:{silent.getsockname()[1]}", "get", "a")
            connection, _ = silent.accept()
            self.wide.press("C-c")
            self.assertEqual(self.wide.exit_code(), 130)
            self.assertLess(time.monotonic() - began, 60)
            connection.close()

    def test_nothing_wraps_in_a_narrow_window(self):
        self.client.set("cascor:metrics:a", '{"loss": 0.5}')
        self.client.xadd("cascor:run:a-run-of-a-rather-long-name:history",
                         {"seq": 1, "epoch": 1, "record": '{"epoch":1,"phase":"output","timestamp":"2026"}'}, "1-1")
        self.client.zadd("cascor:runs", {"a-run-of-a-rather-long-name": 1})
        for words in (("stats",), ("runs",), ("get", "metrics:a"), ("ttl", "nothing"), ("clear", "--yes"),
                      ("--help",), ("set", "--help")):
            with self.subTest(words):
                self.narrow.clear()
                self.started(self.narrow, *words)
                self.narrow.wait_for(lambda now: now.endswith(self.narrow.PROMPT) and now.count(self.narrow.PROMPT) == 2)
                as_shown, joined = self.narrow.screen(), self.narrow.screen("-J")
                typed = as_shown.count("\n") - joined.count("\n")  # only the line that was typed has wrapped
                first = joined.split("\n")[0]
                self.assertEqual(typed, (len(first) - 1) // 40)

    def test_colours_are_for_a_terminal_that_has_them(self):
        def colours_of(screen, line):
            screen.send(line)
            screen.wait_for(lambda now: now.count(screen.PROMPT) == 2 and now.endswith(screen.PROMPT))
            rows = screen.tmux("capture-pane", "-p", "-e").split("\n")
            return any(COLOUR in row for row in rows)

        command = f"{PROGRAM} --url {self.redis.url} stats"
        for line, wanted in ((command, True), (f"NO_COLOR=1 {command}", False), (f"NO_COLOR= {command}", True),
                             (f"TERM=dumb {command}", False), (f"{command} 2>&1 | cat", False)):
            with self.subTest(line):
                self.wide.clear()
                self.assertEqual(colours_of(self.wide, line), wanted)

    def test_clear_asks(self):
        for answer, code, left in (("n", 4, 1), ("", 4, 1), ("y", 0, 0)):
            with self.subTest(answer):
                self.setUp()
                self.client.set("cascor:a", "1")
                self.started(self.wide, "clear")
                self.wide.wait_for(lambda now: "[y/N]" in now)
                self.wide.send(answer)
                self.assertEqual(self.wide.exit_code(), code)
                self.assertEqual(self.client.exists("cascor:a"), left)

    def test_watching_redraws_in_place_at_any_width(self):
        self.client.set("cascor:metrics:a", "1")
        self.started(self.wide, "stats", "--watch", "0.2")
        self.wide.wait_for(lambda now: re.search(r"^metrics +1 ", now, re.MULTILINE))
        for i in range(5):
            self.client.set(f"cascor:metrics:{i}", "1")
        shown = self.wide.wait_for(lambda now: re.search(r"^metrics +6 ", now, re.MULTILINE))
        self.assertEqual(len(re.findall("^metrics", shown, re.MULTILINE)), 1)
        self.assertIn("hit rate now", shown)
        self.wide.resize(40, 12)
        self.addCleanup(self.wide.resize, 80, 40)
        self.wide.wait_for(lambda now: now.startswith("redis://") and now.count("\n") == 11)
        self.assertEqual(self.wide.screen(), self.wide.screen("-J"))
        self.wide.resize(80, 40)
        self.wide.press("C-c")
        self.assertEqual(self.wide.exit_code(), 130)
        self.assertTrue(self.wide.cursor_shown)
        self.assertRegex(self.wide.screen(), r"(?m)^metrics +6 ")  # what was seen last stays

    def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(self):
        self.started(self.wide, "stats", "--watch", "3600")
        self.wide.wait_for(lambda now: re.search(r"^metrics +0 ", now, re.MULTILINE))
        self.wide.press("C-z")
        self.wide.wait_for(lambda now: now.endswith(self.wide.PROMPT))
        self.assertTrue(self.wide.cursor_shown)
        self.wide.send("fg")
        self.wide.wait_for(lambda now: now.startswith("redis://") and "metrics" in now)
        self.assertFalse(self.wide.cursor_shown)
        self.wide.press("C-c")
        self.assertEqual(self.wide.exit_code(), 130)
        self.assertTrue(self.wide.cursor_shown)

    def test_watching_tells_of_a_server_that_is_lost_and_comes_back(self):
        with server() as own:
            self.wide.type("--url", own.url, "stats", "--watch", "0.2")
            self.wide.wait_for(lambda now: "  UP" in now)
            own.kill()
            self.wide.wait_for(lambda now: "  DOWN" in now)
            own.start()
            self.wide.wait_for(lambda now: "  UP" in now)
            self.wide.press("C-c")
            self.assertEqual(self.wide.exit_code(), 130)

    def test_monitor_cuts_lines_and_ctrl_c_ends_it(self):
        self.started(self.narrow, "monitor")
        self.narrow.wait_for(lambda now: "to changes" in now)
        self.client.publish("cascor:training", '{"type":"epoch","data":"' + 100 * "x" + '"}')
        self.client.set("cascor:metrics:\x1b]0;owned\x07a", "1")
        shown = self.narrow.wait_for(lambda now: "cascor:training" in now and "changed" in now)
        self.assertRegex(shown, r"(?m)^\d\d:\d\d:\d\d\.\d{3} message   cascor:training.*…$")
        self.assertNotEqual(self.narrow.tmux("display-message", "-p", "#{pane_title}").strip(), "owned")
        self.narrow.press("C-c")
        self.assertEqual(self.narrow.exit_code(), 130)
        self.assertTrue(self.narrow.cursor_shown)


if __name__ == "__main__":
    unittest.main()
