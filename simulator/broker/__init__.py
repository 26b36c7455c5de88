"""The embedded MQTT broker: for the demo and for tests, where no server is to be installed.

Settings and access rules are light; `simulator.broker.server` brings amqtt and is imported by who runs it. The broker
itself is `edge_agent.hub.broker`, the one that a site's hub runs too.
"""

from simulator.broker.settings import BrokerSettings

__all__ = ["BrokerSettings"]
