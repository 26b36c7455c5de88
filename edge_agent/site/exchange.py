"""Parts of limits and homes of serials over the site's network, on the deciding thread.

What other lanes say becomes events for the core, which alone decides and writes; what the core does goes out. A given
part is offered until the other lane has it on disk; a part is sought from one lane after the other while the centre is
out of reach.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from edge_agent.core import events as ev
from edge_agent.core.effects import AnswerHome, AskKeeper, HandOver, TellTaken
from edge_agent.store.store import Store
from loyalty.lease import Amount, Pot
from loyalty.reason import Reason
from wire import site_exchange as wire
from wire.site_messages import SiteMessage

FromLane = ev.PartWanted | ev.PartOffered | ev.HomeWanted | ev.Answered
ToLane = HandOver | TellTaken | AskKeeper | AnswerHome


class Speaker(Protocol):
    """The site's network, as far as it is needed here."""

    def send(self, device: str, message: SiteMessage) -> bool: ...

    def lanes(self, now_ms: int) -> dict[str, int]: ...


class Exchange:
    """See the module. `decide` hands an event to the core."""

    def __init__(self, site: Speaker, store: Store, decide: Callable[[FromLane], Any]) -> None:
        self._site, self._store, self._decide = site, store, decide
        self._seeking = wire.Seeking()
        self._offer_at_ms = 0
        self._alone = True  # nobody was there at the last look

    def use(self, store: Store) -> None:
        """Speak for this store from now on."""
        self._store = store

    # --- what other lanes say -------------------------------------------------------------------------

    def heard(self, device: str, message: SiteMessage) -> None:
        """A message of `wire.site_exchange.KINDS`. Raises StoreError."""
        if isinstance(message, wire.SeekPart):
            self._decide(ev.PartWanted(device=device, pot=message.pot, amount=message.amount))
        elif isinstance(message, wire.OfferPart):
            self._decide(
                ev.PartOffered(transfer=message.transfer, giver=device, pot=message.pot, amount=message.amount)
            )
            self._seeking.got(message.pot)
        elif isinstance(message, wire.TookPart):
            with self._store.transaction():
                self._store.parts.arrived(message.transfer, device)
        elif isinstance(message, wire.AskHome):
            self._decide(
                ev.HomeWanted(
                    question=message.question,
                    campaign=message.campaign,
                    serial=message.serial,
                    device=device,
                    by_lane=True,
                )
            )
        elif isinstance(message, wire.HomeAnswer):
            reason = Reason(message.reason) if message.reason in _REASONS else Reason.NOT_HOME
            self._decide(
                ev.Answered(
                    question=message.question,
                    granted=message.left,
                    reason=Reason.OK if message.left else reason,
                    at_ms=message.at_ms,
                    site=message.site,
                )
            )

    # --- what the core does ---------------------------------------------------------------------------

    def perform(self, effect: ToLane) -> None:
        if isinstance(effect, HandOver):
            self._site.send(effect.to, wire.OfferPart(effect.transfer, effect.pot, effect.amount))
        elif isinstance(effect, TellTaken):
            self._site.send(effect.giver, wire.TookPart(effect.transfer))
        elif isinstance(effect, AskKeeper):
            self._site.send(effect.keeper, wire.AskHome(effect.question, effect.campaign, effect.serial))
        else:
            answer = wire.HomeAnswer(effect.question, effect.left, effect.reason, effect.at_ms, effect.site)
            self._site.send(effect.device, answer)

    def seek(self, pot: Pot, amount: Amount) -> None:
        """There is too little here, and the centre can't be asked."""
        self._seeking.want(pot, amount)

    def pump(self, now_ms: int) -> None:
        """What is due. Raises StoreError."""
        lanes = self._site.lanes(now_ms)
        self._alone = not lanes
        if self._alone:
            return
        for ask in self._seeking.poll(sorted(lanes), now_ms):
            self._site.send(ask.device, wire.SeekPart(ask.pot, ask.amount))
        if now_ms >= self._offer_at_ms:
            self._offer_at_ms = now_ms + wire.OFFER_EVERY_MS
            for given in self._store.parts.under_way(wire.OFFERS_AT_ONCE):
                if given.to in lanes:
                    self._site.send(given.to, wire.OfferPart(given.transfer, given.pot, given.amount))

    def due_ms(self) -> int | None:
        """When `pump` may have something by time alone: never, while there is nobody to ask."""
        return None if self._alone else self._seeking.due_ms()


_REASONS = frozenset(reason.value for reason in Reason)
