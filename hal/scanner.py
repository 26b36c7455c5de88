"""A hand scanner: a further source of barcodes, which decodes by itself and sends lines of text.

Such a scanner checks what it reads (check digits, redundancy), so its scans are confirmed. What symbol it was is known
where the scanner is set to send AIM's symbology identifiers (ISO/IEC 15424, `]E0` before the text); otherwise
the format stays empty, and the rules judge the text alone (`loyalty.barcode`).
"""

from __future__ import annotations

import re
from typing import Final, Protocol

from hal.events import Scanned

TEXT_BYTES_MAX: Final = 4096  # as `hal.events.Scanned` promises; more is a scanner gone mad, and dropped
_IDENTIFIER: Final = re.compile(rb"\]([A-Za-z])([0-9A-Za-z])")
_FORMATS: Final[dict[bytes, str]] = {
    b"E0": "ean13",
    b"E4": "ean8",
    b"C0": "code128",
    b"Q0": "qr",
    b"Q1": "qr",
    b"d0": "datamatrix",
    b"d1": "datamatrix",
    b"I0": "itf",
    b"I1": "itf",
    b"A0": "code39",
    b"A1": "code39",
    b"F0": "codabar",
    b"F1": "codabar",
}
_GS1: Final[dict[bytes, str]] = {b"C1": "gs1_128", b"Q3": "gs1_qr", b"d2": "gs1_datamatrix", b"e0": "databar_expanded"}


class Scanner(Protocol):
    """Raises PartMissing at opening and PartFailed later. For one thread."""

    def read(self, timeout_s: float) -> list[Scanned]:
        """What was scanned, in order; empty when nothing came in time."""

    def close(self) -> None: ...


def scanned(line: bytes, at_ms: int) -> Scanned | None:
    """A line without its end; None for an empty one."""
    found = _IDENTIFIER.match(line)
    if found is None:
        return Scanned(text=line, format="", seen_mono_ms=at_ms, decoded_mono_ms=at_ms) if line else None
    identifier = found[1] + found[2]
    if identifier in _GS1:  # GS1's identifiers are a part of the text as the rules read it
        return Scanned(text=line, format=_GS1[identifier], seen_mono_ms=at_ms, decoded_mono_ms=at_ms)
    text = line[found.end() :]
    if not text:
        return None
    return Scanned(text=text, format=_FORMATS.get(identifier, ""), seen_mono_ms=at_ms, decoded_mono_ms=at_ms)
