"""What was issued: every state that a campaign has had, and what the centre's table says of it now."""

from __future__ import annotations

import msgspec

from loyalty.campaign import HOLDING, Campaign, Policy
from simulator.world.checks.stores import Disk
from simulator.world.observe import CentreRestored, Issued, Seen


class Issues:
    """Fed with every observation."""

    def __init__(self) -> None:
        self._states: dict[int, list[Issued]] = {}
        self._restores: list[CentreRestored] = []

    def saw(self, seen: Seen) -> None:
        if isinstance(seen, Issued):
            self._states.setdefault(seen.campaign.id, []).append(seen)
        elif isinstance(seen, CentreRestored):
            self._restores.append(seen)

    def known(self, campaign: int) -> bool:
        return campaign in self._states

    def states(self, campaign: int) -> list[Campaign]:
        """Every state that it has ever had, oldest first."""
        return [one.campaign for one in self._states.get(campaign, ())]

    def policies(self, campaign: int) -> set[Policy]:
        return {state.policy for state in self.states(campaign)}

    def always_held(self, campaign: int) -> bool:
        """Whether its cap and budget could be held from its first day on."""
        policies = self.policies(campaign)
        return bool(policies) and policies <= HOLDING

    def cap(self, campaign: int) -> int | None:
        """The highest it has ever had; None: at some time there was none."""
        caps = [state.cap for state in self.states(campaign)]
        return None if None in caps or not caps else max(cap for cap in caps if cap is not None)

    def budget_yen(self, campaign: int) -> int | None:
        """The same of the budget."""
        budgets = [state.budget_yen for state in self.states(campaign)]
        return None if None in budgets or not budgets else max(yen for yen in budgets if yen is not None)

    def per_person(self, campaign: int) -> int | None:
        """The same of what one person may have."""
        limits = [state.per_person for state in self.states(campaign)]
        return None if None in limits or not limits else max(limit for limit in limits if limit is not None)

    def forgotten(self, campaign: int) -> bool:
        """Whether the centre forgot it with a restore: facts about it may have come before it was known again."""
        first_ms = min((one.at_ms for one in self._states.get(campaign, ())), default=0)
        return any(one.backup_ms <= first_ms <= one.at_ms for one in self._restores)


def campaigns(disk: Disk) -> list[Campaign]:
    """The campaigns as the centre has them now."""
    return [
        msgspec.msgpack.decode(body, type=Campaign) for (body,) in disk.rows("SELECT body FROM campaigns ORDER BY id")
    ]
