"""Who pays by account pays once, for what they were given, and for nothing else (B2, B6).

- While a life goes on: one payment is never said to be settled with two different amounts.
- At rest, by the bank's own movements: whoever saw 'settled' was debited that amount, once and for good; a payment that
  its lane withdrew is not debited, or was paid back; nothing moved twice in one direction.
- The centre's book says of every payment what the bank did, and leaves none open.

The sale may have been taken back: then it was paid back, whole, or a person was told. A disk that was restored, spoilt
or thrown away may withdraw what its shopper saw settled: then the money goes back, and only the sums are held. A
database that was restored may not know what a bank did before.
"""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, Final

from simulator.world.checks import stores
from simulator.world.checks.base import Watch
from simulator.world.checks.facts import Other, read
from simulator.world.checks.stores import Disk, Unreadable
from simulator.world.observe import (
    AtRest,
    CentreRestored,
    DiskRestored,
    DiskSpoilt,
    PaymentSeen,
    Receipt,
    Seen,
    TakenBack,
    WrittenOff,
)

ENDED: Final = frozenset({"settled", "refused", "void"})


class PaidOnce(Watch):
    """See the module."""

    name: ClassVar = "paid-once"

    def __init__(self) -> None:
        self._seen: dict[str, PaymentSeen] = {}
        self._back: set[bytes] = set()  # sales that somebody brought back: their debits may have gone back
        self._loose: set[str] = set()  # devices whose journals are not what they were
        self._forgot = False

    def saw(self, seen: Seen) -> None:
        if isinstance(seen, DiskRestored | DiskSpoilt | WrittenOff):
            self._loose.add(seen.device)
        elif isinstance(seen, CentreRestored):
            self._forgot = True
        elif isinstance(seen, TakenBack):
            self._back.add(seen.sale)
        elif isinstance(seen, Receipt) and seen.debit_yen is not None:
            self.saw(PaymentSeen(seen.at_ms, seen.device, seen.payment, seen.debit_yen, seen.sale))
        elif isinstance(seen, PaymentSeen):
            before = self._seen.setdefault(seen.payment.hex(), seen)
            if before.yen != seen.yen:
                self.broken(f"payment {seen.payment.hex()} was settled with {before.yen} yen, and with {seen.yen} yen")

    def at_rest(self, world: AtRest) -> None:
        net = self._net(world.bank)
        for name, seen in self._seen.items():
            back = seen.sale in self._back and not net[name]
            if seen.device not in self._loose and net[name] != -seen.yen and not back:
                self.broken(f"{seen.device} said that {seen.yen} yen are settled ({name}); the bank has {-net[name]}")
        try:
            with stores.opened(world.centre) as disk:
                self._withdrawn(disk, net)
                self._book(disk, net)
        except Unreadable as error:
            self.broken(f"the centre's database can't be read: {error}")

    def _net(self, movements: tuple[tuple[str, int], ...]) -> Counter[str]:
        """What moved for each payment in the end."""
        net: Counter[str] = Counter()
        ways: Counter[tuple[str, bool]] = Counter()
        for payment, yen in movements:
            net[payment] += yen
            ways[payment, yen < 0] += 1
            if ways[payment, yen < 0] > 1:
                self.broken(f"the bank moved {yen} yen twice for payment {payment}")
        return net

    def _withdrawn(self, disk: Disk, net: Counter[str]) -> None:
        for device, body in disk.rows(
            "SELECT d.name, f.body FROM facts f JOIN epochs e ON e.id = f.epoch_id"
            " JOIN devices d ON d.id = e.device_id WHERE f.type = 'cx'"
        ):
            fact = read(body)
            if isinstance(fact, Other) and device not in self._loose:
                question, campaign, _ = fact.fields
                if not campaign and net[question.hex()]:
                    self.broken(f"{device} withdrew payment {question.hex()}, and {-net[question.hex()]} yen are gone")

    def _book(self, disk: Disk, net: Counter[str]) -> None:
        known: set[str] = set()
        for question, state, debit_yen, withdrawn_alone in disk.rows(
            "SELECT question, state, debit_yen, digest = x'' FROM bank_settlements"
        ):
            name = question.hex()
            known.add(name)
            if state not in ENDED:
                self.broken(f"payment {name} is still {state}")
            owed = debit_yen if state == "settled" else 0
            if -net[name] != owed:
                told = "as withdrawn" if withdrawn_alone else f"as {state}, {debit_yen} yen"
                self.broken(f"the centre has payment {name} {told}; the bank debited {-net[name]}")
        unknown = [name for name, yen in net.items() if yen and name not in known]
        if unknown and not self._forgot:
            self.broken(f"the bank debited payment {unknown[0]}, of which the centre knows nothing")
