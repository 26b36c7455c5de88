"""The real demo, started as a newcomer does, and a real Chromium in front of it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil
import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.servers import ROOT, free_port, wait_until

START_S: Final = 60.0
STOP_S: Final = 30.0
PORTS: Final = ("PAGE", "CENTRE", "BROKER", "CABLE", "TILL", "BANK")
NO_BROWSER: Final = "TOKUTEN_NO_BROWSER"
CHROMIUM: Final = (
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--force-color-profile=srgb",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
)  # fmt: skip


class Demo:
    """`tokuten demo` as a process of its own, on free ports, in a folder of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.said = ""
        environ = {
            **os.environ,
            "TOKUTEN_DEMO__DIR": str(folder),
            **{f"TOKUTEN_DEMO__{name}_PORT": str(free_port()) for name in PORTS},
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cli", "demo", *options],
            cwd=ROOT,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line

    def wait(self) -> str:
        """Until it is ready; the address of the page."""

        def ready() -> bool:
            assert self.process.poll() is None, f"the demo ended with {self.process.returncode}:\n{self.said}"
            return "Ctrl-C ends everything" in self.said

        wait_until(ready, START_S, "the demo to be ready")
        found = re.search(r"kiosk page +(http://\S+)", self.said)
        assert found
        return found[1]

    def family(self) -> list[psutil.Process]:
        """The supervisor and everything below it."""
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def child(self, name: str) -> psutil.Process:
        """The process that runs `tokuten NAME`."""
        return next(one for one in self.family()[1:] if one.cmdline()[1:4] == ["-m", "cli", name])

    def stop(self) -> None:
        """End it, and whatever a broken supervisor would have left."""
        family = self.family() if self.process.poll() is None else []
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_S)
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium of the system. Absent, it is a failure, unless the environment says that there is none."""
    if os.environ.get(NO_BROWSER):
        pytest.skip(f"{NO_BROWSER} is set: the kiosk page is not tried in a browser here")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert path, f"no Chromium on the PATH: install the package chromium, or set {NO_BROWSER}=1 to go without"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM))
        yield browser
        browser.close()
