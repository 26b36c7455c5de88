"""The site's own network, a lane's side: how it finds the hub, follows it, and shares what it redeems.

air     beacons over UDP: multicast, and named addresses where there is none
link    the MQTT connection to the hub that is followed
net     the thread that drives `wire.hub`: who runs the hub, whom to follow
site    on the deciding thread: `wire.peers` and the store, and the channel for other messages between lanes
"""
