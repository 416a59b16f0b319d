"""A headless Chromium that a test drives as a user would, by the DevTools protocol over a pipe: no port is open."""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.helpers.command import PATIENCE

MACOS = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", MACOS)


class NavigatedError(Exception):
    """The page that was asked is gone."""


class Tab:
    """One page, and all that it asked for and complained of since it was opened."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, parameters, self._session)

    def open(self, path: Path) -> None:
        """Open a file, and wait until it is loaded."""
        self._browser.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")

    def run(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            with suppress(NavigatedError):  # the page is being read anew
                if self.run(condition):
                    return
            assert time.monotonic() < end, condition
            time.sleep(0.02)

    def size(self, width: int, height: int = 900, *, dark: bool = False, medium: str = "screen") -> None:
        """The window, and what the user prefers."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=medium, features=[scheme])

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the mouse, move it in some steps, and let go."""
        self._mouse("mouseMoved", *start)
        self._mouse("mousePressed", *start)
        for step in (0.25, 0.5, 0.75, 1.0):
            self._mouse("mouseMoved", *(a + (b - a) * step for a, b in zip(start, end, strict=True)))
        self._mouse("mouseReleased", *end)
        self.settle()

    def click(self, selector: str) -> None:
        code = (
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center'});"
            "const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        box = self.run(code)
        self._mouse("mousePressed", *box)
        self._mouse("mouseReleased", *box)
        self.settle()

    def press(self, key: str) -> None:
        """A key that has a name, as Tab and Enter."""
        code = {"Tab": 9, "Enter": 13}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def settle(self) -> None:
        """Until two frames are drawn."""
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")

    def picture(self) -> bytes:
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(answer["data"])

    @property
    def complaints(self) -> list[str]:
        """Errors and warnings of the console, and exceptions."""
        found = []
        for event in self._browser.events:
            parameters = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(str(parameters["exceptionDetails"]))
            if event["method"] == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
                found.append(parameters["entry"]["text"])
            if event["method"] == "Runtime.consoleAPICalled":
                found.append(str(parameters["args"]))
        return found

    @property
    def requests(self) -> list[str]:
        """Every address that was asked for but data within the page."""
        urls = [
            event["params"]["request"]["url"]
            for event in self._browser.events
            if event["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in urls if not url.startswith("data:")]

    def _mouse(self, kind: str, x: float, y: float) -> None:
        pressed = 0 if kind == "mouseReleased" else 1
        clicks = 0 if kind == "mouseMoved" else 1
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=pressed, clickCount=clicks)


class Browser:
    """The process at the other end of two pipes, which speak JSON that ends in a zero byte."""

    def __init__(self, commands: int, answers: int) -> None:
        self.events: list[dict[str, Any]] = []
        self._commands = commands
        self._answers = answers
        self._numbers = itertools.count(1)
        self._rest = b""

    def tab(self) -> Tab:
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        return Tab(self, session)

    def call(self, method: str, parameters: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        """Send a command, and wait for its answer; what happens meanwhile is kept in `events`."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._commands, data) :]
        while True:
            answer = self._read()
            if "method" in answer:
                self.events.append(answer)
            elif answer.get("id") == number:
                if "navigated" in str(answer.get("error")):
                    raise NavigatedError
                assert "error" not in answer, (method, answer["error"])
                return dict(answer["result"])

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._answers], [], [], PATIENCE)
            part = os.read(self._answers, 2**20) if ready else b""
            assert part, "the browser says nothing"
            self._rest += part
        text, self._rest = self._rest.split(b"\0", 1)
        return dict(json.loads(text))


@contextmanager
def running_browser(folder: Path) -> Iterator[Browser]:
    """A browser that keeps what it keeps in a folder, and ends with the block."""
    theirs_in, commands = os.pipe()
    answers, theirs_out = os.pipe()
    program = next(filter(None, map(shutil.which, NAMES)), None)
    assert program, "the tests of pages need Chromium: `apt-get install chromium` (Debian), or put one on the PATH"
    words = [program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
    words += ["--disable-dev-shm-usage", "--remote-debugging-pipe", f"--user-data-dir={folder}"]
    # The protocol is spoken on the file descriptors 3 and 4, which only a shell can give by number.
    shell = ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", *words]
    process = subprocess.Popen(
        shell,
        pass_fds=(theirs_in, theirs_out),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    browser = Browser(commands, answers)
    try:
        yield browser
        browser.call("Browser.close", {})
    finally:
        os.close(commands)
        os.close(answers)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
