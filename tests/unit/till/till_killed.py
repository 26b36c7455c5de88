"""A lane in a process of its own that is killed at the worst moment: a payment is on disk, and nobody was told.

`python -m tests.unit.till.till_killed FOLDER PORT KILL`: with KILL 1 the process kills itself (SIGKILL) as the deciding
thread hands over the answer to a payment; with 0 it serves until it is killed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from edge_agent.core.receipt import SaleState, TillAnswer
from edge_agent.till.desk import Desk
from tests.unit.till.till_rig import TillRig


def _die(self: Desk, reply: int, answer: TillAnswer) -> None:
    if answer.sale is not None and answer.sale.state is SaleState.PAID:
        os.kill(os.getpid(), signal.SIGKILL)
    _answered(self, reply, answer)


_answered = Desk.answered

if __name__ == "__main__":
    folder, port, kill = sys.argv[1:]
    if kill == "1":
        Desk.answered = _die  # type: ignore[method-assign]
    TillRig(Path(folder), port=int(port))
    threading.Event().wait()
