"""Who is let in to a broker, and why not. Without a broker: `server` asks it, and whoever stands in for one."""

from __future__ import annotations

from enum import Enum
from typing import Protocol


class Rules(Protocol):
    """Who may log in, say and hear what."""

    retained_max: int  # topics with a retained message

    def fit(self, user: str, password: str) -> bool:
        """Whether `user` may log in with `password`. Asked once for each try."""

    def may_publish(self, user: str, topic: str) -> bool: ...

    def may_subscribe(self, user: str, topic_filter: str) -> bool: ...


class Refusal(Enum):
    """Why a connection is not let in."""

    LOGIN = "login"  # or a will that it may not say
    HELD = "held"  # another user holds the client id


def refusal(
    rules: Rules, user: str, password: str, *, will_topic: str | None = None, holder: str | None = None
) -> Refusal | None:
    """None: welcome. `holder`: the user who is connected under the same client id now."""
    if not user or not rules.fit(user, password):
        return Refusal.LOGIN
    if will_topic is not None and not rules.may_publish(user, will_topic):
        return Refusal.LOGIN
    if holder is not None and holder != user:
        return Refusal.HELD
    return None
