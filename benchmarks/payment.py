"""A payment by account, from the lane to the bank and back, and the share of each part.

The whole: a lane's client asks over a local Mosquitto, `tokuten central` takes the selected coupon, computes, writes,
has the sandbox bank debit (its own process, its own books on disk), writes again and answers under its seal. Beside
it, turn by turn, on the same processes:

    without the bank   the same question for an account that nobody has: broker, seal, and one commit of the centre
    the bank alone     a debit asked for by the adapter of the centre, from here

What is left of the whole is the centre's work on a payment: the coupon, the bill, two commits more. Stated.
"""

from __future__ import annotations

import secrets
import signal
import socket
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.figures import Limits, Size, given, in_turn, timed_ms
from central.bank.http_bank import HttpBank
from loyalty.tax import STANDARD_BP, Price
from tests.bank_kit import NUMBER, SandboxBank
from tests.scenario.test_bank_kills import Shop
from tests.servers import Mosquitto, wait_until
from wire.messages import AskSettlement, Settled

ROUNDS: Final = {Size.QUICK: 20, Size.USUAL: 200, Size.FULL: 1_000}
LIMIT_MS: Final = 5_000
PLENTY_YEN: Final = 10**9


def measure(folder: Path, rounds: int) -> Limits:
    """All of it, on fresh processes that are ended."""
    (folder / "broker").mkdir()
    broker, bank = Mosquitto(folder / "broker"), SandboxBank(folder)
    broker.start()
    bank.start()
    shop = Shop(folder, broker, bank)
    bank.fund(PLENTY_YEN)
    try:
        shop.start()
        return _measured(shop, bank, rounds)
    finally:
        if not shop.process_ended:
            shop.end(signal.SIGTERM)
        shop.close()
        bank.stop()
        broker.stop()


def _measured(shop: Shop, bank: SandboxBank, rounds: int) -> Limits:
    direct = HttpBank(bank.url)
    lane = shop.client.paho.socket()
    assert isinstance(lane, socket.socket)
    lane.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as the agent does

    def ask(account: bytes, state: Settled) -> None:
        request = AskSettlement(secrets.token_bytes(16), account, [Price(STANDARD_BP, 1_100)], LIMIT_MS)
        shop.client.heard.clear()
        shop.ask(request)
        wait_until(lambda: shop.told(request), 10, "the answer", every_s=0.0005)
        assert shop.told(request)[0].state is state

    def whole() -> float:
        return timed_ms(lambda: ask(shop.account, Settled.SETTLED))

    def without_bank() -> float:
        return timed_ms(lambda: ask(b"nobody's account", Settled.REFUSED))

    def bank_alone() -> float:
        return timed_ms(lambda: direct.debit(secrets.token_bytes(16), NUMBER, 1_100, LIMIT_MS))

    for side in (whole, without_bank, bank_alone):  # caches, pages and imports
        side()
    took = [median(times) for times in in_turn(rounds, whole, without_bank, bank_alone)]
    limits = Limits()
    centre = took[0] - took[1] - took[2]
    parts = {"broker, seal and one commit": took[1], "the bank": took[2], "the rest of the centre's work": centre}
    shares = ", ".join(f"{name} {ms:.1f} ms ({ms / took[0]:.0%})" for name, ms in parts.items())
    limits.stated("a payment by account, lane to lane, p50", f"{took[0]:.1f} ms: {shares}")
    return limits


def main(arguments: list[str] | None = None) -> int:
    taken = given("A payment by account through a local broker, and the share of each part.", arguments)
    with tempfile.TemporaryDirectory(dir=taken.folder) as folder:
        return measure(Path(folder), ROUNDS[taken.size]).code()


if __name__ == "__main__":
    sys.exit(main())
