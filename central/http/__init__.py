"""The centre's HTTP API: for phones (their coupons), and for operators (what was redeemed)."""
