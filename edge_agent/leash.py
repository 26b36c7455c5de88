"""Runs a command that can't outlive the one who started it: `python -m edge_agent.leash PARENT [options] -- COMMAND...`

The kernel is asked to send SIGKILL when the parent dies in whatever way (PR_SET_PDEATHSIG); then this process
becomes the command. A parent that died before the request is noticed by its number. The signal follows the
parent's *thread*: start commands from a thread that lives as long as the process does.

`--file-bytes N` sets the largest file that the command may write (RLIMIT_FSIZE, soft): 0 is a full disk.

Exit code 125: the leash could not be put on, or the parent is gone already; 127: no such command.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Sequence
from typing import Final

PR_SET_PDEATHSIG: Final = 1
NO_LEASH: Final = 125
NO_COMMAND: Final = 127


def command(argv: Sequence[str], *, file_bytes: int | None = None) -> list[str]:
    """`argv` on a leash held by this process."""
    limit = [] if file_bytes is None else ["--file-bytes", str(file_bytes)]
    return [sys.executable, "-m", "edge_agent.leash", str(os.getpid()), *limit, "--", *argv]


def main(argv: Sequence[str]) -> int:
    split = argv.index("--")
    head, run = argv[:split], list(argv[split + 1 :])
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.stderr.write(f"leash: prctl: {os.strerror(ctypes.get_errno())}\n")
        return NO_LEASH
    if os.getppid() != int(head[0]):
        return NO_LEASH
    if "--file-bytes" in head:
        limit_files(os.getpid(), int(head[head.index("--file-bytes") + 1]))
    try:
        os.execv(run[0], run)  # noqa: S606 (this is what the module is for)
    except OSError as error:
        sys.stderr.write(f"leash: {run[0]}: {error}\n")
        return NO_COMMAND


def limit_files(pid: int, file_bytes: int | None) -> None:
    """Let process `pid` write no file beyond `file_bytes`; None takes the limit away.

    Each write beyond it then fails in the kernel with EFBIG. Raises ProcessLookupError, PermissionError.
    """
    hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard if file_bytes is None else file_bytes, hard))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
