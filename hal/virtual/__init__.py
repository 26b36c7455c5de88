"""Parts in memory: a whole unit without hardware, for the demo, for tests and for developers.

The parts here (`display`, `indicators`, `card`, `clock`, `camera`) stand on a `port.Port`. Behind it is a
`world.World` in the same process, or `link`, which reaches a World in the simulator's process. The controls of
the world (show this picture, insert that card) are on the World alone: no part can reach them.
"""
