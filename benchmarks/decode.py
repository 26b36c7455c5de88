"""Decoding beside the bare engines: read rates over bursts, accepted misreads, the cost of an empty frame.

    python -m benchmarks.decode [--quick] [--seed N] [--photos FOLDER [--truth FILE]]

Both sides look at the same frames in the same run. Ours is the `Watcher` as a unit runs it, which knows nothing
but frames. 'Bare' is one engine with all coupon formats and its defaults on each frame alone; over a burst it is
right when the text that it read most often (the first of those, at a tie) is the truth. Ends with 1 when a limit
is broken:

- accepted misreads: 0, damaged symbols included;
- right over bursts of 8 frames: at least as many as bare zxing-cpp, in each format;
- an empty 1280x720 frame: mean cost below a tenth of one full pass of zxing-cpp with all coupon formats.

`--photos`: a folder of photographs (one each, so single-picture reading is compared). The truth file is JSON
lines {"file": name, "texts": [text, ...]}; a picture without a line has no known truth and only counts as read.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from benchmarks.decode_set import FORMATS, FRAMES, INTERVAL_MS, LINEAR, Burst, bursts
from hal.camera import Frame
from hal.decode import Watcher, decode_image
from hal.decode.engines import WHOLE, ZBAR_READS, Grey, Sighting, zbar, zbar_missing, zxing
from hal.decode.formats import COUPONS
from hal.decode.open_picture import SUFFIXES, BadPicture, from_path
from hal.virtual.lens import Lens, Pose

SEED: Final = 2
OF_EACH: Final = 12
OF_EACH_QUICK: Final = 4
EMPTY_FRAMES: Final = 200
FULL_PASSES: Final = 20
EMPTY_SHARE_MAX: Final = 0.1

Engine = Callable[[Grey], list[Sighting]]


class Tally(NamedTuple):
    """One side's results: by format the bursts that were right, and wrong."""

    right: Counter[str]
    wrong: Counter[str]


def bare_zxing(grey: Grey) -> list[Sighting]:
    return zxing(grey, COUPONS, WHOLE)


def bare_zbar(grey: Grey) -> list[Sighting]:
    return zbar(grey, ZBAR_READS)


def engines() -> dict[str, Engine]:
    both: dict[str, Engine] = {"zxing-cpp": bare_zxing, "zbar": bare_zbar}
    return {name: engine for name, engine in both.items() if name != "zbar" or not zbar_missing()}


def most_often(texts: Iterable[bytes]) -> bytes | None:
    counted = Counter(texts).most_common(1)
    return counted[0][0] if counted else None


def read_rates(seed: int, of_each: int, damaged_of_each: int) -> list[str]:
    """Prints the read rates by format; the limits that were broken."""
    sides = {name: Tally(Counter(), Counter()) for name in ("ours", *engines())}
    cpu_s: dict[str, float] = defaultdict(float)
    total: Counter[str] = Counter()
    broken: list[str] = []
    whole = of_each * len(FORMATS) + damaged_of_each * len(LINEAR)
    for number, burst in enumerate(bursts(seed, of_each, damaged_of_each)):
        print(f"\r  burst {number + 1} of {whole}", end="", file=sys.stderr, flush=True)
        label = f"{burst.format}, damaged" if burst.damaged else burst.format
        total[label] += 1
        accepted, cpu = _timed(partial(_watched, burst))
        cpu_s["ours"] += cpu
        sides["ours"].right[label] += burst.truth in accepted
        for text in accepted:
            if text != burst.truth:
                sides["ours"].wrong[label] += 1
                broken.append(f"accepted misread: {text!r} for {label} {burst.truth!r}")
        for name, engine in engines().items():
            texts, cpu = _timed(partial(_all, engine, burst))
            cpu_s[name] += cpu
            said = most_often(texts)
            sides[name].right[label] += said == burst.truth
            sides[name].wrong[label] += said not in (None, burst.truth)
    print(file=sys.stderr)
    frames = sum(total.values()) * FRAMES
    _print_rates(total, sides, {name: 1000 * cpu / frames for name, cpu in cpu_s.items()})
    for label in FORMATS:
        ours, bare = sides["ours"].right[label], sides["zxing-cpp"].right[label]
        if ours < bare:
            broken.append(f"{label}: {ours} right, bare zxing-cpp {bare}")
    return broken


def _watched(burst: Burst) -> list[bytes]:
    watcher = Watcher()
    watcher.see(burst.empty)
    return [scan.text for frame in burst.frames for scan in watcher.see(frame)]


def _all(engine: Engine, burst: Burst) -> list[bytes]:
    return [seen.text for frame in burst.frames for seen in engine(frame.grey)]


def _timed(work: Callable[[], list[bytes]]) -> tuple[list[bytes], float]:
    """(result, CPU seconds)."""
    began = time.process_time()
    return work(), time.process_time() - began


def _print_rates(total: Counter[str], sides: dict[str, Tally], cpu_ms: dict[str, float]) -> None:
    print(f"\nBursts of {FRAMES} frames, right (wrong):")
    print(f"  {'':28}{'bursts':>8}" + "".join(f"{name:>16}" for name in sides))
    for label, bursts_of_it in total.items():
        cells = [f"{tally.right[label]} ({tally.wrong[label]})" for tally in sides.values()]
        print(f"  {label:28}{bursts_of_it:>8}" + "".join(f"{cell:>16}" for cell in cells))
    ratio = sum(sides["ours"].right.values()) / max(1, sum(sides["zxing-cpp"].right.values()))
    print(f"  ours to bare zxing-cpp, right in all: {ratio:.2f}")
    print("  CPU ms a frame: " + ", ".join(f"{name} {ms:.1f}" for name, ms in cpu_ms.items()))


def empty_frames() -> list[str]:
    """Prints what a frame of an empty counter costs beside one full pass; the limits that were broken."""
    lens = Lens(SEED)
    pose = Pose(noise=6)
    frames = [
        Frame(n + 1, n * INTERVAL_MS, lens.frame(None, pose, n + 1)) for n in range(40)
    ]  # looked at again and again
    watcher = Watcher()
    watcher.see(frames[0])
    began = time.process_time()
    for number in range(1, EMPTY_FRAMES + 1):
        watcher.see(frames[number % len(frames)]._replace(number=number, mono_ms=number * INTERVAL_MS))
    ours_ms = 1000 * (time.process_time() - began) / EMPTY_FRAMES
    began = time.process_time()
    for number in range(FULL_PASSES):
        bare_zxing(frames[number].grey)
    bare_ms = 1000 * (time.process_time() - began) / FULL_PASSES
    share = ours_ms / bare_ms
    print(
        f"\nAn empty 1280x720 frame at {1000 // INTERVAL_MS} a second: ours {ours_ms:.2f} ms CPU (mean), one full pass "
        f"of zxing-cpp {bare_ms:.2f} ms: ratio {share:.3f} (limit {EMPTY_SHARE_MAX})"
    )
    return [] if share < EMPTY_SHARE_MAX else [f"an empty frame costs {share:.3f} of a full pass"]


class _Truth(msgspec.Struct):
    file: str
    texts: list[str]


def photographs(folder: Path, truth_file: Path | None) -> None:
    """Prints how many photographs each side reads, and how many rightly where the truth is known.

    Measured, not limited: other people's photographs hold other people's codes.
    """
    truth: dict[str, set[bytes]] = {}
    if truth_file is not None:
        for line in truth_file.read_bytes().splitlines():
            known = msgspec.json.decode(line, type=_Truth)
            truth[known.file] = {text.encode() for text in known.texts}
    sides: dict[str, Engine] = {"ours": decode_image, **engines()}
    read, right, wrong = Counter[str](), Counter[str](), Counter[str]()
    cpu_s: dict[str, float] = defaultdict(float)
    pictures = unreadable = 0
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES):
        try:
            grey = from_path(path)
        except BadPicture as error:
            print(f"  {path}: {error}")
            unreadable += 1
            continue
        pictures += 1
        known_texts = truth.get(path.name)
        for name, engine in sides.items():
            began = time.process_time()
            texts = {seen.text for seen in engine(grey)}
            cpu_s[name] += time.process_time() - began
            read[name] += bool(texts)
            if known_texts is not None:
                right[name] += bool(texts) and texts <= known_texts
                wrong[name] += bool(texts - known_texts)
    print(f"\n{pictures} photographs ({len(truth)} with truth, {unreadable} unreadable):")
    for name in sides:
        ms = 1000 * cpu_s[name] / max(1, pictures)
        print(
            f"  {name:12} read {read[name]}, right {right[name]}, with a wrong text {wrong[name]}, {ms:.0f} ms CPU each"
        )


def run(quick: bool = False, seed: int = SEED, photos: Path | None = None, truth: Path | None = None) -> list[str]:
    """Everything, printed; the limits that were broken."""
    print(f"Decoding. {platform.platform()}, {_processor()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
    print("  " + ", ".join(f"{name} {version(name)}" for name in ("zxing-cpp", "numpy", "pillow", "segno")))
    print("  second engine: " + (f"absent, {zbar_missing()}" if zbar_missing() else f"pyzbar {version('pyzbar')}"))
    of_each = OF_EACH_QUICK if quick else OF_EACH
    print(f"  seed {seed}, {of_each} bursts of each format")
    broken = read_rates(seed, of_each, max(1, of_each // 2)) + empty_frames()
    if photos is not None:
        photographs(photos, truth)
    for limit in broken:
        print(f"BROKEN: {limit}")
    return broken


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decode", description="Decoding beside bare engines.")
    parser.add_argument("--quick", action="store_true", help="few bursts")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--photos", type=Path, metavar="FOLDER", help="also read these photographs")
    parser.add_argument("--truth", type=Path, metavar="FILE", help='JSON lines {"file": name, "texts": [...]}')
    given = parser.parse_args()
    return 1 if run(given.quick, given.seed, given.photos, given.truth) else 0


if __name__ == "__main__":
    sys.exit(main())
