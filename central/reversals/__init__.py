"""Sales that were taken back: a void or a refund, told by whichever lane, settled for everything the sale touched.

told      what batches bring: which facts belong to which sale, and which sales were taken back. The hot path
settle    a step, called by time: what a reversal changes, in whichever order sale and reversal arrived
coupons   the redemptions of the sale: their serials are free again, everywhere
points    what it earned is taken back, what was spent on it comes back
payments  what the bank debited for it goes back

The rules stand in docs/refunds.md. Nothing is refused and nothing is done twice: each fact of a sale says how far it is
undone (`sale_facts.undone`), a reversal says how far that is to be, and a step does the difference, in one transaction
with the note of it.
"""
