"""The offers of one person, from what they bought (M9). Pure, and the same for the same rows: nothing is drawn by lot.

A bargain that is about goods fits
- goods that the person bought at least twice (`AGAIN`): the stronger, the more often;
- goods they bought once, or goods that go with something they bought (`ALIKE`): the stronger, the larger the cosine
  between the two, the person's own goods being alike themselves;
and one that is about no goods fits a shop where they buy (`NEAR`): the stronger, the more often they were there.

`AGAIN` goes before `ALIKE` before `NEAR`, then the stronger, then the shop where they buy more often, then what ends
sooner, then the lower number. Left out is what they turned down, were told of before, or whose coupon they have. Each
pick says why: which of their goods it is for, and where they bought that last.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from central.offers.bargains import About, Bargain
from wire.messages import OFFERS_MAX

AGAIN_TIMES: Final = 2
ONE_PPM: Final = 1_000_000
FOR_ONE_KEY_MAX: Final = 50  # bargains about the same goods that are looked at, the soonest to end first


class Why(StrEnum):
    """Why an offer was picked. Stored; never renamed."""

    AGAIN = "again"
    ALIKE = "alike"
    NEAR = "near"


_ORDER: Final = {Why.AGAIN: 3, Why.ALIKE: 2, Why.NEAR: 1}


class Taste(NamedTuple):
    """Goods that somebody bought: where and when last, and in how many purchases."""

    gtin: int
    site: str
    at_ms: int
    times: int


class Alike(NamedTuple):
    """Goods that go with others."""

    gtin: int
    cosine_ppm: int


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of somebody who agreed to offers."""

    tastes: Sequence[Taste] = ()
    visits: Mapping[str, int] = {}  # purchases by site
    bargains_left_out: Container[int] = frozenset()
    campaigns_left_out: Container[int] = frozenset()


class Chosen(NamedTuple):
    """One pick. `gtin`, `site`: what they bought, and where; (0, the shop) for a shop as a whole."""

    bargain: int
    why: Why
    gtin: int
    site: str


class Shelf:
    """The bargains that hold, by what they are about: looking goods up costs the same however many there are."""

    def __init__(self, bargains: Iterable[Bargain]) -> None:
        self._about: dict[tuple[About, str], list[Bargain]] = {}
        self._prefixes: set[int] = set()  # how long those are that any bargain is about
        for one in sorted(bargains, key=lambda one: (one.until_ms, one.id)):
            key = (one.about, one.site if one.about is About.NONE else one.goods)
            if one.about is About.PREFIX:
                self._prefixes.add(len(one.goods))
            same = self._about.setdefault(key, [])
            if len(same) < FOR_ONE_KEY_MAX:
                same.append(one)

    def of_site(self, site: str) -> Sequence[Bargain]:
        """Those about the shop as a whole."""
        return self._about.get((About.NONE, site), ())

    def for_goods(self, gtin: int, category: str) -> Iterator[Bargain]:
        digits = f"{gtin:014}"
        yield from self._about.get((About.GTIN, digits), ())
        for length in self._prefixes:
            yield from self._about.get((About.PREFIX, digits[1 : 1 + length]), ())
        if category:
            yield from self._about.get((About.CATEGORY, category), ())


class _Fit(NamedTuple):
    """How well a bargain fits; the larger, the better."""

    order: int
    strength: int
    visits: int
    ends_sooner: int
    made_sooner: int
    at_ms: int  # among goods that fit alike, those bought last
    lower: int
    chosen: Chosen


def pick(
    person: Person, shelf: Shelf, alike: Mapping[int, Sequence[Alike]], categories: Mapping[int, str]
) -> list[Chosen]:
    """The best offers for this person, at most OFFERS_MAX, best first."""
    best: dict[int, _Fit] = {}
    for fit in _fits(person, shelf, alike, categories):
        number = fit.chosen.bargain
        if number not in best or fit > best[number]:
            best[number] = fit
    return [fit.chosen for fit in sorted(best.values(), reverse=True)[:OFFERS_MAX]]


def _fits(
    person: Person, shelf: Shelf, alike: Mapping[int, Sequence[Alike]], categories: Mapping[int, str]
) -> Iterator[_Fit]:
    def fit(why: Why, strength: int, one: Bargain, taste: Taste) -> Iterator[_Fit]:
        if one.id in person.bargains_left_out or one.campaign in person.campaigns_left_out:
            return
        yield _Fit(
            _ORDER[why],
            strength,
            person.visits.get(one.site, 0),
            -one.until_ms,
            -one.id,
            taste.at_ms,
            -taste.gtin,
            Chosen(one.id, why, taste.gtin, taste.site),
        )

    for taste in person.tastes:
        again = taste.times >= AGAIN_TIMES
        for one in shelf.for_goods(taste.gtin, categories.get(taste.gtin, "")):
            yield from fit(Why.AGAIN if again else Why.ALIKE, taste.times if again else ONE_PPM, one, taste)
        for other, cosine_ppm in alike.get(taste.gtin, ()):
            for one in shelf.for_goods(other, categories.get(other, "")):
                yield from fit(Why.ALIKE, cosine_ppm, one, taste)
    for site, visits in person.visits.items():
        for one in shelf.of_site(site):
            yield from fit(Why.NEAR, visits, one, Taste(0, site, 0, visits))
