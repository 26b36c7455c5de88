"""The simulated world as tests tell stories in it: some shops and a centre, with every promise watched all the while.

    with Shops(folder, campaigns, {"lane-1": "ginza"}) as shops:
        assert shops.scan("lane-1", shops.coupon(1)) is not None
        shops.judge()

Units, centre, networks, disks and clocks are those of `simulator.world`; each method is one thing that happens. What
shoppers see is kept (`seen`) and goes to the checkers at once: any story ends where a promise breaks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from central.coupons.download import Given
from edge_agent.core import events as ev
from edge_agent.core.states import Mode
from edge_agent.runner import Agent
from loyalty.campaign import Campaign
from loyalty.coupon import Verdict
from loyalty.lease import CAMPAIGN, Pot
from simulator.world.checks import all_checkers, stores
from simulator.world.observe import AtRest, Green, Seen, UnitAtRest
from simulator.world.run import installed
from simulator.world.unit import Unit
from simulator.world.wan import Weather
from simulator.world.world import World

SETTLED_MS: Final = 10_000  # in which every unit hears of the campaigns, finds its hub, and is leased its parts


class Recorder:
    """Keeps what checkers are told."""

    name = "recorder"

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.rest: AtRest | None = None

    def saw(self, seen: Seen) -> None:
        self.seen.append(seen)

    def came_up(self, unit: UnitAtRest) -> None:
        """Nothing to keep."""

    def at_rest(self, world: AtRest) -> None:
        self.rest = world


class Copy(NamedTuple):
    """Of a disk or a database, and when it was made."""

    path: Path
    at_ms: int


class Shops:
    """See the module."""

    def __init__(self, folder: Path, campaigns: Iterable[Campaign], lanes: Mapping[str, str], *, seed: int = 1) -> None:
        """`lanes`: device -> site."""
        sites: dict[str, list[tuple[str, Mode]]] = {}
        for device, site in lanes.items():
            sites.setdefault(site, []).append((device, Mode.KIOSK))
        self._recorder = Recorder()
        checkers = (self._recorder, *all_checkers())
        folder.mkdir(exist_ok=True)
        with ExitStack() as stack:
            ground = stack.enter_context(installed(seed))
            self.world = World(folder, str(seed), sites, campaigns, ground=ground, checkers=checkers)
            stack.callback(self.world.abandon)
            self.run(SETTLED_MS)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    # --- who is there ---------------------------------------------------------------------------------

    @property
    def lanes(self) -> list[str]:
        return list(self.world.units)

    def unit(self, device: str) -> Unit:
        return self.world.units[device]

    def agent(self, device: str) -> Agent:
        agent = self.unit(device).agent
        assert agent is not None, f"{device} is down"
        return agent

    def keeper(self, site: str) -> str:
        """The lane that keeps the home of a site."""
        with stores.opened(self.world.office.folder / "centre.db") as disk:
            row = disk.row(
                "SELECT d.name FROM homes h JOIN sites s ON s.id = h.site_id JOIN devices d ON d.id = h.device_id"
                " WHERE s.name = ?",
                (site,),
            )
        assert row is not None, f"nobody keeps the home of {site}"
        return str(row[0])

    @property
    def now_ms(self) -> int:
        return self.world.time.now_ms

    def run(self, ms: int) -> None:
        self.world.run(ms)

    # --- shoppers -------------------------------------------------------------------------------------

    def given(self, campaign: int, *, home: str = "", person: str = "") -> Given:
        """A download."""
        whose = self.world.operators.person(person) if person else None
        given = self.world.operators.download(campaign, whose, home=home)
        assert isinstance(given, Given), given
        return given

    def coupon(self, campaign: int, *, home: str = "", person: str = "") -> str:
        """The text of a new one."""
        return self.given(campaign, home=home, person=person).text

    def scan(self, device: str, code: str) -> Verdict | None:
        """Hold a code up; gives the answer if it is there at once."""
        self.run(1)  # no camera sees two within a millisecond
        unit = self.unit(device)
        unit.eyes.verdict = None
        unit.hold_up(code.encode())
        unit.turn()
        return self.answer(device)

    def answer(self, device: str) -> Verdict | None:
        """What the last code that was held up there came to, if it is known."""
        return self.unit(device).eyes.verdict

    def asked_points(self, device: str, asked: ev.PointsEarned | ev.PointsWanted) -> bool:
        """Somebody wants points, or pays with them; whether a fact came of it at once."""
        before = self.agent(device).store.journal.last
        self.unit(device).points(asked)
        self.unit(device).turn()
        return self.agent(device).store.journal.last > before

    # --- networks -------------------------------------------------------------------------------------

    def cut(self, *devices: str) -> None:
        """Their lines to the centre are cut, and they notice."""
        for device in devices:
            self.world.wan.cut(device)
            self.unit(device).turn()

    def mend(self, *devices: str) -> None:
        for device in devices:
            self.world.wan.mend(device)

    def leave(self, *devices: str) -> None:
        """They are off their site's own network, and notice."""
        for device in devices:
            self.world.lans[self.unit(device).site].unplug(device)
            self.unit(device).turn()

    def join(self, *devices: str) -> None:
        for device in devices:
            self.world.lans[self.unit(device).site].plug(device)

    # --- machines -------------------------------------------------------------------------------------

    def restart(self, device: str) -> None:
        """It is killed, and comes up at once."""
        self.unit(device).stop(power=False, why="")
        self.unit(device).power_on()

    def image(self, device: str) -> Copy:
        """A copy of its disk."""
        copy = Copy(self.world.folder / f"image-{device}-{self.now_ms}", self.now_ms)
        self.unit(device).image(copy.path)
        self.run(1)
        return copy

    def restore_disk(self, device: str, image: Copy) -> None:
        """It comes up from an old image of its disk."""
        self.world.restore_disk(device, *image)
        self.unit(device).power_on()

    def backup(self) -> Copy:
        copy = Copy(self.world.folder / f"backup-{self.now_ms}.db", self.now_ms)
        self.world.office.backup(copy.path)
        self.run(1)
        return copy

    def restore_centre(self, backup: Copy) -> None:
        self.world.restore_centre(*backup)

    def settle(self) -> None:
        """Nothing is cut any more, and everything comes together, in bounded time. Raises Violation."""
        for lan in self.world.lans.values():
            lan.heal()
        self.world.wan.weather = Weather()
        self.mend(*self.lanes)
        self.world.settle()

    def judge(self) -> None:
        """No more faults; it comes together, and no checker finds anything. Raises Violation."""
        self.world.heal()
        self.world.settle()
        self.world.check_at_rest()

    def close(self) -> None:
        """All is switched off; the disks can still be read."""
        self.world.close()
        self._stack.close()

    # --- what is true ---------------------------------------------------------------------------------

    @property
    def seen(self) -> list[Seen]:
        return self._recorder.seen

    @property
    def rest(self) -> AtRest:
        assert self._recorder.rest is not None, "judged"
        return self._recorder.rest

    def shown(self) -> Counter[tuple[int, int]]:
        """How often each serial of each campaign was honoured before a shopper's eyes."""
        return Counter((seen.campaign, seen.serial) for seen in self.seen if isinstance(seen, Green) and not seen.again)

    def shown_of(self, campaign: int) -> int:
        return sum(count for (number, _), count in self.shown().items() if number == campaign)

    def shown_yen(self, campaign: int) -> int:
        """What shoppers were seen to be given of a budget."""
        greens = (seen for seen in self.seen if isinstance(seen, Green) and not seen.again)
        return sum(green.cost_yen for green in greens if green.campaign == campaign)

    def left(self, device: str, campaign: int) -> int:
        """How many uses this lane could still decide alone."""
        return self.agent(device).store.parts.account(Pot(CAMPAIGN, campaign)).left.count

    def centre(self, query: str, *values: object) -> int:
        """One number from the centre's database."""
        with stores.opened(self.world.office.folder / "centre.db") as disk:
            return disk.number(query, values)

    def booked_of(self, campaign: int) -> int:
        return self.centre("SELECT count(*) FROM redemptions WHERE state <> 'void' AND campaign = ?", campaign)
