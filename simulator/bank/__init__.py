"""A sandbox bank: a process of its own with its own ledger, which debits really and fails on request.

    ledger     accounts, debits and reversals in an SQLite file
    faults     what may go wrong, chosen over its control interface
    server     the bank's API and the control interface over HTTP

Run it with `python -m simulator.bank --ledger FILE --port PORT`.
"""
