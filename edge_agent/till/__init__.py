"""How the shop's till speaks with its lane: three ways to the same acts (`core.events.TillAsks`).

desk     asks the deciding thread and waits for its answer, with a bound; safe from any thread
shapes   what travels in JSON                            api      the HTTP interface and its OpenAPI document
problem  refusals, as problem details (RFC 9457)         door     who may come in: bounds, Host, Origin, token
server   serves it, in a thread of its own               static/  the cashier's page, over the same interface
line     the line protocol of old tills (serial)         wedge    what a till is typed that has only a keyboard
"""
