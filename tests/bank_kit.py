"""A bank for tests: the sandbox bank as a process, and a centre with people, accounts and shops beside it."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Any, Final

import httpx

from central.bank import accounts, selection, shops
from central.bank.book import Payment, get
from central.bank.http_bank import HttpBank
from central.bank.selection import Selected
from central.bank.teller import Teller
from central.coupons import persons
from loyalty.campaign import Campaign, Kind, Policy
from loyalty.tax import REDUCED_BP, STANDARD_BP, Price, Rounding
from simulator.bank.faults import Fault
from tests.servers import _Process
from tests.unit.central.central_kit import NOW_MS, Centre, Lane, campaign
from wire import topics
from wire.messages import AskSettlement, Command, Settlement, decode, encode

NUMBER: Final = "0001-123-7654321"
FUNDS_YEN: Final = 100_000
LIMIT_MS: Final = 700


class SandboxBank(_Process):
    """`python -m simulator.bank`."""

    def command(self) -> list[str]:
        books = str(self.folder / "bank.db")
        return [sys.executable, "-m", "simulator.bank", "--ledger", books, "--port", str(self.port)]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fault(self, fault: Fault, times: int = 1) -> None:
        self._control("PUT", "fault", {"fault": fault.value, "times": times})

    def fund(self, balance_yen: int, number: str = NUMBER) -> None:
        self._control("PUT", "accounts", {"account": number, "balance_yen": balance_yen})

    def release(self) -> None:
        self._control("POST", "release")

    @property
    def held(self) -> int:
        return int(self._control("GET", "books")["held"])

    @property
    def movements(self) -> list[int]:
        """What went out of accounts and back, in its order."""
        return [-yen for _, _, yen in self._control("GET", "books")["movements"]]

    @property
    def balance_yen(self) -> int:
        return int(self._control("GET", "books")["balances"][NUMBER])

    def _control(self, method: str, what: str, body: dict[str, object] | None = None) -> Any:
        answer = httpx.request(method, f"{self.url}/control/{what}", json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()


ONLINE: Final[dict[str, Any]] = {"policy": Policy.ONLINE}
CAMPAIGNS: Final = (
    campaign(1, **ONLINE),  # 100 yen off
    campaign(2, kind=Kind.PERCENT, amount_yen=0, percent=20, name="20%引き", **ONLINE),
    campaign(3, policy=Policy.SIGNED),
    campaign(4, kind=Kind.GIFT, amount_yen=0, gift="石けん", **ONLINE),
    campaign(5, amount_yen=300, min_spend_yen=3_000, **ONLINE),
    campaign(6, amount_yen=500, shops=("shinjuku",), **ONLINE),
)


class House:
    """A centre whose shop 'ginza' owes tax and whose 'kanda' does not, and Hanako, who has an account."""

    def __init__(self, folder: Path, bank: SandboxBank, *more: Campaign) -> None:
        self.bank = bank
        self.centre = Centre(folder, *CAMPAIGNS, *more)
        self.lane, self.kanda, self.far = Lane("lane-1", "ginza"), Lane("lane-2", "kanda"), Lane("lane-3", "shinjuku")
        self.centre.enrol(self.lane, self.kanda, self.far)
        self.database = self.centre.office.database
        with self.database.write() as connection:
            shops.put(connection, "ginza", liable=True, rounding=Rounding.FLOOR)
            shops.put(connection, "kanda", liable=False, rounding=Rounding.FLOOR)
            self.hanako = persons.add(connection, "hanako", persons.hash_password("secret"), NOW_MS)
            self.account = accounts.add(connection, self.centre.office.keys, self.hanako, NUMBER, NOW_MS).id
        bank.fund(FUNDS_YEN)
        self.now_ms = NOW_MS
        self.open()

    def open(self) -> None:
        """The tellers of a centre that starts: nobody's threads, so that each step is a test's own."""
        keys = self.centre.office.keys
        self.teller = Teller(self.database, keys, HttpBank(self.bank.url), LIMIT_MS, lambda: self.now_ms)
        self.centre.desk._teller = self.teller
        self.teller.recover()

    def select(self, number: int) -> Selected | selection.No | object:
        keys = self.centre.office.keys
        with self.database.write() as connection:
            return selection.select_coupon(
                connection, keys, self.hanako, self.account, number, self.now_ms, proven=True
            )

    def request(self, *yen: int, **terms: Any) -> AskSettlement:
        """Goods of the standard rate, then of the reduced one."""
        lines = [Price(rate_bp, one) for rate_bp, one in zip((STANDARD_BP, REDUCED_BP), yen, strict=False)]
        plain: dict[str, Any] = {
            "question": secrets.token_bytes(16), "account": self.account, "lines": lines, "wait_ms": 5_000,
        }  # fmt: skip
        return AskSettlement(**{**plain, **terms})

    def ask(self, request: AskSettlement, lane: Lane | None = None) -> list[Settlement]:
        """What the lane is told at once, without the bank."""
        address = (self.lane if lane is None else lane).address  # a lane without facts is falsy
        sent = self.centre.desk.handle(address.topic(topics.UP_REQ), encode(request), self.now_ms)
        return [decode(self.centre.opened(message), Command) for message in sent]

    def told(self) -> list[Settlement]:
        """What lanes are told once the bank was asked."""
        return [decode(self.centre.opened(message), Command) for message in self.centre.desk.paid()]

    def pay(self, request: AskSettlement, lane: Lane | None = None) -> Settlement:
        """Asked, debited, answered."""
        assert self.ask(request, lane) == []
        self.teller.pay(request.question)
        (answer,) = [one for one in self.told() if one.question == request.question]
        return answer

    def withdraw(self, question: bytes, lane: Lane | None = None) -> None:
        lane = self.lane if lane is None else lane
        lane.cancel(question, campaign=0)
        ack = self.centre.book(lane, len(lane))
        assert (ack.status, ack.aside) == ("ok", 0)

    def mend(self) -> None:
        """The clerk's turn, whenever that is."""
        self.now_ms += 1_000_000
        self.teller.mend()

    def payment(self, question: bytes) -> Payment:
        with self.database.read() as connection:
            payment = get(connection, question)
        assert payment is not None
        return payment

    def close(self) -> None:
        self.centre.close()
