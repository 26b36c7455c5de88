"""What the demo puts into a new centre: database, keys, the story, its kiosk, and the people's cards and accounts."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from central import office, registry
from central.incarnation import current
from central.members import card_balances, giving, membership
from central.members.card_balances import Wanted
from central.office import Office
from central.settings import CentralSettings
from edge_agent.identity import device_key
from loyalty.campaign import Campaign, benefit
from loyalty.card import Balance, Record
from loyalty.card_slots import Chip, plan
from simulator import shopping, story
from simulator.bank.ledger import Ledger
from simulator.home import Home
from simulator.kiosk.pocket import Pocket
from simulator.kiosk.stage import Member
from simulator.kiosk.symbol import symbol
from simulator.wallet import Wallet


def prepare_centre(home: Home, device: str, site: str, utc_offset_min: int) -> str:
    """Make what is missing of the centre, tell it the story, enrol the kiosk; gives the centre's public key.

    Can be called again, also after it was interrupted. Raises OfficeError, KeyFileError, StorageError.
    """
    settings = CentralSettings(tenant=story.TENANT, data_dir=str(home.central), utc_offset_min=utc_offset_min)
    now_ms = office.now_ms()
    home.central.mkdir(exist_ok=True, mode=0o700)
    with office.alone(settings):
        centre = office.create(settings)
        try:
            with centre.database.read() as connection:
                incarnation = current(connection)
            pocket = Pocket(home.phone_seed())
            phones = {one.name: pocket.public(one.name) for one in story.PEOPLE}
            story.load(centre.database, centre.keys, incarnation, now_ms, phones)
            shopping.load(centre.database, centre.keys, incarnation, now_ms, settings.utc_offset_min)
            give_cards(centre, Wallet(home.wallet), site, now_ms)
            with centre.database.write() as connection:
                public = device_key(home.unit).verify_key.encode()
                registry.add_device(connection, device, site, public, now_ms)
            return centre.keys.centre().verify_key.encode().hex()
        finally:
            centre.close()


def give_cards(centre: Office, wallet: Wallet, site: str, now_ms: int) -> None:
    """A member card for everybody of the story who has none in the wallet, given out at the desk of `site`.

    As `tokuten card issue` does it, and `reissue` where the wallet was lost.
    """
    for one in story.PEOPLE:
        if one.name in wallet.tags:
            continue
        with centre.database.write() as connection:
            member = membership.find_or_enrol(connection, one.name)
            if member is None:  # they have erased their account
                continue
            secret = centre.keys.cache_secret()
            after = giving.next_card(connection, secret, member, uid=one.uid, chip=Chip.NTAG213, now_ms=now_ms)
            wanted = Wanted(after.person.holder, site)
            points = card_balances.usable(connection, [wanted], now_ms)[wanted]
        balances = tuple(Balance(programme, usable) for programme, usable in points)
        record = Record(holder=after.person.holder, generation=after.generation, balances=balances)
        made = plan(record, None, Chip.NTAG213, one.uid, centre.keys.cards()[0][1])
        assert made is not None, "a first record can be written"
        wallet.put(one.name, one.uid, made.data)
    wallet.fill()
    wallet.keep()


def open_accounts(home: Home) -> None:
    """The people's accounts at the sandbox bank, unless its books are there."""
    if home.bank.exists():
        return
    bank = Ledger(home.bank)
    for _, number, yen in shopping.ACCOUNTS:
        bank.open(number, yen)


def operator_token(home: Home) -> Path:
    return CentralSettings(data_dir=str(home.central)).operator_token_path


def members() -> list[Member]:
    return [Member(one.name, one.password, one.about, one.colours) for one in story.PEOPLE]


def names() -> dict[int, str]:
    return {campaign.id: campaign.name for campaign in _campaigns()}


def places() -> dict[str, str]:
    return dict(story.SITES)


def leaflets() -> list[dict[str, Any]]:
    """The story's printed coupons (EAN), as the page shows them."""
    return [
        {
            "campaign": campaign.id,
            "name": campaign.name,
            "benefit": {"ja": benefit(campaign, "ja"), "en": benefit(campaign, "en")},
            "text": campaign.jan,
            "symbol": symbol(campaign.jan),
        }
        for campaign in _campaigns()
        if campaign.jan
    ]


def _campaigns() -> list[Campaign]:
    return story.campaigns(time.time_ns() // 1_000_000)
