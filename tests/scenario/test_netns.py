"""The namespaces that other tests build on: cuts are silent, work one way or both, and nothing is left behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests import netns
from tests.netns import LAN, WAN, Networks
from tests.servers import wait_until

pytestmark = pytest.mark.skipif(bool(netns.why_not()), reason=netns.why_not() or "namespaces can be made")
PORT = 5000
# Says each datagram that arrives; and one that is sent, from a program that does not notice if it is lost.
HEAR = """
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("", %d))
print("ready", flush=True)
while True:
    print(sock.recv(9).decode(), flush=True)
"""
SEND = "import socket;s=socket.socket(2,2);s.sendto(b'%s',('%s',%d))"


@pytest.fixture
def networks() -> Iterator[Networks]:
    with Networks(("centre", "lane-1", "lane-2"), wan_only=("centre",)) as made:
        yield made


def arrives(networks: Networks, sender: str, receiver: str, network: str) -> bool:
    """Whether a datagram arrives: it is followed by one that surely does, from the receiver itself."""
    heard = subprocess.Popen(
        [*networks.inside(receiver), sys.executable, "-c", HEAR % PORT], stdout=subprocess.PIPE, text=True
    )
    assert heard.stdout is not None
    try:
        assert heard.stdout.readline() == "ready\n"
        for machine, word, address in (
            (sender, "far", networks.address(receiver, network)),
            (receiver, "end", "127.0.0.1"),
        ):
            netns.run(*networks.inside(machine), sys.executable, "-c", SEND % (word, address, PORT))
        return heard.stdout.readline() == "far\n"
    finally:
        heard.kill()
        heard.wait()
        heard.stdout.close()


def test_lanes_reach_each_other_in_the_shop_and_the_centre_by_their_lines_alone(networks: Networks) -> None:
    assert arrives(networks, "lane-1", "lane-2", LAN)
    assert arrives(networks, "lane-1", "centre", WAN)
    assert arrives(networks, "centre", "lane-1", WAN)
    assert not arrives(networks, "lane-1", "lane-2", WAN)
    with pytest.raises(netns.NetnsError, match="unreachable"):  # nothing leads out
        netns.run("ip", "-n", networks.namespace("lane-1"), "route", "get", "192.0.2.1")


@pytest.mark.parametrize("way", ["in", "out"])
def test_a_cut_is_silent_and_works_one_way(networks: Networks, way: str) -> None:
    networks.cut("lane-1", LAN, frozenset({way}))
    networks.cut("lane-1", WAN)
    assert arrives(networks, "lane-1", "lane-2", LAN) == (way == "in")
    assert arrives(networks, "lane-2", "lane-1", LAN) == (way == "out")
    assert not arrives(networks, "lane-1", "centre", WAN)
    assert networks.dropped("lane-1") > 0
    networks.heal("lane-1", LAN)
    assert arrives(networks, "lane-1", "lane-2", LAN)
    assert arrives(networks, "lane-2", "lane-1", LAN)
    assert not arrives(networks, "centre", "lane-1", WAN)


def test_what_a_killed_run_left_behind_is_removed_with_what_still_runs_in_it() -> None:
    name = "tokuten-1-1-1-lane-1"  # process 1 did not start in 1970
    netns.run("ip", "netns", "add", name)
    asleep = subprocess.Popen(["ip", "netns", "exec", name, "sleep", "600"])
    wait_until(lambda: netns.run("ip", "netns", "pids", name), 10, "the process to be inside")
    netns.remove_leftovers()
    assert name not in netns.run("ip", "netns", "list")
    assert asleep.wait(10) != 0
