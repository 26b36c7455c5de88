"""Stories of a site's network, each from one seed: faults, then none; then what must be is asked by an assertion."""

from __future__ import annotations

import sys
from random import Random
from typing import Final

from tests.world.lan_kit import LANES, Shop
from wire.hub import DOUBT_FIRST_MS, ECHO_LOST_MS, HUB_LOST_MS, LISTEN_MS, SLOT_MS, SLOTS_MAX

SETTLED_MS: Final = 2 * (HUB_LOST_MS + LISTEN_MS + SLOT_MS * (SLOTS_MAX + 1) + 1_000) + 4_000
# A hub that could not be reached is doubted for a while, longer with each time.
CALM_MS: Final = SETTLED_MS + 8 * DOUBT_FIRST_MS
TURNS: Final = 60  # of a storm
TURN_MS: Final = 1_500  # at most


def storm(seed: int) -> Shop:
    """A shop that has seen all kinds of faults. Raises AssertionError where it does not come to rest afterwards."""
    rng = Random(seed)
    shop = Shop(seed)
    lan = shop.lan
    shop.agree(SETTLED_MS)
    rates = lan.rates
    for name in ("datagram_lost", "datagram_doubled", "datagram_late", "message_doubled", "message_late"):
        setattr(rates, name, rng.choice((0.0, 0.05, 0.3)))
    rates.connection_broken, rates.hub_stillborn = rng.choice((0.0, 0.02)), rng.choice((0.0, 0.3))
    for turn in range(TURNS):
        for lane in shop.on():
            lane.net.say(rng.choice(("all", *LANES)), f"{turn} of {lane.device}".encode())
            if rng.random() < 0.3:
                lan.break_connection()
        _happen(shop, rng)
        shop.pass_ms(rng.randrange(1, TURN_MS))
    lan.rates = type(rates)()
    lan.heal()
    for lane in shop.lanes.values():
        if not lane.net.on:
            lane.switch_on()
    shop.settle(CALM_MS)
    shop.pass_ms(ECHO_LOST_MS + 1_000)  # a connection that the hub has ended already is found out
    shop.settle(SETTLED_MS)
    assert shop.hears_all(), "one hub, and lanes that do not hear each other"
    assert not lan.audit.violations, lan.audit.violations[:3]
    return shop


def one_way(seed: int) -> Shop:
    """A lane hears the hub, and the hub does not hear it; the others go on; then the way is open again."""
    shop = Shop(seed)
    hub = shop.settle(SETTLED_MS)
    lost = next(name for name in LANES if name != hub)
    shop.lan.drop_one_way(lost, hub)
    shop.pass_ms(SETTLED_MS)
    assert shop.agreed(*[name for name in LANES if name != lost]), "the others have lost their hub"
    shop.lan.heal()
    shop.settle(SETTLED_MS + 4 * DOUBT_FIRST_MS)  # it was reached by beacons and not by connections
    assert shop.hears_all(), "one hub, and lanes that do not hear each other"
    return shop


def struck_off(seed: int) -> Shop:
    """The centre takes a lane off the list; itself it does not know yet."""
    shop = Shop(seed)
    hub = shop.settle(SETTLED_MS)
    out = next(name for name in LANES if name != hub)
    left = [name for name in LANES if name != out]
    shop.told.pop(out)
    for name in left:
        shop.lanes[name].net.use(shop.told)
    shop.pass_ms(500)
    for _ in range(2):
        assert shop.hears_all(*left), "one hub, and lanes that do not hear each other"
        assert not shop.lanes[out].heard, "who is no lane any more still hears"
        shop.lanes[out].net.say("all", b"me too")
        shop.pass_ms(SETTLED_MS)
    assert not [one for name in left for one in shop.lanes[name].heard if one[0] == out], "and is still heard"
    return shop


def _happen(shop: Shop, rng: Random) -> None:
    lan, some = shop.lan, list(LANES)
    rng.shuffle(some)
    what = rng.randrange(18)
    if what == 0:
        lan.cut(some[0])
    elif what == 1:
        lan.unplug(some[0])
    elif what == 2:
        lan.split([some[:2], some[2:]])
    elif what == 3:
        lan.drop_one_way(some[0], some[1])
    elif what == 4:
        lan.kill_hub()
    elif what == 5:
        lan.hang_hub()
    elif what == 6:
        lan.remove(some[0])
    elif what == 7:
        lan.kill(some[0])
    elif what < 11:
        lan.heal()
        for name in some:
            if not shop.lanes[name].net.on:
                shop.lanes[name].switch_on()
    else:
        tricks = lan.mischief
        for trick in (tricks.replay_datagram, tricks.forge_datagram, tricks.replay_message, tricks.forge_message):
            trick()
        tricks.intrude()


if __name__ == "__main__":  # the trace of one seed, for a test that asks two processes
    sys.stdout.write(storm(int(sys.argv[1])).trace())
