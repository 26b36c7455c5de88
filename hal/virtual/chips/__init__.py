"""The chips around the reader board, as their data sheets say, in memory: reader chips, cards in the air, lights,
buttons.

They are written against the data sheets and not against the drivers, are stricter than the chips where they can be
(what a chip would take and misbehave is a ModelError), and can be told to fail. `bench.Bench` has one board's
surroundings, and the controls of the world.
"""


class ModelError(AssertionError):
    """The driver did what the data sheet does not allow."""
