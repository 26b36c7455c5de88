"""The proxy of hostile tests does what it says, and the same again with the same seed."""

from __future__ import annotations

from tests.chaos import Chaos, Faults
from tests.mqtt_client import Client
from tests.servers import Mosquitto, wait_until

SITE = "tk/1/demo/ueno"
FAULTS = Faults(drop=0.1, lie=0.1, double=0.1, reorder=0.1)


FACTS = 100


def test_the_chaos_proxy_loses_doubles_reorders_and_lies_by_its_seed(mosquitto: Mosquitto) -> None:
    def run() -> tuple[list[int], dict[str, int]]:
        chaos = Chaos(mosquitto.port, seed=7, up=FAULTS)
        counts = chaos.counts
        centre, unit = Client(mosquitto.port, "centre"), Client(chaos.port, "lane-1")
        centre.subscribe("tk/1/#")
        for number in range(FACTS):
            unit.paho.publish(f"{SITE}/lane-1/up/ev", b"%d" % number, qos=1)
        wait_until(lambda: sum(counts.values()) == FACTS, what="every packet to be seen")
        arriving = FACTS - counts["up drop"] - counts["up lie"] + counts["up double"]
        wait_until(lambda: len(centre.heard) == arriving, what="what was not lost")
        wait_until(
            lambda: len(unit.acknowledged) == FACTS - counts["up drop"], what="all but the lost to be acknowledged"
        )
        chaos.calm()
        unit.say(f"{SITE}/lane-1/up/ev", b"-1")
        wait_until(lambda: len(centre.heard) == arriving + 1, what="the message after the faults stopped")
        for client in (centre, unit):
            client.close()
        chaos.close()
        return [int(payload) for _, payload in centre.heard], dict(counts)

    heard, counts = run()
    assert min(counts.values()) >= 5, "a fault was not tried"
    assert len(set(heard)) == FACTS - counts["up drop"] - counts["up lie"] + 1
    assert heard[:-1] != sorted(heard[:-1]), "nothing was overtaken"
    assert run() == (heard, counts)
