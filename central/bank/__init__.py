"""Payment by bank account, with a coupon that was selected ahead of time (B1 to B7; docs/bank.md).

accounts   whose account is whose           shops      who takes payment by account, and what they owe in tax
selection  coupons selected for an account  uses       what a payment holds of a coupon
states     the states of a payment          register   a payment is asked for: its coupon, its bill, its row
book       steps from state to state        teller     asks the bank, and brings every payment to an end
adapter    what a bank is asked             http_bank  a bank behind HTTP
"""
