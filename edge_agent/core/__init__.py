"""The core of a unit: events and rows in; facts and effects out. Pure; see `machine`.

events    what can happen to a unit                       reach    is the centre in reach?
effects   what a unit does: data, done by the adapters    sharing  parts of limits, homes of serials
states    every transition that may happen, as a table    examine  from a reading to its verdict
sales     what was bought, as a fact                     browsing  the pages of a kiosk, turned with two buttons
receipt   what a till is told; `pricing`, `tendering` and `checkout`: its sale
machine   the decisions; on `till` (the basket of a till), `asking` (questions) and `base`
"""
