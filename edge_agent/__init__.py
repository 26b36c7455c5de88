"""The agent of a unit: a pure core, a store (cache and journal), the adapters around them, and its runner."""
