"""What people look at, download and use, where and when (K10).

days      the local day and hour of an instant      views    who opened which coupon's page, if they agreed
rollup    counts by day, kept in step with the books figures  questions to those counts, for whoever may ask
person    one person's way, for an operator         files    figures as CSV and Parquet

A page asks the counts, never the books: its cost is that of days and coupons, not of redemptions. Whoever is no
operator sees no figure that stands for fewer than `figures.GROUP_MIN` people.
"""
