"""Canopy's page in a real browser: it shows a run as it goes, obeys, and stays true while Redis and the server go and return.

Screenshots are kept in the build's folder `screenshots`.
"""

import contextlib
import pathlib
import sys
import unittest

from webdriver import ENTER, TAB, browser, wait_for

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "http"))

from canopy import BUILD, Canopy, Redis  # noqa: E402
from support import folder  # noqa: E402

SCREENSHOTS = BUILD / "screenshots"
SOURCES = ("loss", "accuracy", "network", "boundary")


class Dashboard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        cls.folder = stack.enter_context(folder())
        cls.redis = Redis(cls.folder)
        stack.callback(lambda: cls.redis.kill())
        cls.start_canopy()
        stack.callback(lambda: cls.canopy.interrupt())
        cls.page = stack.enter_context(browser(cls.folder))
        cls.page.resize(1440, 900)
        cls.load()

    @classmethod
    def load(cls):
        cls.page.open(f"http://127.0.0.1:{cls.canopy.port}/")
        cls.page.run("window.sinceItWasLoaded = true")

    @classmethod
    def start_canopy(cls, port=0):
        cls.canopy = Canopy(cls.folder, url=cls.redis.url, port=port, pace=20)

    def setUp(self):
        """Each test finds a run that goes on for a while, drawn, and leaves no complaint in the console."""
        wait_for("the page is connected and shows something", lambda: self.page.run(
            "return link.dataset.state === 'open' && document.querySelectorAll('.is-empty').length === 0"))
        if self.state() != "running":
            self.page.click("#toggle")
        if self.epoch() > 600:
            self.page.click("#reset")
        wait_for("a run goes on", lambda: self.state() == "running" and self.epoch() <= 700)

    def tearDown(self):
        self.assertEqual(self.page.complaints(), [])
        self.assertTrue(self.page.run("return window.sinceItWasLoaded"), "the page was loaded again")

    def state(self):
        return self.page.run("return document.getElementById('state').dataset.state")

    def wait_for_state(self, state):
        wait_for(f"the run is {state}", lambda: self.state() == state)

    def epoch(self):
        """The last one that is drawn."""
        return self.page.run("return Number(document.getElementById('loss').dataset.epoch)")

    def badges(self):
        """What stands in the cache's panel and in each panel's corner."""
        return self.page.run("return ['cache-mode', ...arguments[0].map((name) => `${name}-source`)].map((id) => "
                             "{ const at = document.getElementById(id); return (at.querySelector('.badge') ?? at).textContent; })",
                             SOURCES)

    def picture(self, canvas):
        return self.page.run("return document.getElementById(arguments[0]).toDataURL()", canvas)

    def settled(self):
        """The epoch, once no event is on its way any more."""
        seen = []

        def same():
            seen.append(self.epoch())
            return seen[-4:] == [seen[-1]] * 4 and len(seen) > 4

        wait_for("the epoch stands", same)
        return seen[-1]

    def test_curves_move_and_units_appear(self):
        before, pictures = self.epoch(), [self.picture(name) for name in ("loss", "accuracy")]
        wait_for("the epochs go on", lambda: self.epoch() > before + 20)
        for name, picture in zip(("loss", "accuracy"), pictures):
            self.assertTrue(self.picture(name) != picture, f"the picture of {name} is as it was")
        units = self.page.run("return document.querySelectorAll('#network .node.hidden').length")
        wait_for("a unit is added", lambda: self.page.run(
            "return document.querySelectorAll('#network .node.hidden').length") > units)
        wait_for("the tile, the boundary and the log tell of it", lambda: self.page.run(
            "return Number(document.getElementById('tile-units').textContent) > arguments[0]"
            " && Number(boundary.dataset.hidden) > arguments[0]"
            " && document.getElementById('log').textContent.includes(`Unit ${arguments[0] + 1} added at epoch`)", units))
        self.assertEqual(self.badges()[:3], ["LIVE", "LIVE", "LIVE"])
        self.page.screenshot(SCREENSHOTS / "running.png")

    def test_pause_stands_still_and_resume_goes_on(self):
        self.page.click("#toggle")
        self.wait_for_state("paused")
        epoch = self.settled()
        self.page.screenshot(SCREENSHOTS / "paused.png")
        self.assertEqual(self.page.text("#toggle"), "Resume")
        self.assertEqual(self.epoch(), epoch)
        self.page.click("#toggle")
        self.wait_for_state("running")
        wait_for("the epochs go on", lambda: self.epoch() > epoch)

    def test_keyboard_reaches_pause_and_shows_where_it_is(self):
        self.page.run("document.activeElement.blur(); window.scrollTo(0, 0)")
        for _ in range(10):
            self.page.press(TAB)
            if self.page.run("return document.activeElement.id") == "toggle":
                break
        self.assertEqual(self.page.run("return document.activeElement.textContent"), "Pause")
        self.assertNotEqual(self.page.run("return getComputedStyle(document.activeElement).outlineStyle"), "none")
        self.page.press(ENTER)
        self.wait_for_state("paused")
        self.assertEqual(self.page.run("return document.activeElement.id"), "toggle", "the focus is lost")
        wait_for("it is announced", lambda: "Paused at epoch" in self.page.run("return announce.textContent"))

    def test_stop_ends_the_run_and_start_begins_another(self):
        self.page.click("#stop")
        self.wait_for_state("stopped")
        run, epoch = self.page.text("#run"), self.settled()
        self.page.screenshot(SCREENSHOTS / "stopped.png")
        self.page.click("#toggle")
        wait_for("another run is shown", lambda: self.page.text("#run") != run)
        self.assertLess(self.epoch(), max(epoch, 2))

    def test_reset_begins_another_run_at_once(self):
        run = self.page.text("#run")
        self.page.click("#reset")
        wait_for("another run is shown", lambda: self.page.text("#run") != run)
        self.wait_for_state("running")

    def test_the_viewers_settings_are_kept(self):
        def logarithmic():
            return self.page.run("return scale.getAttribute('aria-pressed')") == "true"

        self.assertFalse(logarithmic())
        self.page.click("#scale")
        wait_for("the server has it", lambda: self.page.run(
            "return fetch('/api/session').then((answer) => answer.json()).then(({ settings }) => settings.loss_scale)")
            == "logarithmic")
        self.load()
        wait_for("the axis is logarithmic again", logarithmic)
        self.page.click("#scale")
        wait_for("it is linear", lambda: not logarithmic())

    def test_redis_is_killed_and_returns(self):
        wait_for("all is live", lambda: self.badges()[0] == "LIVE")
        self.redis.kill()
        wait_for("every panel says so", lambda: self.badges() == ["FALLBACK"] * 5)
        epoch = self.epoch()
        wait_for("the run goes on without Redis", lambda: self.epoch() > epoch)
        self.page.screenshot(SCREENSHOTS / "fallback.png")
        self.redis.start()
        wait_for("Redis is back", lambda: self.badges()[0] == "LIVE" and "FALLBACK" not in self.badges())
        self.assertIn("Redis is back", self.page.text("#log"))

    def test_the_server_goes_and_returns(self):
        self.canopy.interrupt()
        wait_for("the page tells", lambda: self.page.run("return link.dataset.state") == "lost")
        wait_for("every panel says so", lambda: self.badges() == ["OFFLINE"] * 5)
        self.page.screenshot(SCREENSHOTS / "offline.png")
        self.start_canopy(self.canopy.port)
        wait_for("the page is connected again", lambda: self.page.run("return link.dataset.state") == "open")
        wait_for("nothing is offline", lambda: "OFFLINE" not in self.badges())
        # That nobody answered, and nothing else, is in the console.
        self.assertEqual([entry for entry in self.page.complaints() if "net::ERR_" not in entry["message"]], [])

    def test_any_window_and_both_schemes(self):
        grounds = set()
        self.addCleanup(self.page.resize, 1440, 900)
        for scheme in ("light", "dark"):
            self.page.prefer(scheme)
            grounds.add(self.page.run("return getComputedStyle(document.body).backgroundColor"))
            for name, width, height in (("wide", 1440, 900), ("middle", 1000, 800), ("narrow", 360, 740)):
                with self.subTest(scheme=scheme, width=width):
                    self.page.resize(width, height)
                    wait_for("nothing is wider than the window", lambda: self.page.run(
                        "return innerWidth === arguments[0] && document.documentElement.scrollWidth <= innerWidth", width))
                    self.page.screenshot(SCREENSHOTS / f"{name}-{scheme}.png")
        self.assertEqual(len(grounds), 2)

    def test_the_token_is_not_in_the_document(self):
        self.assertFalse(self.page.run(
            "return fetch('/api/session').then((answer) => answer.json())"
            ".then(({ csrf_token: token }) => !token || document.documentElement.outerHTML.includes(token))"))

    def curve_data(self, script):
        """What a script gives that has a CurveData of its own as `data`."""
        return self.page.run("return import('/js/curve_data.js').then(({ CurveData, most }) => {"
                             f" const data = new CurveData(); {script} }})")

    def test_curves_stay_small_after_many_epochs(self):
        length, last, most = self.curve_data("""
            for (let epoch = 1; epoch <= 100000; epoch += 1) data.add(epoch, { loss: 1 / epoch });
            return [data.length, data.lines.loss.at(-1).x, most];""")
        self.assertLessEqual(length, 2 * most)
        self.assertGreater(last, 99_990)

    def test_a_record_that_begins_late_or_ends_early_takes_nothing_from_the_curves(self):
        self.assertEqual(self.curve_data("""
            for (const epoch of [1, 4, 6, 9]) data.add(epoch, { loss: epoch });
            data.take([3, 4, 5, 6].map((epoch) => ({ epoch, metrics: { loss: epoch } })));
            return data.lines.loss.map(({ x }) => x);"""), [1, 3, 4, 5, 6, 9])


if __name__ == "__main__":
    unittest.main()
