"""The core of a unit: events and rows in; facts and effects out. Pure; see `machine`.

events    what can happen to a unit
effects   what a unit does: data, performed by the adapters
states    the states and every transition that may happen, as one table
machine   the decisions
"""
