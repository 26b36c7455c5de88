"""What can go wrong in the world, by name, and how each is brought about.

A seed draws which kinds strike in its life, and how often. `World.fired` counts what really happened, not what was
tried: a unit that was to be killed at its 40th step and stopped before that was not. A kind that never fires in the
fixed seeds fails the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final

from edge_agent.core.states import Mode
from hal.events import PartFault, PartHealed
from wire import topics

if TYPE_CHECKING:
    from simulator.world.life import Life
    from simulator.world.unit import Unit

YEARS_40_MS: Final = 40 * 365 * 86_400_000
UNITS_MAX: Final = 14
Strike = Callable[["Life", Random], None]

WEATHER: Final = ("lost", "doubled", "late", "swallowed")
"""Kinds that lie over a whole life; `simulator.world.wan` counts them."""


def _unit(life: Life, rng: Random) -> Unit:
    return rng.choice(list(life.world.units.values()))


# --- the way to the centre ----------------------------------------------------------------------------------


def cut_line(life: Life, rng: Random) -> None:
    unit = _unit(life, rng)
    life.world.cut(unit.device, "line-cut")
    life.later(rng.randrange(500, 60_000), lambda: life.world.wan.mend(unit.device))


def cut_silently(life: Life, rng: Random) -> None:
    unit = _unit(life, rng)
    life.world.cut(unit.device, "line-silent", silent=True)
    life.later(rng.randrange(2_000, 60_000), lambda: life.world.wan.mend(unit.device))


def cut_site(life: Life, rng: Random) -> None:
    """The lanes of a site see each other, but not the centre."""
    site = rng.choice(list(life.world.lans))
    here = [unit.device for unit in life.world.units.values() if unit.site == site]
    for device in here:
        life.world.cut(device, "site-cut")
    for device in here:
        life.later(rng.randrange(5_000, 200_000), partial(life.world.wan.mend, device))


def restart_broker(life: Life, rng: Random) -> None:
    life.world.wan.restart()
    life.world.fire("broker-restart")


# --- the site's own network ---------------------------------------------------------------------------------


def cut_lan(life: Life, rng: Random) -> None:
    unit = _unit(life, rng)
    life.world.lans[unit.site].cut(unit.device)
    life.world.fire("lan-cut")
    life.later(rng.randrange(1_000, 60_000), life.world.lans[unit.site].heal)


def split_lan(life: Life, rng: Random) -> None:
    """A site is cut in two halves."""
    site = rng.choice(list(life.world.lans))
    here = [unit.device for unit in life.world.units.values() if unit.site == site]
    if len(here) < 2:
        return
    rng.shuffle(here)
    half = rng.randrange(1, len(here))
    life.world.lans[site].split([here[:half], here[half:]])
    life.world.fire("lan-split")
    life.later(rng.randrange(1_000, 60_000), life.world.lans[site].heal)


def deafen_lan(life: Life, rng: Random) -> None:
    """One lane hears another no more, though that one hears it."""
    site = rng.choice(list(life.world.lans))
    here = [unit.device for unit in life.world.units.values() if unit.site == site]
    if len(here) < 2:
        return
    one, other = rng.sample(here, 2)
    life.world.lans[site].drop_one_way(one, other)
    life.world.fire("lan-one-way")
    life.later(rng.randrange(1_000, 60_000), life.world.lans[site].heal)


def kill_hub(life: Life, rng: Random) -> None:
    if life.world.lans[rng.choice(list(life.world.lans))].kill_hub() is not None:
        life.world.fire("hub-killed")


def hang_hub(life: Life, rng: Random) -> None:
    if life.world.lans[rng.choice(list(life.world.lans))].hang_hub() is not None:
        life.world.fire("hub-hangs")


def meddle_with_lan(life: Life, rng: Random) -> None:
    """A stranger on the shop's network: recorded, altered and made-up datagrams and messages, and a login."""
    mischief = life.world.lans[rng.choice(list(life.world.lans))].mischief
    acts = (
        mischief.replay_datagram,
        mischief.forge_datagram,
        mischief.replay_message,
        mischief.forge_message,
        mischief.intrude,
    )
    if rng.choice(acts)():
        life.world.fire("lan-stranger")


# --- units --------------------------------------------------------------------------------------------------


def kill(life: Life, rng: Random) -> None:
    _unit(life, rng).stop_in(int(rng.expovariate(1 / 30)) + 1, power=False, why="killed")


def cut_power(life: Life, rng: Random) -> None:
    _unit(life, rng).stop_in(int(rng.expovariate(1 / 30)) + 1, power=True, why="power-cut")


def cut_power_at_write(life: Life, rng: Random) -> None:
    _unit(life, rng).cut_power_in(int(rng.expovariate(1 / 12)) + 1, why="power-cut-at-write")


def fill_disk(life: Life, rng: Random) -> None:
    unit = _unit(life, rng)
    unit.disk.full = True
    life.later(rng.randrange(500, 30_000), unit.disk.heal)


def fail_disk(life: Life, rng: Random) -> None:
    """Writes and flushes fail now and then."""
    unit = _unit(life, rng)
    unit.disk.failing = rng.choice((0.05, 0.5, 1.0))
    life.later(rng.randrange(500, 30_000), unit.disk.heal)


def trouble_at_write(life: Life, rng: Random) -> None:
    """The disk is full, or fails, from that write on: perhaps between a fact and the mark that it was shown."""
    unit = _unit(life, rng)
    unit.disk.trouble_in(int(rng.expovariate(1 / 12)) + 1, rng.choice((0.0, 1.0)))
    life.later(rng.randrange(2_000, 30_000), unit.disk.heal)


def spoil_disk(life: Life, rng: Random) -> None:
    """Pages of the store are overwritten with rubbish, one of them among those that every start reads."""
    unit = _unit(life, rng)
    if unit.agent is None or not unit.enrolled:
        return
    unit.spoil(rng)
    life.world.fire("disk-spoilt")


def copy_disk(life: Life, rng: Random) -> None:
    unit = _unit(life, rng)
    folder = life.world.folder / f"image-{unit.device}-{life.world.time.now_ms}"
    if not unit.disk.dead and not folder.exists():
        unit.image(folder)
        life.images.append((unit.device, folder, life.world.time.now_ms))


def restore_disk(life: Life, rng: Random) -> None:
    """A unit comes up from an old image of its disk."""
    if not life.images:
        return
    device, folder, image_ms = rng.choice(life.images)
    if not life.world.units[device].enrolled:
        return
    life.world.restore_disk(device, folder, image_ms)
    life.world.fire("disk-restored")


def set_clock(life: Life, rng: Random) -> None:
    unit = _unit(life, rng)
    unit.clock.jump(rng.choice((-YEARS_40_MS, YEARS_40_MS, rng.randrange(-86_400_000, 86_400_000))))
    life.world.fire("clock-jumps")
    life.later(rng.randrange(1_000, 120_000), unit.clock.discipline)


def forget_time(life: Life, rng: Random) -> None:
    """Its power is cut, and it wakes up in 1970."""
    unit = _unit(life, rng)
    unit.stop(power=True, why="")
    unit.clock.forget()
    life.world.fire("clock-1970")
    life.later(rng.randrange(1_000, 300_000), unit.clock.discipline)


def black_out(life: Life, rng: Random) -> None:
    """A site is without electricity: its units come up in 1970, and the line to the world later than they."""
    site = rng.choice(list(life.world.lans))
    for unit in [unit for unit in life.world.units.values() if unit.site == site]:
        unit.stop(power=True, why="")
        unit.clock.forget()
        life.world.cut(unit.device, "site-cut")
        back_ms = rng.randrange(20_000, 200_000)
        life.later(back_ms, partial(life.world.wan.mend, unit.device))
        life.later(back_ms + rng.randrange(1_000, 60_000), unit.clock.discipline)
    life.world.fire("blackout")


def drift(life: Life, rng: Random) -> None:
    _unit(life, rng).clock.ppm = rng.randrange(-200, 200)
    life.world.fire("clock-drifts")


def break_display(life: Life, rng: Random) -> None:
    unit = _unit(life, rng)

    def mend() -> None:
        unit.eyes.broken = False

    unit.eyes.broken = True
    life.later(rng.randrange(200, 20_000), mend)


def lose_camera(life: Life, rng: Random) -> None:
    unit = _unit(life, rng)
    unit.put(PartFault(part="camera", reason="vanished", detail="no answer"))
    life.world.fire("camera-lost")
    life.later(rng.randrange(200, 20_000), lambda: unit.put(PartHealed(part="camera")))


def enrol_unit(life: Life, rng: Random) -> None:
    world = life.world
    world.need_centre()
    if len(world.units) >= UNITS_MAX:
        return
    site = rng.choice(list(world.lans))
    world.add_unit(site, f"new-{world.time.now_ms}", rng.choice((Mode.KIOSK, Mode.LANE)))
    world.fire("unit-enrolled")


def send_unit_back(life: Life, rng: Random) -> None:
    """A unit that was tried for a while: it is given up and never switched on again."""
    world = life.world
    world.need_centre()
    if len(world.units) >= UNITS_MAX:
        return
    unit = world.add_unit(rng.choice(list(world.lans)), f"tried-{world.time.now_ms}", Mode.KIOSK)

    def back() -> None:
        unit.stop(power=True, why="")
        unit.scrap()
        world.need_centre()
        world.operators.throw_away(unit)
        world.fire("unit-sent-back")

    life.later(rng.randrange(5_000, 60_000), back)


def throw_unit_away(life: Life, rng: Random) -> None:
    """It is written off; the thing itself is in the bin, or was stolen and goes on."""
    world, unit = life.world, _unit(life, rng)
    if not unit.enrolled or sum(other.enrolled for other in world.units.values()) <= 1:
        return
    world.operators.throw_away(unit)
    world.fire("unit-thrown-away")
    if rng.random() < 0.5:
        unit.stop(power=True, why="")
        unit.scrap()


# --- the centre ---------------------------------------------------------------------------------------------


def kill_centre(life: Life, rng: Random) -> None:
    life.world.office.cut_in(rng.randrange(1, 60), power=False, why="centre-killed")


def cut_centre_power(life: Life, rng: Random) -> None:
    life.world.office.cut_in(rng.randrange(1, 60), power=True, why="centre-power-cut")


def mute_centre(life: Life, rng: Random) -> None:
    """It is killed between a commit and its answer."""
    life.world.office.mute()


def fill_centre(life: Life, rng: Random) -> None:
    office = life.world.office
    office.disk.full = True
    life.later(rng.randrange(500, 20_000), office.disk.heal)


def second_worker(life: Life, rng: Random) -> None:
    """Two workers at once, as in a rolling restart."""
    office = life.world.office
    if len(office.workers) == 1:
        office.open()
        if len(office.workers) == 2:
            life.world.fire("two-workers")
            life.later(rng.randrange(1_000, 60_000), office.close_one)


def back_up_centre(life: Life, rng: Random) -> None:
    world = life.world
    to = world.folder / f"backup-{world.time.now_ms}.db"
    if world.office.up and not world.office.disk.dead and not to.exists():
        world.office.backup(to)
        life.backups.append((to, world.time.now_ms))


def restore_centre(life: Life, rng: Random) -> None:
    if life.backups:
        backup, backup_ms = rng.choice(life.backups)
        life.world.restore_centre(backup, backup_ms)
        life.world.fire("centre-restored")


# --- what is no fault, and happens while there are some -----------------------------------------------------


def garbage(life: Life, rng: Random) -> None:
    """Rubbish on the wire, and messages recorded earlier."""
    world, unit = life.world, _unit(life, rng)
    leaf = rng.choice((topics.UP_EV, topics.UP_REQ, topics.UP_HINT, topics.UP_RES))
    topic = unit.where.topic(leaf)
    if rng.random() < 0.4 and world.wan.recorded:
        topic, body, up = rng.choice(world.wan.recorded)
        world.wan.inject(topic, body, up=up)
    elif rng.random() < 0.3:
        world.wan.inject(
            unit.where.topic(rng.choice((topics.DN_ACK, topics.DN_FEED, topics.DN_CMD))), rng.randbytes(90), up=False
        )
    else:
        world.wan.inject(topic, rng.randbytes(rng.randrange(200)), up=True)
    world.fire("garbage")


FAULTS: Final[dict[str, Strike]] = {
    "line-cut": cut_line,
    "line-silent": cut_silently,
    "site-cut": cut_site,
    "broker-restart": restart_broker,
    "lan-cut": cut_lan,
    "lan-split": split_lan,
    "lan-one-way": deafen_lan,
    "hub-killed": kill_hub,
    "hub-hangs": hang_hub,
    "lan-stranger": meddle_with_lan,
    "killed": kill,
    "power-cut": cut_power,
    "power-cut-at-write": cut_power_at_write,
    "disk-full": fill_disk,
    "disk-failing": fail_disk,
    "trouble-at-write": trouble_at_write,
    "disk-copied": copy_disk,
    "disk-restored": restore_disk,
    "disk-spoilt": spoil_disk,
    "blackout": black_out,
    "clock-jumps": set_clock,
    "clock-1970": forget_time,
    "clock-drifts": drift,
    "display-broken": break_display,
    "camera-lost": lose_camera,
    "unit-enrolled": enrol_unit,
    "unit-sent-back": send_unit_back,
    "unit-thrown-away": throw_unit_away,
    "centre-killed": kill_centre,
    "centre-power-cut": cut_centre_power,
    "centre-muted": mute_centre,
    "centre-full": fill_centre,
    "two-workers": second_worker,
    "centre-copied": back_up_centre,
    "centre-restored": restore_centre,
    "garbage": garbage,
}
"""Every kind that strikes at a step of a life."""

LAN_WEATHER: Final = (
    "datagrams_lost",
    "datagrams_doubled",
    "datagrams_late",
    "messages_doubled",
    "messages_late",
    "connections_broken",
)
"""The same on a site's own network; `simulator.world.lan_ground` counts them."""

DISK_LOSSES: Final = ("dropped", "torn", "plain_undone")
"""What power cuts took from disks; `simulator.world.power_loss` counts it."""

PREPARE: Final = frozenset({"disk-copied", "centre-copied", "trouble-at-write"})
"""No faults by themselves: without copies there are no restores, and trouble is counted as a full or failing disk."""

DISKS: Final = frozenset({"disk-copied", "disk-restored", "disk-spoilt", "unit-thrown-away"})
CENTRES: Final = frozenset({"centre-copied", "centre-restored"})
"""These loosen what can be promised: most lives are without them, so that the strictest promises are checked."""
