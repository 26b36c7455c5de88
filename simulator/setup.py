"""What the demo puts into a new centre: database, keys, the story, and the enrolment of its kiosk."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from central import office, registry
from central.incarnation import current
from central.settings import CentralSettings
from edge_agent.identity import device_key
from loyalty.campaign import Campaign, benefit
from simulator import story
from simulator.home import Home
from simulator.kiosk.pocket import Pocket
from simulator.kiosk.stage import Member
from simulator.kiosk.symbol import symbol


def prepare_centre(home: Home, device: str, site: str) -> str:
    """Make what is missing of the centre, tell it the story, enrol the kiosk; gives the centre's public key.

    Can be called again, also after it was interrupted. Raises OfficeError, KeyFileError, StorageError.
    """
    settings = CentralSettings(tenant=story.TENANT, data_dir=str(home.central))
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
            with centre.database.write() as connection:
                public = device_key(home.unit).verify_key.encode()
                registry.add_device(connection, device, site, public, now_ms)
            return centre.keys.centre().verify_key.encode().hex()
        finally:
            centre.close()


def operator_token(home: Home) -> Path:
    return CentralSettings(data_dir=str(home.central)).operator_token_path


def members() -> list[Member]:
    return [Member(one.name, one.password, one.about, one.colours, one.uid) for one in story.PEOPLE]


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
