"""Bugs planted in production code of the site's network: each is caught, by the question that is meant for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge_agent.hub.rules import SiteRules
from edge_agent.site import talk
from simulator.world.lan_hub import SimHub
from tests.world.lan_kit import Shop
from tests.world.lan_storm import one_way, storm, struck_off
from wire import hub, site_envelope, site_messages
from wire.hub import Hub
from wire.site_envelope import Ear, Keys
from wire.topics import ALL

SEEDS = range(1, 31)  # within so many each bug is found
Patch = pytest.MonkeyPatch
Story = Callable[[int], Shop]


def the_ear_accepts_a_number_twice(patch: Patch) -> None:
    real = Ear.hear

    def hear(self: Ear, keys: Keys, topic: str, sender: str, payload: bytes) -> bytes:
        self._heard.clear()
        return real(self, keys, topic, sender, payload)

    patch.setattr(Ear, "hear", hear)


def the_ear_checks_no_signature(patch: Patch) -> None:
    real = site_envelope._fits
    message = site_envelope._MESSAGE
    patch.setattr(site_envelope, "_fits", lambda key, text, given: text.startswith(message) or real(key, text, given))


def a_message_is_bound_to_no_session(patch: Patch) -> None:
    real = site_envelope._covered
    patch.setattr(site_envelope, "_covered", lambda session, *rest: real(bytes(16), *rest))


def a_message_is_bound_to_no_topic(patch: Patch) -> None:
    real = site_envelope._covered

    def covered(session: bytes, topic: str, voice: bytes, count: int, body: bytes) -> bytes:
        return real(session, "", voice, count, body)

    patch.setattr(site_envelope, "_covered", covered)


def the_ear_is_forgotten_with_each_connection(patch: Patch) -> None:
    real = talk.Talk.connected

    def connected(self: talk.Talk) -> None:
        self._ear = Ear(self.place.session)
        real(self)

    patch.setattr(talk.Talk, "connected", connected)


def the_hub_accepts_any_login(patch: Patch) -> None:
    patch.setattr(SiteRules, "fit", lambda self, user, password: True)


def the_hub_accepts_a_login_twice(patch: Patch) -> None:
    real = SiteRules.fit

    def fit(self: SiteRules, user: str, password: str) -> bool:
        self._used.clear()
        return real(self, user, password)

    patch.setattr(SiteRules, "fit", fit)


def beacons_need_no_signature(patch: Patch) -> None:
    patch.setattr(hub, "beacon_fits", lambda key, body, signature: True)


def the_worse_hub_never_steps_down(patch: Patch) -> None:
    def serve(self: Hub, own: hub._Own, best: hub.Place | None, actions: list[hub.Action]) -> hub.Place:
        ours = hub.Place(self._where.device, own.session, self._rank, own.port, self.addresses)
        return ours if best is None or ours.order < best.order else best

    patch.setattr(Hub, "_serve", serve)


def two_hubs_each_follow_themselves(patch: Patch) -> None:
    def serve(self: Hub, own: hub._Own, best: hub.Place | None, actions: list[hub.Action]) -> hub.Place:
        return hub.Place(self._where.device, own.session, self._rank, own.port, self.addresses)

    patch.setattr(Hub, "_serve", serve)


def nobody_feels_the_pulse(patch: Patch) -> None:
    patch.setattr(Hub, "_feel_pulse", lambda self, now_ms, actions: None)


def a_hub_that_was_doubted_is_never_trusted_again(patch: Patch) -> None:
    patch.setattr(hub, "DOUBT_FIRST_MS", 3_600_000)
    patch.setattr(hub, "DOUBT_CAP_MS", 3_600_000)


def a_link_that_failed_is_not_tried_again(patch: Patch) -> None:
    real = talk.Talk.ended

    def ended(self: talk.Talk, was_up: bool, why: str) -> int:
        real(self, was_up, why)
        return 3_600_000

    patch.setattr(talk.Talk, "ended", ended)


def the_hub_sends_nobody_away(patch: Patch) -> None:
    patch.setattr(SimHub, "use", lambda self, lanes: None)


def a_message_to_one_goes_to_all(patch: Patch) -> None:
    real = site_messages.topic
    patch.setattr(
        "edge_agent.site.talk.topic",
        lambda tenant, site, sender, to: real(tenant, site, sender, to if to == sender else ALL),
    )


BUGS: dict[Callable[[Patch], None], tuple[Story, str]] = {
    the_ear_accepts_a_number_twice: (storm, "heard 2 times"),
    the_ear_checks_no_signature: (storm, "never said"),
    a_message_is_bound_to_no_session: (storm, "heard 2 times"),
    a_message_is_bound_to_no_topic: (storm, "never said"),
    the_ear_is_forgotten_with_each_connection: (storm, "heard 2 times"),
    the_hub_accepts_any_login: (storm, "let a stranger in"),
    the_hub_accepts_a_login_twice: (storm, "let a stranger in"),
    beacons_need_no_signature: (storm, "never was"),
    the_worse_hub_never_steps_down: (storm, "not one hub"),
    two_hubs_each_follow_themselves: (storm, "not one hub"),
    nobody_feels_the_pulse: (storm, "not one hub"),
    a_hub_that_was_doubted_is_never_trusted_again: (one_way, "not one hub"),
    a_link_that_failed_is_not_tried_again: (storm, "not one hub"),
    the_hub_sends_nobody_away: (struck_off, "still hears"),
    a_message_to_one_goes_to_all: (storm, "never said"),
}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_caught_by_its_own_question(bug: Callable[[Patch], None], monkeypatch: Patch) -> None:
    story, question = BUGS[bug]
    bug(monkeypatch)
    for seed in SEEDS:
        try:
            story(seed)
        except AssertionError as caught:
            if question in str(caught):
                return
    pytest.fail(f"not caught in {len(SEEDS)} stories")
