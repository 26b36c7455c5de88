"""The link between a unit and its world: what comes instead of a message, and what happens when one side goes."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hal.errors import HalReason, PartFailed, PartMissing
from hal.events import ButtonPressed, CardPresented, CardRemoved
from hal.indicators import Light, Sound
from hal.virtual import framing
from hal.virtual.link import Link, connect, serve
from hal.virtual.port import EVENTS_MAX, PIXELS_BYTES
from hal.virtual.serving import CONNECTIONS_MAX
from hal.virtual.tag import Tag
from hal.virtual.world import Part, World

UID = bytes.fromhex("04a1b2c3d4e5f6")


def _until_it_works(link: Link) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            link.hello()
            return
        except PartFailed:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def _raw(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(5)
    sock.connect(bytes(path))
    return sock


def _framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


HELLO = _framed(msgspec.msgpack.encode(framing.Hello(framing.VERSION)))


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", "1 to 65536 bytes"),
        (struct.pack(">I", 0), "1 to 65536 bytes"),
        (struct.pack(">I", framing.ASK_BYTES_MAX + 1), "1 to 65536 bytes"),
        (_framed(b"\xff\xff\xff"), "not a message"),
        (_framed(msgspec.msgpack.encode(["show", bytes(PIXELS_BYTES)])), "hello"),
        (_framed(msgspec.msgpack.encode(framing.Hello(99))), "hello of version 2"),
        (HELLO + HELLO, "second hello"),
        (HELLO + _framed(msgspec.msgpack.encode(["scan", b"TK1:FORGED"])), "not a message"),
        (HELLO + _framed(msgspec.msgpack.encode(["show", "text"])), "not a message"),
    ],
)
def test_garbage_closes_the_connection_with_a_reason(tmp_path: Path, sent: bytes, why: str) -> None:
    with serve(World(), tmp_path / "w") as server, _raw(tmp_path / "w") as sock:
        sock.sendall(sent)
        answers: list[framing.Answer] = []
        while not answers or not isinstance(answers[-1], framing.Goodbye):
            answers.append(framing.receive_answer(sock, 5))
        last = answers[-1]
        assert isinstance(last, framing.Goodbye)
        assert why in last.reason
        with suppress(ConnectionResetError):  # what it did not read makes the kernel say so
            assert sock.recv(1) == b""
        assert why in server.refusals[-1]


@settings(max_examples=40, deadline=None)
@given(noise=st.binary(min_size=1, max_size=300))
def test_no_noise_stops_the_server_from_serving_others(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    path = tmp_path_factory.mktemp("noise") / "w"
    with serve(World(), path):
        with _raw(path) as sock:
            sock.sendall(noise)
        link = connect(path)
        link.show(bytes(PIXELS_BYTES))
        link.close()


def test_an_answer_that_is_not_ours_closes_the_connection_and_the_next_call_makes_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "w"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(bytes(path))
    listener.listen(1)

    def lie() -> None:
        sock, _ = listener.accept()
        sock.recv(1000)
        sock.sendall(_framed(msgspec.msgpack.encode(framing.Done())))
        sock.recv(1000)
        sock.sendall(_framed(b"\xc1"))
        sock.close()
        listener.close()

    liar = threading.Thread(target=lie)
    liar.start()
    link = Link(path)
    with pytest.raises(PartFailed) as failed:
        link.show(bytes(PIXELS_BYTES))
    assert failed.value.reason is HalReason.PROTOCOL
    liar.join(5)
    path.unlink()
    world = World()
    with serve(world, path):
        _until_it_works(link)
        link.show(bytes([255]) * PIXELS_BYTES)
        assert world.look().pixels == bytes([255]) * PIXELS_BYTES
        link.close()


def test_a_world_that_goes_away_and_comes_back_is_found_again(tmp_path: Path) -> None:
    world = World()
    server = serve(world, tmp_path / "w")
    link = connect(tmp_path / "w")
    link.show(bytes(PIXELS_BYTES))
    server.close()
    with pytest.raises(PartFailed) as failed:
        link.show(bytes(PIXELS_BYTES))
    assert failed.value.reason is HalReason.VANISHED
    with serve(world, tmp_path / "w"):
        _until_it_works(link)
        link.signal(Light.GREEN, Sound.YES, 1000)
        assert world.look().light is Light.GREEN
        link.close()


def test_calls_during_the_back_off_fail_at_once(tmp_path: Path) -> None:
    link = Link(tmp_path / "nobody")
    begun = time.monotonic()
    for _ in range(200):
        with pytest.raises(PartFailed):
            link.show(bytes(PIXELS_BYTES))
    assert time.monotonic() - begun < 1.0


def test_while_the_world_is_gone_the_clock_goes_on_as_last_set(tmp_path: Path) -> None:
    world = World()
    world.set_clock_offset(123_456)
    with serve(world, tmp_path / "w"):
        link = connect(tmp_path / "w")
        assert link.clock_setting().offset_ms == 123_456
    assert link.clock_setting().offset_ms == 123_456
    link.close()


def test_nobody_there_is_a_missing_part(tmp_path: Path) -> None:
    with pytest.raises(PartMissing, match="no simulator answers"):
        connect(tmp_path / "nobody", wait_s=0.1)


def test_after_a_lost_connection_only_what_changed_about_the_card_is_told(tmp_path: Path) -> None:
    world, tag = World(), Tag(UID)
    server = serve(world, tmp_path / "w")
    link = connect(tmp_path / "w")
    world.insert_card(tag)
    assert link.card_events() == [CardPresented(uid=UID, record=tag.user_memory, chip=tag.chip)]
    server.close()
    with serve(world, tmp_path / "w") as server:
        _until_it_works(link)
        assert link.card_events() == []
    world.remove_card()
    with serve(world, tmp_path / "w"):
        _until_it_works(link)
        assert link.card_events() == [CardRemoved(uid=UID)]
        link.close()


def test_a_second_simulator_at_the_same_place_is_refused(tmp_path: Path) -> None:
    with serve(World(), tmp_path / "w"), pytest.raises(PartFailed, match="another simulator"):
        serve(World(), tmp_path / "w")


def test_the_socket_of_a_simulator_that_was_killed_is_taken_over(tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(bytes(tmp_path / "w"))
    left.close()
    with serve(World(), tmp_path / "w"):
        connect(tmp_path / "w").close()
    assert not (tmp_path / "w").exists()


def test_the_socket_is_for_its_owner_alone(tmp_path: Path) -> None:
    with serve(World(), tmp_path / "w"):
        assert (tmp_path / "w").stat().st_mode & 0o777 == 0o600


def test_more_connections_than_allowed_are_told_so(tmp_path: Path) -> None:
    with serve(World(), tmp_path / "w"):
        links = [connect(tmp_path / "w") for _ in range(CONNECTIONS_MAX)]
        with pytest.raises(PartMissing, match="connections already"):
            connect(tmp_path / "w", wait_s=0.1)
        for link in links:
            link.close()


def test_events_for_a_unit_that_does_not_listen_are_bounded() -> None:
    world = World()
    port = world.port()
    for _ in range(EVENTS_MAX):
        world.press_button(0)
    world.press_button(1)
    events = port.button_events()
    assert len(events) == EVENTS_MAX
    assert events[-1] == ButtonPressed(button=1)


def test_buttons_reach_the_unit_over_the_link(tmp_path: Path) -> None:
    world = World()
    with serve(world, tmp_path / "w"):
        link = connect(tmp_path / "w")
        world.press_button(1)
        assert link.button_events() == [ButtonPressed(button=1)]
        assert link.button_events() == []
        link.close()


def test_frames_of_a_webcam_arrive_as_they_are_and_once(tmp_path: Path) -> None:
    world = World()
    grey = np.arange(48 * 64, dtype=np.uint32).astype(np.uint8).reshape(48, 64)
    with serve(world, tmp_path / "w"):
        link = connect(tmp_path / "w")
        world.feed_webcam(grey)
        frame = link.frame(0, 1.0)
        assert frame is not None
        assert (frame.width_px, frame.height_px, bytes(frame.grey)) == (64, 48, grey.tobytes())
        assert link.frame(frame.number, 0.05) is None
        world.show_picture(Image.new("L", (9, 9)))
        later = link.frame(frame.number, 1.0)
        assert later is not None
        assert later.width_px == 1280
        link.close()


def test_a_hung_camera_keeps_its_caller_until_it_is_healed(tmp_path: Path) -> None:
    world = World()
    world.break_part(Part.CAMERA, HalReason.HUNG)
    with serve(world, tmp_path / "w"):
        link = connect(tmp_path / "w")
        given: list[object] = []
        caller = threading.Thread(target=lambda: given.append(link.frame(0, 0.1)), daemon=True)
        caller.start()
        caller.join(0.4)
        assert caller.is_alive()
        link.show(bytes(PIXELS_BYTES))  # the display is not kept
        world.heal_part(Part.CAMERA)
        caller.join(5)
        assert not caller.is_alive()
        link.close()


def test_the_units_process_does_not_pay_for_numpy(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from hal.backends import open_display;"
        f"open_display('virtual', {{'socket': {str(tmp_path / 'w')!r}}}); print('numpy' in sys.modules)"
    )
    with serve(World(), tmp_path / "w"):
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert ran.stdout.strip() == "False"


def test_nothing_that_travels_towards_the_unit_can_carry_text() -> None:
    """The only strings are reasons and complaints; a scan's text has no way in but the camera (issue 2)."""
    towards_the_unit = {
        kind.__name__: {field.name: field.type for field in msgspec.structs.fields(kind)}
        for kind in framing.Answer.__args__
    }
    strings = {(kind, name) for kind, names in towards_the_unit.items() for name, what in names.items() if what is str}
    assert strings == {("Failed", "kind"), ("Failed", "reason"), ("Failed", "text"), ("Goodbye", "reason")}
    assert set(towards_the_unit) == {
        *("Done", "Cards", "Pages", "Count", "Buttons", "ClockIs", "FrameIs", "NoFrame", "Failed", "Goodbye")
    }
