"""What is typed to a till that takes nothing but a keyboard, when a coupon has counted at a lane without baskets.

The shop says what: a text with values in braces, for example an in-store JAN that the till knows as a discount
(`"29{yen:10}{check}"`) or an amount (`"{yen}"`). It goes to a USB keyboard gadget as key reports (`hid`), or
as it is to a serial wedge or a file (`text`). It is typed after the redemption is on disk and shown; where it can't be
typed in time it is not, the log says so, and the cashier keys the discount in: the display shows it.
"""

from __future__ import annotations

import os
import queue
import re
import select
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from edge_agent.settings import WedgeSettings
from edge_agent.till.faults import TillSettingsError
from hal.errors import HalReason
from hal.events import PartFault, PartHealed
from loyalty.campaign import Kind
from loyalty.check_digit import check_digit
from loyalty.coupon import Verdict

PART: Final = "wedge"
WRITE_WITHIN_S: Final = 2.0
WAITING_MAX: Final = 8
TEXT_BYTES: Final = 64  # written at once
AFTER: Final = {"enter": "\n", "tab": "\t", "nothing": ""}
_FIELD: Final = re.compile(r"\{(yen|percent|campaign|check)(?::([1-9][0-9]?))?\}")
_USAGES: Final = {
    **{str(digit): (0, 0x1D + digit if digit else 0x27) for digit in range(10)},
    **{chr(97 + number): (0, 4 + number) for number in range(26)},
    **{chr(65 + number): (2, 4 + number) for number in range(26)},
    "\n": (0, 0x28), "\t": (0, 0x2B), " ": (0, 0x2C), "-": (0, 0x2D), ".": (0, 0x37), "/": (0, 0x38),
}  # fmt: skip
"""Characters as (modifier, usage) of the USB HID keyboard page; the same on Japanese and American keyboards."""
_KEYS_UP: Final = bytes(8)


class CantType(ValueError):
    """A value has no room where the shop wants it, or a character no key."""


def problems(settings: WedgeSettings) -> str:
    """What is wrong with the texts; empty: nothing."""
    for text in (settings.amount, settings.percent, settings.gift):
        rest = _FIELD.sub("", text)
        if "{" in rest or "}" in rest:
            return f"[unit.till.wedge] {text!r}: the values are {{yen}}, {{percent}}, {{campaign}} and {{check}}"
        if settings.keys == "hid" and any(character not in _USAGES for character in rest):
            return f"[unit.till.wedge] {text!r}: a character that no keyboard is sure to have"
    return ""


def typed(settings: WedgeSettings, verdict: Verdict) -> str:
    """What this coupon makes the till read; empty: nothing. Raises CantType."""
    worth = verdict.worth
    if worth is None:
        return ""
    text = {Kind.AMOUNT: settings.amount, Kind.PERCENT: settings.percent}.get(worth.kind, settings.gift)
    yen = worth.amount_yen if worth.kind is Kind.AMOUNT else 0
    values = {"yen": yen, "percent": worth.percent if worth.kind is Kind.PERCENT else 0, "campaign": worth.id}
    made, after = "", 0
    for field in _FIELD.finditer(text):
        made += text[after : field.start()]
        after = field.end()
        name, width = field[1], int(field[2] or 0)
        if name == "check":
            digits = re.search("[0-9]*$", made)
            made += str(check_digit(digits[0] if digits else ""))
            continue
        value = f"{values[name]:0{width}}" if width else str(values[name])
        if width and len(value) > width:
            raise CantType(f"{name} {value} has no room in {width} digits")
        made += value
    made += text[after:]
    return made + AFTER[settings.after] if made else ""


def encoded(keys: str, text: str) -> bytes:
    """As it is written: the text itself, or a key report down and one up for each character."""
    if keys == "text":
        return text.encode()
    return b"".join(bytes((*_report(character), 0, 0, 0, 0, 0)) + _KEYS_UP for character in text)


def _report(character: str) -> tuple[int, int, int]:
    modifier, usage = _USAGES[character]
    return modifier, 0, usage


class Wedge:
    """Types in a thread of its own. `sink` hears of faults (the agent's inbox)."""

    def __init__(self, settings: WedgeSettings, sink: Callable[[PartFault | PartHealed], Any]) -> None:
        """Raises TillSettingsError."""
        found = problems(settings)
        if found:
            raise TillSettingsError(found)
        self._settings, self._sink = settings, sink
        self._waiting: queue.Queue[Verdict | None] = queue.Queue(WAITING_MAX)
        self._broken = False
        self._thread = threading.Thread(target=self._run, name="wedge", daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        try:
            self._waiting.put(None, timeout=WRITE_WITHIN_S)
        except queue.Full:
            return
        self._thread.join(2 * WRITE_WITHIN_S)

    def counted(self, verdict: Verdict) -> None:
        """A coupon has counted and was shown. Never blocks; what finds no room is not typed, and said."""
        try:
            self._waiting.put_nowait(verdict)
        except queue.Full:
            self._fault("the keyboard is behind")

    def _run(self) -> None:
        while (verdict := self._waiting.get()) is not None:
            try:
                text = typed(self._settings, verdict)
                if text:
                    self._write(encoded(self._settings.keys, text))
            except (OSError, CantType) as error:
                self._fault(str(error))
            else:
                if self._broken:
                    self._broken = False
                    self._sink(PartHealed(part=PART))

    def _fault(self, detail: str) -> None:
        if not self._broken:
            self._broken = True
            self._sink(PartFault(part=PART, reason=HalReason.NO_ANSWER, detail=detail))

    def _write(self, data: bytes) -> None:
        """All of it within WRITE_WITHIN_S: a host that is off takes no key. Raises OSError."""
        until_s = time.monotonic() + WRITE_WITHIN_S
        device = os.open(self._settings.device, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            at_once = len(_KEYS_UP) if self._settings.keys == "hid" else TEXT_BYTES
            while data:
                left_s = until_s - time.monotonic()
                if left_s <= 0 or not select.select([], [device], [], left_s)[1]:
                    raise TimeoutError("the till takes no keys")
                data = data[os.write(device, data[:at_once]) :]
        finally:
            os.close(device)
