"""The centre's web pages, made on the server, for people, shops, providers and operators (K1 to K7, K10 in small).

routes    which page is whose: one table, and the way each request takes     asked     who asks, and for what
answer    what a page function gives back                                    render    templates, headers, static files
entrance  logging in and out, registering, language                          person    offers, coupons, history, my data
provider  issue, stop, clearing, use by day                                  shop      today's redemptions of a site
tokens    API tokens, issued and revoked by an operator
analysis  what is looked at, downloaded and used    chart     bars as inline SVG
operator  people, conflicts, audit                                           words     Japanese and English

A page function gets an `Asked` and gives an `Answer`; it opens its own transactions. It runs in a worker thread.
"""
