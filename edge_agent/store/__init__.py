"""The store of a unit: one SQLite file that holds the cache and the journal.

connection  the seam to SQLite: pragmas, transactions, checkpoints, errors
schema      the tables
journal     the facts: numbered, chained, waiting, acknowledged
cache       what the centre told: campaigns, keys, redemptions seen elsewhere
store       both together: what one event reads and writes, in one transaction
salvage     what to do with a file that SQLite calls corrupt
preview     the verdict without writing anything, for `tokuten scan`
"""
