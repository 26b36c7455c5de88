"""The site's own network, a lane's side: how it finds the hub, follows it, and shares what it redeems.

node    drives `wire.hub` (who runs the hub, whom to follow) on ports that are handed in; stepped by its owner
ports   what a node stands on
net     the thread around it, with the real ports
air     beacons over UDP: multicast, and named addresses where there is none
link    the MQTT connection to the hub that is followed
talk    what is said and heard on it: login, signatures, refusals
site    on the deciding thread: `wire.peers` and the store, and the channel for other messages between lanes
"""
