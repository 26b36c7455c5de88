"""`python -m edge_agent.hub`: a site's hub as a process of its own. Started by `edge_agent.hub.process`, not by people.

Standard input brings an `Order` as one JSON line, later the lanes anew, each a JSON line; its end ends the hub. One
JSON line on standard output says where it listens. Exit code 0 when told to end, 1 where it can't listen.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Final

import msgspec

from edge_agent.hub.broker.server import EmbeddedBroker, opened, serve
from edge_agent.hub.process import LINE_BYTES_MAX, Listening
from edge_agent.hub.rules import Order, SiteRules, keys_of, rules_of

CAN_NOT_LISTEN: Final = 1


async def _lanes(orders: asyncio.StreamReader, rules: SiteRules, broker: EmbeddedBroker, end: asyncio.Event) -> None:
    """Follow the lanes until the input ends: then whoever started this is gone."""
    try:
        while line := await orders.readline():
            rules.lanes = keys_of(msgspec.json.decode(line, type=dict[str, str]))
            await broker.dismiss(lambda user: user in rules.lanes)
    finally:
        end.set()


async def _run() -> int:
    orders = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    order = msgspec.json.decode(await orders.readline(), type=Order)
    rules = rules_of(order)
    try:
        broker = await opened(rules, order.host, order.port, order.connections_max)
    except OSError as error:
        sys.stderr.write(f"hub: {error}\n")
        return CAN_NOT_LISTEN
    sys.stdout.write(msgspec.json.encode(Listening(port=broker.port)).decode() + "\n")
    sys.stdout.flush()
    end = asyncio.Event()
    following = asyncio.create_task(_lanes(orders, rules, broker, end))
    await serve(broker, end)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="hub: %(levelname)s %(name)s: %(message)s")
    logging.getLogger("amqtt").setLevel(
        logging.CRITICAL
    )  # it reports each client that leaves, and a port that is taken
    sys.exit(asyncio.run(_run()))
