"""A browser, driven over WebDriver's HTTP protocol (https://www.w3.org/TR/webdriver2/): what these tests need of it."""

import base64
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's name of a reference to an element
TAB = "\ue004"
ENTER = "\ue007"
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
             "--no-first-run", "--disable-background-networking", "--disable-extensions"]


class Driver:
    """One browser window."""

    def __init__(self, root, session):
        self._session = f"{root}/session/{session}"

    def open(self, url):
        self._call("POST", "/url", url=url)

    def run(self, script, *arguments):
        """Runs the body of a function in the page; gives what it returns."""
        return self._call("POST", "/execute/sync", script=script, args=list(arguments))

    def click(self, selector):
        self._call("POST", f"/element/{self._find(selector)}/click")

    def press(self, key):
        """Presses a key where the focus is."""
        keys = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self._call("POST", "/actions", actions=[{"type": "key", "id": "keyboard", "actions": keys}])

    def text(self, selector):
        return self._call("GET", f"/element/{self._find(selector)}/text")

    def screenshot(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))

    def resize(self, width, height):
        """The page's own size, which below the least width of a window only the developers' protocol can set."""
        self.develop("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def prefer(self, scheme):
        self.develop("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def develop(self, command, **parameters):
        return self._call("POST", "/goog/cdp/execute", cmd=command, params=parameters)

    def complaints(self):
        """What the page wrote to the console as a warning or an error since the last time, and what failed to load."""
        return [entry for entry in self._call("POST", "/se/log", type="browser")
                if entry["level"] in ("SEVERE", "WARNING")]

    def quit(self):
        self._call("DELETE", "")

    def _find(self, selector):
        return self._call("POST", "/element", using="css selector", value=selector)[ELEMENT]

    def _call(self, method, path, **body):
        return call(method, self._session + path, body)


def call(method, url, body):
    data = json.dumps(body).encode() if method == "POST" else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)["value"]
    except urllib.error.HTTPError as error:
        problem = json.loads(error.read())["value"]
        raise RuntimeError(f"{method} {url}: {problem['error']}: {problem['message'][:400]}") from None


@contextlib.contextmanager
def browser(data):
    """A Driver of a headless Chromium, gone afterwards. `data` is an empty folder for its profile and its log."""
    for program in ("chromium", "chromedriver"):
        if not shutil.which(program):
            raise RuntimeError(f"{program} is not installed (Debian: chromium, chromium-driver)")
    log = data / "chromedriver.log"
    process = subprocess.Popen(["chromedriver", "--port=0", f"--log-path={log}"], start_new_session=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               encoding="utf-8")
    try:
        root = f"http://127.0.0.1:{_port_of(process)}"
        capabilities = {"browserName": "chrome", "goog:loggingPrefs": {"browser": "ALL"},
                        "goog:chromeOptions": {"binary": shutil.which("chromium"),
                                               "args": [*ARGUMENTS, f"--user-data-dir={data / 'profile'}"]}}
        session = call("POST", f"{root}/session", {"capabilities": {"alwaysMatch": capabilities}})
        driver = Driver(root, session["sessionId"])
        try:
            yield driver
        finally:
            driver.quit()
    finally:
        _end(process)


def _port_of(process):
    """ChromeDriver takes a free port and says which."""
    for line in process.stdout:
        if found := re.search(r"started successfully on port (\d+)", line):
            return int(found.group(1))
    raise RuntimeError("chromedriver did not start")


def _end(process):
    """The driver, and what browsers it may have left: all of its own process group."""
    process.terminate()
    try:
        process.wait(timeout=10)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def wait_for(what, condition, seconds=20):
    """What `condition` gives once that is true; an AssertionError names `what` did not come to be, and what was last."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}; last: {value!r}")
        time.sleep(0.1)
    return value
