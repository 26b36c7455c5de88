"""The person's pages under a load of 50 people at once: how long one takes, and that none fails.

A real `tokuten central` process on SQLite; each person holds coupons of their own and asks for one page after the
other, 50 of them at the same time. Beside it the same load on a page that asks the database for nothing but the session
(`/offline`): what is above that is the page's own work.

    none fails; times and shares are stated
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

import httpx

from benchmarks.figures import Limits, Size, given, percentile
from central.coupons import download, issue, persons
from central.office import create, now_ms
from central.settings import CentralSettings
from loyalty.campaign import Campaign, Kind, Policy
from tests.servers import ROOT, free_port, listens, wait_until

AT_ONCE: Final = 50
COUPONS: Final = 20
ROUNDS: Final = {Size.QUICK: 4, Size.USUAL: 20, Size.FULL: 100}
HOUR_MS: Final = 3_600_000
START_S: Final = 60.0


def made(folder: Path) -> list[tuple[str, int]]:
    """A centre with people who hold coupons; (session, number of a coupon) of each."""
    office = create(CentralSettings(data_dir=str(folder)))
    now = now_ms()
    found = []
    with office.database.write() as connection:
        for number in range(1, COUPONS + 1):
            terms = Campaign(
                id=number,
                name=f"クーポン{number}",
                kind=Kind.AMOUNT,
                amount_yen=100,
                policy=Policy.SIGNED,
                provider="S楽器",
            )
            issue.issue(connection, terms, now)
        for who in range(AT_ONCE):
            person = persons.add(connection, f"person {who}", "!", now)
            for number in range(1, COUPONS + 1):
                download.download(connection, office.keys, number, person, proven=True, now_ms=now)
            found.append((persons.open_session(connection, person, now, HOUR_MS), 1 + who * COUPONS))
    office.close()
    return found


async def load(port: int, people: list[tuple[str, int]], rounds: int) -> dict[str, list[float]]:
    """The times of each page in ms. Raises AssertionError when a page fails."""
    times: dict[str, list[float]] = {}
    paths = ("/offline", "/offers", "/coupons", "/coupons/NUMBER", "/history", "/me")

    async def one(token: str, coupon: int) -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            for _ in range(rounds):
                for path in paths:
                    began = time.perf_counter()
                    address = path.replace("NUMBER", str(coupon))
                    answer = await client.get(address, headers={"cookie": f"tokuten=p.{token}"})
                    times.setdefault(path, []).append((time.perf_counter() - began) * 1000)
                    assert answer.status_code == 200, f"{address}: {answer.status_code}"

    await asyncio.gather(*(one(token, coupon) for token, coupon in people))
    return times


def main() -> int:
    size, folder = given(__doc__ or "")
    limits = Limits()
    with tempfile.TemporaryDirectory(dir=folder) as name:
        home = Path(name)
        people = made(home / "centre")
        port = free_port()
        config = home / "tokuten.toml"
        config.write_text(
            f'[central]\ndata_dir = "{home / "centre"}"\n[central.broker]\nport = {free_port()}\n'
            f"[central.http]\nport = {port}\n"
        )
        command = [sys.executable, "-m", "cli", "central", "--config", str(config)]
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            wait_until(lambda: listens(port), START_S, "the centre's pages")
            asyncio.run(load(port, people, 1))
            began = time.perf_counter()
            times = asyncio.run(load(port, people, ROUNDS[size]))
            took_s = time.perf_counter() - began
        finally:
            process.terminate()
            process.wait(30)
    bare = median(times.pop("/offline"))
    for path, each in times.items():
        limits.stated(
            f"{path}, {AT_ONCE} people at once, {COUPONS} coupons each",
            f"{median(each) / bare:.2f} times a page that asks nothing; "
            f"p50 {median(each):.0f} p99 {percentile(each, 0.99):.0f} ms",
        )
    asked = sum(map(len, times.values())) + AT_ONCE * ROUNDS[size]
    limits.stated(
        "pages, none failed", f"{asked:,} in {took_s:.1f} s: {asked / took_s:,.0f}/s, clients on the same cores"
    )
    return limits.code()


if __name__ == "__main__":
    raise SystemExit(main())
