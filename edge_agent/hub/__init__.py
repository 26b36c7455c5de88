"""The hub of a site: a broker that passes on what lanes say to each other, and owns nothing.

broker    amqtt, made fit: the broker itself, also of `tokuten broker`
rules     who may log in to a site's hub, and what each may say and hear
process   the hub as a child of the agent that was elected, or of `tokuten hub`
box       `tokuten hub`: a small box of its own
"""
