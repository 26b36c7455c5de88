"""The unit's side of the conversation with the centre: what the broker takes proves nothing."""

from __future__ import annotations

from pathlib import Path

from nacl.signing import SigningKey

from edge_agent.centre import CURSOR_EVERY_MS, Centre
from edge_agent.steps import StepLog
from edge_agent.store.store import Store
from tests.unit.edge_agent.agent_world import SIGNED, Driver, code, moment, scanned
from wire import topics
from wire.envelope import seal
from wire.messages import Ack, Batch, PullAck, Request, decode, encode
from wire.topics import Address

WHERE = Address("demo", "shinjuku", "unit-1")
CENTRE_KEY = SigningKey(b"c" * 32)
ACKS = WHERE.topic(topics.DN_ACK)


class Broker:
    """Takes every packet and passes none on."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.hellos: list[PullAck] = []

    def publish(self, leaf: topics.Leaf, payload: bytes) -> bool:
        if leaf is topics.UP_EV:
            self.batches.append(decode(payload, Batch))
        elif leaf is topics.UP_REQ and isinstance(request := decode(payload, Request), PullAck):
            self.hellos.append(request)
        return True


def test_K6_a_fact_waits_until_the_centre_has_booked_it_whatever_the_broker_took(
    drive: Driver, store: Store, tmp_path: Path
) -> None:
    broker = Broker()
    keys = (SigningKey(b"d" * 32), CENTRE_KEY.verify_key)
    unit = Centre(WHERE, store, broker, keys, StepLog(lambda line: None, lambda: 0))
    for serial in (1, 2, 3):
        drive(scanned(code(SIGNED, serial=serial)))
    unit.uplink.appended(3)
    unit.connected(0)
    unit.pump(0)
    (hello,) = broker.hellos
    head = store.journal.hash_at(hello.epoch, 0) or b""
    hear(unit, Ack(b"i" * 16, hello.epoch, 0, head, "ok", nonce=hello.nonce))
    unit.pump(1)
    (batch,) = broker.batches
    unit.pump(CURSOR_EVERY_MS + 2)
    assert unit.uplink.waiting == 3
    assert [state.acked for state in store.journal.epochs()] == [0]
    hear(unit, Ack(b"i" * 16, hello.epoch, 3, batch.after, "ok", 1, 3, answers=batch.after))
    assert unit.uplink.waiting == 0
    assert [state.acked for state in store.journal.epochs()] == [3]


def hear(unit: Centre, ack: Ack) -> None:
    unit.arrived(ACKS, seal(CENTRE_KEY, ACKS, encode(ack)), moment())
