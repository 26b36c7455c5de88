"""A shop's networks as real Linux network namespaces: machines, cables and switches, cut by packet filter.

Each machine is a namespace with a card on one or both of two switches: `wan`, by which it reaches the centre and
nobody else, and `lan`, the shop's own, where multicast works. The switches are in a namespace of their own, so that
the machine that runs the tests gets no interface, no address and no route, and nothing leaves it.

A cut is rules of nftables in the cut machine's own namespace: packets vanish without a word, one way or both. The
programs there know nothing of it; their connections live until they find out by themselves.

Needs root and the packages iproute2 and nftables; `why_not` says what is missing. Names hold the process that made
them, so what a killed run left behind is removed by the next one.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

import psutil

WAN: Final = "wan"
LAN: Final = "lan"
NETWORKS: Final = {WAN: "10.77.0", LAN: "10.77.1"}
BOTH_WAYS: Final = frozenset({"in", "out"})
SWITCHES: Final = "switches"
# At the card itself: what is sent is lost without a word, where the usual hook of an output tells the sender so.
# Only IP: who has which address (ARP) is still told, or a cut one way would be one in both.
_HOOKS: Final = {"in": "ingress", "out": "egress"}
COMMAND_S: Final = 20.0
_PATH: Final = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
_NAME: Final = re.compile(r"^tokuten-(\d+)-(\d+)-\d+-[a-z0-9-]+$")
_numbers = count(1)


class NetnsError(RuntimeError):
    """A command of iproute2 or nftables failed; the message says which and why."""


class Cut(NamedTuple):
    """What is dropped at one machine: the network and the direction, as that machine sees it."""

    network: str
    way: str  # "in" or "out"


def run(*words: str, given: str = "") -> str:
    """Run one command; gives what it says. Raises NetnsError."""
    program = shutil.which(words[0], path=_PATH)
    if program is None:
        raise NetnsError(f"{words[0]} is not installed (scripts/install_system.sh)")
    done = subprocess.run(
        [program, *words[1:]], input=given, capture_output=True, text=True, timeout=COMMAND_S, check=False
    )
    if done.returncode:
        raise NetnsError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


@cache
def why_not() -> str:
    """Why namespaces can't be made here; empty: they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    try:
        with Networks(("one",)) as networks:
            networks.cut("one", WAN)
    except NetnsError as error:
        return f"network namespaces can't be made here: {error}"
    return ""


class Networks:
    """See the module. A context manager; `close` removes everything, also what was made only in part."""

    def __init__(self, machines: tuple[str, ...], *, wan_only: tuple[str, ...] = ()) -> None:
        """`wan_only`: of the machines, those that stand elsewhere and not on the shop's own network."""
        remove_leftovers()
        self._prefix = f"{_mine()}-{next(_numbers)}"
        self.machines = machines
        self._cuts: dict[str, frozenset[Cut]] = dict.fromkeys(machines, frozenset())
        try:
            self._make_switches()
            for number, machine in enumerate(machines, start=1):
                self._make(machine, number, (WAN,) if machine in wan_only else (WAN, LAN), machine in wan_only)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Networks:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def namespace(self, machine: str) -> str:
        return f"{self._prefix}-{machine}"

    def inside(self, machine: str) -> tuple[str, ...]:
        """The words that run a command in a machine: the process has the pid that was started."""
        program = shutil.which("ip", path=_PATH)
        assert program is not None, "iproute2 was there a moment ago"
        return (program, "netns", "exec", self.namespace(machine))

    def address(self, machine: str, network: str) -> str:
        return f"{NETWORKS[network]}.{self.machines.index(machine) + 1}"

    # --- cables and switches --------------------------------------------------------------------------

    def _make_switches(self) -> None:
        switches = self.namespace(SWITCHES)
        run("ip", "netns", "add", switches)
        for network in NETWORKS:
            # Without snooping multicast goes to every port, as on the plain switches of shops.
            run("ip", "-n", switches, "link", "add", network, "type", "bridge", "mcast_snooping", "0")
            run("ip", "-n", switches, "link", "set", network, "up")

    def _make(self, machine: str, number: int, networks: tuple[str, ...], at_centre: bool) -> None:
        own, switches = self.namespace(machine), self.namespace(SWITCHES)
        run("ip", "netns", "add", own)
        run("ip", "-n", own, "link", "set", "lo", "up")
        for network in networks:
            port = f"{network}-{number}"
            run("ip", "link", "add", network, "netns", own, "type", "veth", "peer", "name", port, "netns", switches)
            run("ip", "-n", switches, "link", "set", port, "master", network, "up")
            if network == WAN and not at_centre:  # two shops' lines never meet before the centre
                run("bridge", "-n", switches, "link", "set", "dev", port, "isolated", "on")
            run("ip", "-n", own, "address", "add", f"{NETWORKS[network]}.{number}/24", "dev", network)
            run("ip", "-n", own, "link", "set", network, "up")

    # --- cuts -------------------------------------------------------------------------------------------

    def cut(self, machine: str, network: str, ways: frozenset[str] = BOTH_WAYS) -> None:
        """From now on packets of this network vanish at this machine, in these directions."""
        self._filter(machine, self._cuts[machine] | {Cut(network, way) for way in ways})

    def heal(self, machine: str, network: str) -> None:
        self._filter(machine, frozenset(cut for cut in self._cuts[machine] if cut.network != network))

    def heal_all(self) -> None:
        for machine in self.machines:
            self._filter(machine, frozenset())

    def is_cut(self, machine: str, network: str) -> bool:
        """In one direction at least."""
        return any(cut.network == network for cut in self._cuts[machine])

    @property
    def cuts(self) -> Mapping[str, frozenset[Cut]]:
        return self._cuts

    def dropped(self, machine: str) -> int:
        """Packets that vanished since the last change of this machine's cuts."""
        said = run(*self.inside(machine), "nft", "list", "table", "netdev", "tokuten")
        return sum(int(number) for number in re.findall(r"counter packets (\d+)", said))

    def _filter(self, machine: str, cuts: frozenset[Cut]) -> None:
        chains = "\n".join(
            f"  chain {cut.network}_{cut.way} {{\n"
            f'    type filter hook {_HOOKS[cut.way]} device "{cut.network}" priority 0; policy accept;\n'
            f"    meta protocol ip counter drop\n  }}"
            for cut in sorted(cuts)
        )
        # Made, removed and made anew in one transaction: there is no instant without rules, nor with two sets.
        rules = f"table netdev tokuten {{ }}\ndelete table netdev tokuten\ntable netdev tokuten {{\n{chains}\n}}\n"
        run(*self.inside(machine), "nft", "-f", "-", given=rules)
        self._cuts[machine] = cuts

    # --- the end ----------------------------------------------------------------------------------------

    def close(self) -> None:
        for name in _existing():
            if name.startswith(f"{self._prefix}-"):
                _remove(name)


def listens(pid: int, port: int) -> bool:
    """Whether somebody listens on this TCP port in the namespace of the process `pid`."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            if state == "0A" and int(local.rsplit(":", 1)[1], 16) == port:
                return True
    return False


# --- what was left behind -----------------------------------------------------------------------------------


def remove_leftovers() -> None:
    """Remove the namespaces of runs that are over, and end the processes that are still in them."""
    for name in _existing():
        found = _NAME.match(name)
        if found is not None and not _lives(int(found[1]), int(found[2])):
            _remove(name)


def _mine() -> str:
    process = psutil.Process()
    return f"tokuten-{process.pid}-{int(process.create_time())}"


def _lives(pid: int, started_s: int) -> bool:
    try:
        return int(psutil.Process(pid).create_time()) == started_s
    except psutil.Error:
        return False


def _existing() -> list[str]:
    try:
        return [line.split()[0] for line in run("ip", "netns", "list").splitlines() if line.strip()]
    except NetnsError:
        return []


def _remove(name: str) -> None:
    """A namespace lives as long as a process in it: those go first, each by its own pid."""
    with contextlib.suppress(NetnsError):
        for pid in run("ip", "netns", "pids", name).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
    with contextlib.suppress(NetnsError):
        run("ip", "netns", "delete", name)
