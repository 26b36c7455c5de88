"""The rules against misreads: which sightings count as a scan. Pure: time comes with the frames.

A wrong EAN with a valid check digit is the risk to money, and a second engine that agrees is no proof. So:

- UPC-E is never read (`hal.decode.formats`).
- Codes with strong error correction (QR, DataMatrix) count after one frame.
- Every other code counts after `AGREEING_FRAMES` frames within `WINDOW_MS` that say the same, with no rival in
  that window: no other text of the same family, unless both stand side by side in one frame. Two different
  EANs in one frame are rivals even then: both are dropped. zbar has a voice in this; yet, save for EAN and UPC,
  one of the agreeing frames must be zxing-cpp's, which alone is trusted with payload bytes.
- A Code 128 must hold what people print (`legible`): its check is the weakest.
- A linear code must have been read over a height of at least `HEIGHT_MIN_PX`. (Not DataBar Expanded: it is
  pieced together from rows anywhere, and what the engine tells of its height means nothing.)
- One code held up is one scan, however long. It is a new scan when it has not been seen for `GONE_MS`.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from hal.decode.engines import Sighting, carries_text
from hal.decode.formats import EAN, STRONG, Format, family

AGREEING_FRAMES: Final = 2
WINDOW_MS: Final = 700
WINDOW_FRAMES_MAX: Final = 32  # bound of what is remembered, whatever the camera's rate
HEIGHT_MIN_PX: Final = 6.0
HEIGHT_FREE: Final = STRONG | {Format.DATABAR_EXPANDED}
GONE_MS: Final = 3000  # must outlast a glare, a shaking hand and a missed look
GS1_SEPARATOR: Final = 0x1D
CHECKED_WEAKLY: Final = frozenset({Format.CODE128, Format.GS1_128})
HELD_MAX: Final = 64  # codes remembered as held up; the one not seen for longest is forgotten first

Key = tuple[str, bytes]


class Accepted(NamedTuple):
    text: bytes
    format: Format
    seen_mono_ms: int  # the first frame of the window in which it stood


class _Seen(NamedTuple):
    mono_ms: int
    sightings: tuple[Sighting, ...]


def key(sighting: Sighting) -> Key:
    """What makes two sightings the same code."""
    return family(sighting.format), sighting.text


def tall_enough(sightings: Sequence[Sighting]) -> list[Sighting]:
    """Without linear codes that were read across too few rows: texture gives those."""
    return [seen for seen in sightings if seen.format in HEIGHT_FREE or seen.height_px >= HEIGHT_MIN_PX]


def legible(text: bytes) -> bool:
    """Whether a Code 128 says what people print: characters one can see, or the elements of a GS1-128.

    Its single check character lets a scratched symbol pass as another one, in frame after frame; what comes out
    then is often not text. A separator (0x1D) stands in a GS1-128 alone, which begins with the digits of an AI.
    """
    return all(0x20 <= byte <= 0x7E or (byte == GS1_SEPARATOR and text[:2].isdigit()) for byte in text)


def plausible(sightings: Sequence[Sighting]) -> list[Sighting]:
    """The sightings of one frame that may count at all."""
    tall = [seen for seen in tall_enough(sightings) if seen.format not in CHECKED_WEAKLY or legible(seen.text)]
    if len({seen.text for seen in tall if seen.format in EAN}) > 1:
        return [seen for seen in tall if seen.format not in EAN]
    return tall


class Acceptance:
    """The memory that the rules need, of one camera."""

    def __init__(self) -> None:
        self._window: deque[_Seen] = deque(maxlen=WINDOW_FRAMES_MAX)
        self._held: OrderedDict[Key, int] = OrderedDict()  # when each was last seen
        self._last: tuple[Key, ...] = ()

    def holds(self, sighting: Sighting) -> bool:
        """Has this been accepted and not gone since?"""
        return key(sighting) in self._held

    def unchanged(self, mono_ms: int) -> None:
        """The picture is still the one that was judged last: what stood in it stands there yet."""
        for code in self._last:
            if code in self._held:
                self._see(code, mono_ms)

    def judge(self, mono_ms: int, sightings: Sequence[Sighting]) -> list[Accepted]:
        """The codes that count now, given what was read in the frame taken at `mono_ms` (never falling)."""
        while self._window and mono_ms - self._window[0].mono_ms > WINDOW_MS:
            self._window.popleft()
        for code in [code for code, seen_ms in self._held.items() if mono_ms - seen_ms > GONE_MS]:
            del self._held[code]
        # Rivals are remembered even when their frame is dropped for holding two EANs.
        self._window.append(_Seen(mono_ms, tuple(seen for seen in sightings if seen.format not in STRONG)))
        out: list[Accepted] = []
        by_key: dict[Key, Sighting] = {}
        for sighting in plausible(sightings):  # zxing-cpp alone tells GS1's symbols from plain ones
            if sighting.engine != "zbar" or key(sighting) not in by_key:
                by_key[key(sighting)] = sighting
        self._last = tuple(by_key)
        for code, sighting in by_key.items():
            if code in self._held:
                self._see(code, mono_ms)
            elif sighting.format in STRONG:
                out.append(self._accept(code, sighting, mono_ms, mono_ms))
            elif (first_ms := self._agreed_since(code)) is not None:
                out.append(self._accept(code, sighting, first_ms, mono_ms))
        return out

    def _accept(self, code: Key, sighting: Sighting, first_ms: int, mono_ms: int) -> Accepted:
        self._see(code, mono_ms)
        return Accepted(sighting.text, sighting.format, first_ms)

    def _see(self, code: Key, mono_ms: int) -> None:
        self._held[code] = mono_ms
        self._held.move_to_end(code)
        if len(self._held) > HELD_MAX:
            self._held.popitem(last=False)

    def _agreed_since(self, code: Key) -> int | None:
        """When the first of enough agreeing frames was taken; None while there are too few, or a rival."""
        at: list[int] = []
        trusted = False
        rivals: set[Key] = set()
        beside: set[Key] = set()  # stand in one frame with `code`, in another place
        for frame in self._window:
            keys = {key(seen) for seen in frame.sightings if family(seen.format) == code[0]}
            own = [seen for seen in plausible(frame.sightings) if key(seen) == code]
            if own:
                if frame.mono_ms not in at:  # two looks at one frame are one frame
                    at.append(frame.mono_ms)
                trusted = trusted or any(carries_text(seen) for seen in own)
                beside |= _apart(code, frame.sightings)
            rivals |= keys - {code}
        if len(at) < AGREEING_FRAMES or not trusted or rivals - beside:
            return None
        return at[0]


def _apart(code: Key, sightings: Sequence[Sighting]) -> set[Key]:
    """The codes that stand in the frame where `code` does not."""
    own = [_bounds(seen) for seen in sightings if key(seen) == code]
    return {key(seen) for seen in sightings if not any(_touch(_bounds(seen), box) for box in own)}


def _bounds(seen: Sighting) -> tuple[float, float, float, float]:
    across, down = [x for x, _ in seen.corners], [y for _, y in seen.corners]
    return min(across), min(down), max(across), max(down)


def _touch(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]
