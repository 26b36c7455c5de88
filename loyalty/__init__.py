"""The rules: what a coupon is, when it counts, and the text in a barcode.

Pure: no I/O, no clock, no randomness. Time is an argument, keys are arguments, and a refusal is a value
(`loyalty.coupon.Verdict`), never an exception.
"""
