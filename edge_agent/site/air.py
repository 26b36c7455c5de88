"""Beacons over UDP on the shop's network: a multicast group, and named addresses for networks without multicast.

Opened and read by one thread. Nothing blocks; a network that is not there is an `AirError`, once translated, and the
caller tries again. What comes in is anybody's: `wire.hub` decides what it is worth.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
from typing import Final

from edge_agent.settings import SiteNetwork
from wire.hub import ADDRESSES_MAX, BEACON_BYTES_MAX

TAKE_MAX: Final = 100  # datagrams taken in one turn
SIOCGIFADDR: Final = 0x8915
_TTL: Final = 1  # beacons do not leave the shop's network


class AirError(OSError):
    """The network can't be used now; the message says why."""


def own_addresses() -> list[str]:
    """The IPv4 addresses of this machine's interfaces, without the loopback's."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                answer = fcntl.ioctl(sock.fileno(), SIOCGIFADDR, request)
            except OSError:
                continue  # an interface without an address
            address = socket.inet_ntoa(answer[20:24])
            if not address.startswith("127."):
                found.append(address)
    return found[:ADDRESSES_MAX]


class Air:
    """Open sockets. Raises AirError where that fails."""

    def __init__(self, settings: SiteNetwork) -> None:
        self._settings = settings
        self.addresses = list(settings.addresses) or own_addresses()
        if not self.addresses:
            raise AirError("no network interface has an address")
        self._group, self._port = settings.multicast, settings.beacon_port
        self._named = [_endpoint(peer, settings.beacon_port) for peer in settings.peers]
        self.sockets: list[socket.socket] = []
        try:
            self._open()
        except OSError as error:
            self.close()
            raise AirError(f"beacons can't be sent or heard: {error}") from error

    def changed(self) -> bool:
        """Whether the interfaces have other addresses by now."""
        return not self._settings.addresses and own_addresses() != self.addresses

    def _open(self) -> None:
        near = self.addresses[0] if len(self.addresses) == 1 else ""
        self._out = self._bound(near)
        self._out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, _TTL)
        if self._group:
            heard = self._bound(self._group)  # on Linux: what is sent to the group, and nothing else
            for address in self.addresses:
                both = socket.inet_aton(self._group) + socket.inet_aton(address)
                heard.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, both)

    def _bound(self, address: str) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sockets.append(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # several units on one machine
        sock.bind((address, self._port))
        sock.setblocking(False)
        return sock

    def send(self, datagram: bytes) -> None:
        """To the whole site. Raises AirError when it went nowhere at all."""
        sent, trouble = 0, ""
        for address in self.addresses if self._group else ():
            try:
                self._out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
                self._out.sendto(datagram, (self._group, self._port))
                sent += 1
            except OSError as error:
                trouble = str(error)
        for named in self._named:
            try:
                self._out.sendto(datagram, named)
                sent += 1
            except OSError as error:  # also what an earlier one brought back: nobody listens there
                trouble = str(error)
        if trouble and not sent:
            raise AirError(f"a beacon went nowhere: {trouble}")

    def take(self) -> list[bytes]:
        """What has come in, at most `TAKE_MAX`."""
        out: list[bytes] = []
        for sock in self.sockets:
            with contextlib.suppress(OSError):  # nothing more there; or a report that an earlier beacon reached nobody
                while len(out) < TAKE_MAX:
                    out.append(sock.recv(BEACON_BYTES_MAX + 1))
        return out

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()


def _endpoint(text: str, port: int) -> tuple[str, int]:
    """`address` or `address:port`."""
    address, _, given = text.partition(":")
    return address, int(given) if given.isdecimal() else port
