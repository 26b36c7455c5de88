"""The ledger: double entry in whole points and whole yen, for every programme of points (DESIGN, 'The ledger').

chart        which accounts there are, and which sign each may have
sheet        the accounts and lots that some transfers concern: read at once, changed in memory, written at once
transfer     a transfer that is being made, and what becomes of it
lots         in which order points are spent
money        the yen that go with points which were paid for
history      what a booked transfer did, read back
programmes   kinds of points and the shops' earn rules, as data
lanes        what units report: `Earned` and `Spent`, booked with their batch
tills        spending and earning by the centre's word
refunds      a purchase that is taken back
pending      transfers that wait: posted or voided
gifts        points that are bought, given to others, exchanged for goods, and paid out (G)
expiry       points whose time is over
claims       conflicts about points, and how a person ends them
balances     what somebody has, and their history
audit        everything recomputed from the postings alone
audit_facts  every fact of a unit about points is in the ledger
"""
