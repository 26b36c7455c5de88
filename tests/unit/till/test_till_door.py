"""Who may come in, and how much at once: other pages, no token, garbage, slow and endless requests, many at once."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from edge_agent.settings import TillSettings
from edge_agent.till import door, server
from edge_agent.till.faults import TillSettingsError
from edge_agent.till.server import TillServer, token_of
from tests.servers import free_port, wait_until
from tests.unit.till.till_rig import GOODS, TillRig, new_id

TOKEN = "a token that nobody guesses"


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[TillRig]:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    rig = TillRig(tmp_path / "unit", token_file=str(file))
    yield rig
    rig.close()


def raw(lane: TillRig, said: bytes, within_s: float = 15.0) -> bytes:
    """What comes back for these bytes until the connection ends."""
    got = b""
    with socket.create_connection(("127.0.0.1", lane.port), 5) as line:
        line.settimeout(within_s)
        line.sendall(said)
        try:
            while part := line.recv(65_536):
                got += part
        except (TimeoutError, ConnectionError):
            pass
    return got


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"origin": "http://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"origin": "null"},
    ],
)
def test_another_page_and_another_name_may_not_come_in(lane: TillRig, headers: dict[str, str]) -> None:
    sale = new_id()
    answer = lane.http.put(f"/v1/sales/{sale}", json={"lines": GOODS}, headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (403, "forbidden")
    assert lane.http.get("/v1/lane").json()["sale"] is None


def test_a_form_of_another_page_has_no_type_that_is_taken(lane: TillRig) -> None:
    answer = lane.http.put(f"/v1/sales/{new_id()}", content=b"{}", headers={"content-type": "text/plain"})
    assert (answer.status_code, answer.json()["reason"]) == (415, "not_json")


def test_with_a_token_nothing_is_told_without_it(guarded: TillRig) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}):
        answer = guarded.http.get("/v1/lane", headers=headers)
        assert (answer.status_code, answer.json()["reason"]) == (401, "no_token")
    with_it = {"authorization": f"Bearer {TOKEN}", "host": "lane.shop:1"}
    assert guarded.http.get("/v1/lane", headers=with_it).status_code == 200
    assert guarded.http.get("/").status_code == 200, "the page itself is no secret"


def test_wider_than_the_loopback_needs_a_token(tmp_path: Path) -> None:
    with pytest.raises(TillSettingsError, match="token_file"):
        token_of(TillSettings(host="0.0.0.0"))
    short = tmp_path / "short"
    short.write_text("short\n")
    with pytest.raises(TillSettingsError, match="16 characters"):
        token_of(TillSettings(token_file=str(short)))
    with pytest.raises(TillSettingsError, match="No such file"):
        token_of(TillSettings(token_file=str(tmp_path / "none")))


def test_a_port_that_is_taken_is_said_at_once(lane: TillRig) -> None:
    with pytest.raises(TillSettingsError, match="in use"):
        TillServer(lambda *_: None, TillSettings(port=lane.port)).start()  # type: ignore[arg-type]


def test_a_body_that_is_too_large_is_refused_by_its_length_and_while_it_comes(lane: TillRig) -> None:
    path = f"/v1/sales/{new_id()}"
    big = b'{"lines":[' + b" " * door.BODY_BYTES_MAX + b"]}"
    headers = {"content-type": "application/json"}
    assert lane.http.put(path, content=big, headers=headers).json()["reason"] == "too_large"
    parts = (b" " * 65_536 for _ in range(8))
    assert lane.http.put(path, content=parts, headers=headers).json()["reason"] == "too_large"


def test_a_body_that_never_ends_is_given_up_in_time(lane: TillRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "BODY_WITHIN_S", 0.3)
    head = (
        f"PUT /v1/sales/{new_id()} HTTP/1.1\r\nHost: 127.0.0.1:{lane.port}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    assert b" 408 " in raw(lane, head.encode(), 5).partition(b"\r\n")[0]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\xff\x16\x03\x01 not http at all\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /v1/lane HTTP/1.1\r\n\r\n",
        b"PUT /v1/sales/%00%ff HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
        b"GET /v1/sales/" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"BREW /v1/lane HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PUT /v1/lane HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_garbage_is_refused_or_hung_up_on_and_never_a_fault(lane: TillRig, garbage: bytes) -> None:
    first = raw(lane, garbage, 7).partition(b"\r\n")[0]
    assert first == b"" or first.split(b" ")[1][:1] == b"4", first
    assert lane.http.get("/v1/lane").status_code == 200


@pytest.mark.parametrize("begun", [b"", b"GET /v1/lane HTTP/1.1\r\nHost: 127."])
def test_connections_that_say_nothing_hold_no_place_for_long(
    lane: TillRig, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [socket.create_connection(("127.0.0.1", lane.port), 5) for _ in range(server.CONNECTIONS_MAX + 40)]
    try:
        for line in held:
            line.sendall(begun)
        until_s = time.monotonic() + 4 * server.HEADERS_WITHIN_MS / 1000
        with httpx.Client(base_url=f"http://127.0.0.1:{lane.port}", timeout=until_s - time.monotonic()) as till:
            assert till.get("/v1/lane").status_code == 200
    finally:
        for line in held:
            line.close()


def test_more_requests_than_are_handled_at_once_are_told_so_and_the_lane_goes_on(
    lane: TillRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "HANDLED_MAX", 2)
    sale = new_id()
    with ThreadPoolExecutor(24) as tills:
        codes = list(tills.map(lambda _: lane.open(sale).status_code, range(96)))
    assert set(codes) <= {200, 503}
    assert 200 in codes
    wait_until(lambda: lane.open(sale).status_code == 200, 5, "the lane to be free")


def test_a_server_that_has_ended_is_known_to_have(tmp_path: Path) -> None:
    settings = TillSettings(port=free_port())
    made = TillServer(lambda *_: None, settings)  # type: ignore[arg-type]
    made.start()
    assert made.alive
    made.stop()
    assert not made.alive
