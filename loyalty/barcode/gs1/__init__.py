"""GS1's element strings: what the codes of the trade say, and what is wrong with one that is misprinted.

    faults    why a message is wrong, with the AI and the place in the scanned text
    ais       the Application Identifiers: how long their values are, and of which characters
    elements  text -> elements: as scanned with separators, and as people read it, '(255)...(17)...'
    link      text -> elements: GS1 Digital Link addresses
    lint      the rules of one value, and of values together
    dates     YYMMDD
    paper     the body of 8110, the North American paper coupon
    positive  the body of 8112, the serialised coupon of a positive offer file
    message   all of it: text -> Message, or Gs1Error

The rules are those of GS1's General Specifications and of its Syntax Dictionary with its linters. Nothing here knows
what a campaign is; `loyalty.barcode.trade` makes coupons of messages.
"""
