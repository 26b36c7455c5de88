"""Fixtures of the agent's tests; what they are made of stands in `conftest_agent`."""

from __future__ import annotations

from conftest_agent import drive, store

__all__ = ["drive", "store"]
