"""What comes over both networks and is no message: well-formed MessagePack of the wrong shape, and topics of nobody.

Random bytes and recordings are `faults.garbage`'s. Here the sender knows the language: a unit of the next version, the
centre itself (its seal is right, what it says is not known), a lane of the same shop that signs nonsense. Nothing here
can be taken for a message; whoever takes it for one, or falls over it, is found out.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

import msgspec

from wire import topics
from wire.envelope import seal
from wire.messages import Ack, Rescan, encode
from wire.site_messages import MESSAGE_BYTES_MAX
from wire.topics import ALL, ROOT

if TYPE_CHECKING:
    from simulator.world.life import Life
    from simulator.world.unit import Unit

DEEP: Final = 200
TAGS: Final = (
    "ask", "asklease", "pullfeed", "pullack", "changes", "snapshot", "answer", "resync", "grants", "recall", "askhome",
    "here", "run", "want", "from-the-future",
)  # fmt: skip
E: Final = b"e" * 16
H: Final = b"h" * 32
LATER: Final = 1 << 62

BETWEEN_LANES: Final[tuple[list[Any], ...]] = (
    ["here", [], []],
    ["here", [[E, 1, 5, H]] * 9, []],
    ["here", [[b"short", 1, 5, H]], []],
    ["here", [[E, 1, LATER, H]], []],
    ["here", [[E, 9, 5, H]], []],
    ["run", b"short", 0, H, 1, H, []],
    ["run", E, 0, H, 1, b"short", []],
    ["run", E, 5, H, 4, H, []],
    ["run", E, 0, H, LATER, H, []],
    ["run", E, 0, H, 5, H, [[2, 1, b"", b"", 0], [1, 1, b"", b"", 0]]],
    ["run", E, 0, H, 5, H, [[6, 1, b"", b"", 0]]],
    ["run", E, 0, H, 5, H, [[1, 1 << 33, b"", b"", 0]]],
    ["run", E, 0, H, 5, H, [[1, 1, b"", b"", -1]]],
    ["want", b"short", 0],
    ["want", E, -1],
)
"""Messages of the lanes' own kinds with a length, a number or an order that can't be."""


STATUSES: Final = ("postponed", "gap", "fork")
"""Of an acknowledgement: one that nobody knows, and two that do not fit what the journal says."""


def shapeless(rng: Random) -> bytes:
    """Well-formed MessagePack that is no message of anybody."""
    kind = rng.randrange(8)
    if kind == 0:
        return msgspec.msgpack.encode({"epoch": 1, "facts": [None]})
    if kind == 1:
        return msgspec.msgpack.encode(rng.choice((None, True, -1, 1.5, "text", b"bytes")))
    if kind == 2:
        return b"\x91" * DEEP + b"\xc0"  # a list in a list in a list
    if kind == 3:
        return b"\xdd\xff\xff\xff\xff"  # four thousand million elements, none of which follows
    if kind == 4:
        return msgspec.msgpack.encode([])
    tag = rng.choice(TAGS)
    if kind == 5:
        return msgspec.msgpack.encode([tag])
    if kind == 6:
        return msgspec.msgpack.encode([tag, *[None] * rng.randrange(1, 9)])
    return b"\x92\xa3\xff\xfe\xfd\x01"  # a text that is no UTF-8


def to_centre(life: Life, rng: Random, unit: Unit) -> None:
    """Somebody who may publish for this unit says what nobody understands, or says it where nobody speaks."""
    leaf = rng.choice([leaf for leaf in topics.LEAVES if leaf.upward])
    topic = unit.where.topic(leaf)
    if rng.random() < 0.25:
        site = rng.choice(("GINZA", unit.site, "x" * 40))
        forms = (f"{site}/Unit 1/{leaf.path}", f"{unit.site}/{unit.device}/up", f"{unit.site}/{unit.device}/up/none")
        topic = f"{ROOT}/{unit.where.tenant}/{rng.choice(forms)}"
    life.world.wan.inject(topic, shapeless(rng), up=True)


def to_unit(life: Life, rng: Random, unit: Unit) -> None:
    """Under the centre's own seal: a kind of message that this unit does not know, or none at all."""
    world = life.world
    world.need_centre()
    leaf = rng.choice((topics.DN_ACK, topics.DN_FEED, topics.DN_CMD, topics.DN_DES))
    topic, body = unit.where.topic(leaf), shapeless(rng)
    key = world.office.office.keys.centre()
    luck = rng.random()
    if luck < 0.2:
        leaf, topic = topics.DN_ACK, unit.where.topic(topics.DN_ACK)
        body = encode(Ack(world.office.incarnation, unit.epoch, 0, H, rng.choice(STATUSES)))
    elif luck < 0.35:
        topic = unit.where.topic(topics.DN_CMD)
        body = encode(Rescan(rng.randbytes(8), world.time.wall_ms + 60_000))
    sealed = seal(key, topic, body)
    if rng.random() < 0.15:
        sealed = msgspec.msgpack.encode([sealed[:64], body])  # a seal of the right length, of nobody
    world.wan.inject(topic, sealed, up=False)


def between_lanes(life: Life, rng: Random, unit: Unit) -> bool:
    """A lane says signed nonsense to the others; False: it has nobody to say it to."""
    net = life.world.lans[unit.site].nets.get(unit.device)
    if net is None or not net.linked:
        return False
    luck = rng.random()
    body = msgspec.msgpack.encode(rng.choice(BETWEEN_LANES)) if luck < 0.7 else shapeless(rng)
    if luck > 0.97:
        body = bytes(MESSAGE_BYTES_MAX + 1)
    try:
        return net.say(ALL, body)
    except ValueError:
        return False  # longer than any packet
