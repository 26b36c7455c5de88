"""The camera process against a real child, a real socket and the real decoder: it scans, it can be killed, it comes
back, and it never outlives its parent (issue 2: 'a process of their own that can be killed and comes back')."""

from __future__ import annotations

import io
import os
import queue
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
import segno
from PIL import Image

from hal.decode.keep import FILES_MAX, Keeper
from hal.decode.pipe import Alive, BadPipe, Saw, Unpacker, Upward, pack
from hal.decode.process import CameraProcess
from hal.events import HalEvent, PartFault, PartHealed, Scanned
from hal.virtual.lens import Pose
from hal.virtual.link import serve
from hal.virtual.world import Part, World
from tests.servers import wait_until

BOUND_S = 25.0
OWN = "TK1:" + "4Z7 A%B$C+D-E.F/G:H" * 7


def coupon(text: str = OWN) -> Image.Image:
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="png", scale=6, border=4)
    return Image.open(out).convert("L")


def wait_for(condition: Callable[[], bool], what: str) -> None:
    wait_until(condition, BOUND_S, what)


class Rig:
    """A world behind a socket, and a camera process that looks at it."""

    def __init__(self, folder: Path, keep_frames_s: int = 0, hang_s: float = 5.0) -> None:
        self.world = World(lens_seed=3)
        self.events: queue.Queue[HalEvent] = queue.Queue(1000)
        self.frames = folder / "frames"
        self.server = serve(self.world, folder / "w.sock")
        self.camera = CameraProcess(
            "virtual",
            {"socket": folder / "w.sock"},
            self.events.put_nowait,
            keep_frames_s=keep_frames_s,
            frames_folder=self.frames,
            hang_s=hang_s,
            jitter=lambda: 0.1,
        )

    def next(self, kind: type[HalEvent]) -> HalEvent:
        """The next event, which must be a `kind`."""
        event = self.events.get(timeout=BOUND_S)
        assert isinstance(event, kind), event
        return event

    def sees(self) -> None:
        wait_for(lambda: self.camera.newest_frame > 0, "a frame")


@contextmanager
def running(folder: Path, keep_frames_s: int = 0, hang_s: float = 5.0) -> Iterator[Rig]:
    rig = Rig(folder, keep_frames_s, hang_s)
    with rig.server, rig.camera:
        yield rig


def test_K5_a_coupon_held_before_the_camera_is_scanned_once_with_its_times(tmp_path: Path) -> None:
    with running(tmp_path) as rig:
        rig.sees()
        shown_ms = time.monotonic_ns() // 1_000_000
        rig.world.show_picture(coupon(), Pose(scale=0.8, rotate_deg=10))
        scan = rig.next(Scanned)
        assert isinstance(scan, Scanned)
        assert (scan.text, scan.format) == (OWN.encode(), "qr")
        assert shown_ms - 200 <= scan.seen_mono_ms <= scan.decoded_mono_ms <= time.monotonic_ns() // 1_000_000
        before = rig.camera.newest_frame
        wait_for(lambda: rig.camera.newest_frame > before + 15, "two seconds of frames")
        assert rig.events.empty()


def test_a_killed_camera_process_comes_back_and_says_so_once(tmp_path: Path) -> None:
    with running(tmp_path) as rig:
        rig.sees()
        first = rig.camera.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        fault = rig.next(PartFault)
        assert isinstance(fault, PartFault)
        assert (fault.part, fault.reason) == ("camera", "vanished")
        assert "signal 9" in fault.detail
        assert isinstance(rig.next(PartHealed), PartHealed)
        assert rig.camera.pid not in (None, first)
        rig.world.show_picture(coupon(), Pose(scale=0.8))
        assert isinstance(rig.next(Scanned), Scanned)


def test_a_hung_camera_process_is_killed_and_comes_back(tmp_path: Path) -> None:
    with running(tmp_path, hang_s=1.5) as rig:
        rig.sees()
        pid = rig.camera.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)  # what a driver that hangs in the kernel looks like from outside
        fault = rig.next(PartFault)
        assert isinstance(fault, PartFault)
        assert fault.reason == "hung"
        assert not psutil.pid_exists(pid)
        rig.next(PartHealed)


def test_a_broken_camera_is_told_once_however_often_it_is_tried_and_heals(tmp_path: Path) -> None:
    with running(tmp_path) as rig:
        rig.sees()
        rig.world.break_part(Part.CAMERA)
        fault = rig.next(PartFault)
        assert isinstance(fault, PartFault)
        assert fault.part == "camera"
        wait_for(lambda: rig.camera.starts >= 3, "two more attempts")
        assert rig.events.empty()
        rig.world.heal_part(Part.CAMERA)
        rig.next(PartHealed)


def test_an_unknown_camera_is_a_fault_that_lists_the_names(tmp_path: Path) -> None:
    events: queue.Queue[HalEvent] = queue.Queue(10)
    with CameraProcess("webcamm", {}, events.put_nowait, jitter=lambda: 1.0):
        fault = events.get(timeout=BOUND_S)
    assert isinstance(fault, PartFault)
    assert fault.reason == "not_found"
    assert "'virtual'" in fault.detail


PARENT = """
import sys, time
from pathlib import Path
from hal.decode.process import CameraProcess
camera = CameraProcess("virtual", {"socket": Path(sys.argv[1])}, lambda event: None)
camera.start()
while camera.newest_frame == 0:
    time.sleep(0.02)
assert not {"numpy", "zxingcpp", "PIL"} & set(sys.modules), "the unit's process pays for the decoder"
print(camera.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("stopped", [False, True], ids=["at work", "hung"])
def test_the_camera_process_dies_with_its_parent_even_by_sigkill(tmp_path: Path, stopped: bool) -> None:
    with serve(World(), tmp_path / "w.sock"):
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(tmp_path / "w.sock")], stdout=subprocess.PIPE, text=True
        )
        assert parent.stdout is not None
        with parent.stdout:
            child = psutil.Process(int(parent.stdout.readline()))
        if stopped:
            child.send_signal(signal.SIGSTOP)
        parent.kill()
        parent.wait()
        wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the child is gone")


def test_stop_ends_the_child_and_can_be_called_twice(tmp_path: Path) -> None:
    with running(tmp_path) as rig:
        rig.sees()
        pid = rig.camera.pid
        assert pid is not None
        told = rig.events.qsize()
        rig.camera.stop()
        assert not psutil.pid_exists(pid)
        rig.camera.stop()
        assert rig.events.qsize() == told  # to be ended is no fault
        assert rig.camera.keep_refused() is False


def test_no_frame_is_kept_by_default(tmp_path: Path) -> None:
    with running(tmp_path) as rig:
        rig.sees()
        rig.world.show_picture(coupon(), Pose(scale=0.8))
        scan = rig.next(Scanned)
        assert isinstance(scan, Scanned)
        assert rig.camera.keep_refused(scan.frame)
        before = rig.camera.newest_frame
        wait_for(lambda: rig.camera.newest_frame > before + 12, "the request was taken")
        assert not rig.frames.exists()


def test_the_frame_of_a_refused_scan_is_kept_where_the_shop_turned_it_on(tmp_path: Path) -> None:
    with running(tmp_path, keep_frames_s=3600) as rig:
        rig.sees()
        rig.world.show_picture(coupon(), Pose(scale=0.8))
        scan = rig.next(Scanned)
        assert isinstance(scan, Scanned)
        rig.world.show_nothing()
        wait_for(lambda: rig.camera.newest_frame > scan.frame + 5, "frames of the empty counter")
        assert rig.camera.keep_refused(scan.frame)
        wait_for(lambda: bool(list(rig.frames.glob("*.png"))), "a kept frame")
        (kept,) = rig.frames.glob("*.png")
        assert kept.name.endswith(f"-{scan.frame}.png")
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert stat.S_IMODE(rig.frames.stat().st_mode) == 0o700
        assert np.asarray(Image.open(kept)).mean() > 60  # the frame with the coupon, not the empty counter


def kept_files(folder: Path, ages_s: list[float], now_s: float) -> None:
    folder.mkdir(exist_ok=True)
    for number, age_s in enumerate(ages_s):
        path = folder / f"refused-{number}-1.png"
        path.write_bytes(b"x")
        os.utime(path, (now_s - age_s, now_s - age_s))


def test_kept_frames_go_when_their_time_is_over_and_nothing_else_does(tmp_path: Path) -> None:
    now_s = 2_000_000_000.0
    kept_files(tmp_path, [10, 59, 61, 4000, -3600], now_s)
    (tmp_path / "notes.txt").write_text("not ours")
    assert Keeper(tmp_path, 60, lambda: now_s).purge() == 3  # two too old, one from the future
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "refused-0-1.png", "refused-1-1.png"]


def test_turning_it_off_clears_what_was_kept_and_the_number_of_files_is_bounded(tmp_path: Path) -> None:
    now_s = 2_000_000_000.0
    kept_files(tmp_path, [1.0 * n for n in range(FILES_MAX + 5)], now_s)
    Keeper(tmp_path, 100_000, lambda: now_s).purge()
    assert len(list(tmp_path.iterdir())) == FILES_MAX
    Keeper(tmp_path, 0, lambda: now_s).purge()
    assert list(tmp_path.iterdir()) == []


def test_the_pipe_takes_messages_in_any_pieces_and_refuses_what_is_none() -> None:
    messages: list[Upward] = [Alive(7), Saw(Scanned(text=b"\x00\xff", format="qr")), Alive(8)]
    stream = b"".join(pack(message) for message in messages)
    for size in (1, 2, 5, len(stream)):
        unpacker = Unpacker(Upward)
        got = [message for at in range(0, len(stream), size) for message in unpacker.feed(stream[at : at + size])]
        assert got == messages
    for garbage in (b"\xff\xff\xff\xff", b"\x00\x00\x00\x01\xc0", b"\x00\x00\x00\x03\x92\xa1x"):
        with pytest.raises(BadPipe):
            Unpacker(Upward).feed(garbage)
