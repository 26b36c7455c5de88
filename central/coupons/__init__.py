"""Document K: issuing, giving out, clearing and telling the story of electronic coupons.

issue     K1, K2   what a provider issues, changes, stops        persons   K3   who may download
download  K3       giving one out, and the clear no              keyring        the keys that sign coupons
shelf              what can be downloaded, what somebody has     history   K7   figure 3
clearing  K6, K8   redemptions, conflicts, counts                usage     K6   uses of a campaign, of a site, by day
"""
