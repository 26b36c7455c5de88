"""A browser without a screen, in front of the real application and a real database."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from litestar.testing import TestClient
from msgspec.structs import replace

from central import registry, staff
from central.coupons import download, issue, persons
from central.coupons.download import Given
from central.office import now_ms
from central.staff import Role
from loyalty.campaign import Campaign
from tests.unit.central.central_kit import Centre, campaign

PASSWORD = "correct horse"
QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)  # argon2id still, but not for real people
_TOKEN = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


class Browser:
    """Follows links and sends forms as a browser does, with the token of the page it is on."""

    def __init__(self, client: TestClient[Any], lang: str = "en") -> None:
        self.client = client
        self.headers = {"accept-language": lang}
        self.client.cookies.clear()
        self.token = ""

    def get(self, path: str, **headers: str) -> httpx.Response:
        answer = self.client.get(path, headers={**self.headers, **headers}, follow_redirects=False)
        found = _TOKEN.search(answer.text)
        self.token = found[1] if found else self.token
        return answer

    def post(self, path: str, form: dict[str, str] | None = None, **headers: str) -> httpx.Response:
        data = {"csrf": self.token, **(form or {})}
        return self.client.post(path, data=data, headers={**self.headers, **headers}, follow_redirects=False)

    def log_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        self.get("/login")
        answer = self.post("/login", {"name": name, "password": password})
        self.get("/offers")
        return answer

    def log_in_as_staff(self, name: str, password: str = PASSWORD) -> httpx.Response:
        self.get("/staff")
        answer = self.post("/staff", {"name": name, "password": password})
        self.get("/offers")
        return answer

    def register(self, name: str, password: str = PASSWORD, **more: str) -> httpx.Response:
        self.get("/register")
        form = {"name": name, "password": password, "again": password, "service": "yes", **more}
        answer = self.post("/register", form)
        self.get("/offers")
        return answer


def shops(folder: Path) -> Centre:
    """Two providers, two sites, two people, one of each role."""
    centre = Centre(
        folder,
        campaign(1, stock=2, first_number=98338, name="S楽器100円券"),
        campaign(2, provider="Dレコード", name="Dレコード割引"),
    )
    hashed = persons.hash_password(PASSWORD)
    with centre.office.database.write() as connection:
        for site, title in (("ginza", "銀座"), ("urawa", "浦和")):
            registry.add_site(connection, site, title)
        for name in ("AAA", "BBB"):
            persons.add(connection, name, hashed, now_ms())
        staff.add(connection, "ginza", hashed, Role.SHOP, now_ms(), site="ginza")
        staff.add(connection, "urawa", hashed, Role.SHOP, now_ms(), site="urawa")
        staff.add(connection, "gakki", hashed, Role.PROVIDER, now_ms(), provider="S楽器")
        staff.add(connection, "record", hashed, Role.PROVIDER, now_ms(), provider="Dレコード")
        staff.add(connection, "ops", hashed, Role.OPERATOR, now_ms())
    return centre


def give(centre: Centre, name: str, number: int) -> Given:
    """A download of that person, as if made before."""
    with centre.office.database.write() as connection:
        person = persons.find(connection, name)
        given = download.download(connection, centre.office.keys, number, person, proven=True, now_ms=now_ms())
    assert isinstance(given, Given)
    return given


def set_http(centre: Centre, **changes: bool) -> None:
    """Settings of [central.http], before the application is made."""
    settings = centre.office.settings
    centre.office.settings = replace(settings, http=replace(settings.http, **changes))


def entered(centre: Centre, *more: Campaign) -> None:
    with centre.office.database.write() as connection:
        for one in more:
            issue.issue(connection, one, now_ms())
