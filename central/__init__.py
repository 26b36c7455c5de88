"""The centre: books what units report, decides what only it may decide, and tells every cache (DESIGN).

    settings      what can be set              keys         the key files
    db/           schema, migrations           incarnation  which life of the database this is
    registry      sites and units              ingest       one batch, one transaction
    decide        answers to questions         feed         the change log of each site
    snapshot      the whole state of a site    desk         a message in, messages out (no network in it)
    mqtt          the broker                   service      `tokuten central`: all of it in one process
    coupons/      document K                   http/        the API for phones and operators
    bank/         document B
    pages/        the web pages                staff        shops, providers, operators who log in there
    consent       what people agreed to        audit        who looked at whose data
    own_data      export and erasure           directory    people, sites, providers, as an operator lists them

Never imports `edge_agent` or `hal`: centre and unit meet in `wire` and `loyalty`.
"""
