"""Fixtures of the agent's tests; what they are made of stands in `agent_world`."""

from __future__ import annotations

from tests.unit.edge_agent.agent_world import drive, store

__all__ = ["drive", "store"]
