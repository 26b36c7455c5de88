"""Every screen worth looking at, by name: for the golden pictures, and for people's eyes.

.venv/bin/python -m tests.unit.screens.screens_gallery            writes golden/*.png
.venv/bin/python -m tests.unit.screens.screens_gallery sheet.png  writes one enlarged sheet of all
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final, get_args

from PIL import Image

from edge_agent.core.effects import Show, View
from edge_agent.screens import lane, states
from edge_agent.screens.layout import draw
from edge_agent.screens.screen import Screen, Status
from loyalty.basket import Missing
from loyalty.campaign import Campaign, Kind, Lang, Policy
from loyalty.coupon import Coupon, Verdict
from loyalty.reason import Reason
from loyalty.terms import Purchase, Unit

GOLDEN: Final = Path(__file__).with_name("golden")
TZ_OFFSET_MIN: Final = 540
NEW_YEAR_MS: Final = 1_767_225_600_000
LANGS: Final[tuple[Lang, ...]] = get_args(Lang)
ONLINE: Final = Status(clock="14:05", online=True)
OFFLINE: Final = Status(clock="14:05", online=False, waiting=128)
_ENLARGED: Final = 3
_COLUMNS: Final = 6


def campaign(lang: Lang, **changes: object) -> Campaign:
    name = "夏の感謝クーポン" if lang == "ja" else "Summer thank-you"
    given = {"id": 7, "name": name, "kind": Kind.AMOUNT, "policy": Policy.SIGNED, "provider": "main", "amount_yen": 100}
    return Campaign(**(given | {"per_person": 3} | changes))  # type: ignore[arg-type]


def verdict(reason: Reason, lang: Lang, **changes: object) -> Verdict:
    given = {"campaign": campaign(lang), "coupon": Coupon(campaign=7), "at_ms": NEW_YEAR_MS, "needed_yen": 1200}
    lack = Missing(Purchase(value=3, unit=Unit.ITEMS, company="0614141", family="000"), 2)
    return Verdict(reason=reason, **(given | {"site": "shinjuku-1", "missing": lack} | changes))  # type: ignore[arg-type]


def gallery(lang: Lang) -> dict[str, Screen]:
    screens = {
        "ready": states.ready(lang, ONLINE),
        "ready_offline": states.ready(lang, OFFLINE),
        "seen": states.seen(lang, 3),
        "checking": states.checking(lang, 1),
        "asking": states.asking(lang, 5),
        "starting": states.starting(lang),
        "card": states.card_greeting(lang),
        "out_of_service": states.out_of_service(lang, OFFLINE),
        "updating": states.updating(lang, 40),
        "basket": lane.basket(lang, 12_800),
        "paid": lane.paid(lang, 1_280),
        "paid_plain": lane.paid(lang, 0),
        "paying": lane.paying(lang, 1_100),
        "settled": lane.settled(lang, 990, campaign(lang).name, 110),
        "settled_plain": lane.settled(lang, 1_100, "", 0),
        "released": lane.released(lang),
        "earned": lane.points(lang, 1_280, spent=False),
        "spent": lane.points(lang, 500, spent=True),
        "reversed": lane.reversed_sale(lang, 0),
        "reversed_part": lane.reversed_sale(lang, 12_800),
        "card_offer": lane.card_offer(lang, "http://127.0.0.1:8470/card/Zm9vYmFyYmF6cXV4MTIzNA"),
        "card_given": lane.card_given(lang, "4821093757"),
        "card_writing": states.screen_for(Show(view=View.CARD_WRITING), lang, TZ_OFFSET_MIN, ONLINE),
        "foreign_card": lane.foreign_card(lang),
        "verdict_ok_discount": states.answer(verdict(Reason.OK, lang, discount_yen=100), lang, TZ_OFFSET_MIN),
    }
    for reason in Reason:
        screens[f"verdict_{reason.value}"] = states.answer(verdict(reason, lang), lang, TZ_OFFSET_MIN)
    return screens


def _sheet() -> Image.Image:
    pictures = [draw(screen) for lang in LANGS for screen in gallery(lang).values()]
    width, height = 128 * _ENLARGED, 64 * _ENLARGED
    rows = -(-len(pictures) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * (width + 8), rows * (height + 8)), (90, 90, 90))
    for index, picture in enumerate(pictures):
        shown = Image.new("RGB", (width, height), (8, 10, 14))
        shown.paste((190, 230, 255), mask=picture.resize((width, height), Image.Resampling.NEAREST))
        sheet.paste(shown, (index % _COLUMNS * (width + 8) + 4, index // _COLUMNS * (height + 8) + 4))
    return sheet


def main() -> None:
    if len(sys.argv) > 1:
        _sheet().save(sys.argv[1])
        return
    for old in GOLDEN.glob("*.png"):
        old.unlink()
    for lang in LANGS:
        for name, screen in gallery(lang).items():
            draw(screen).save(GOLDEN / f"{name}.{lang}.png", optimize=True)


if __name__ == "__main__":
    main()
