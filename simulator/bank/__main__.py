"""`python -m simulator.bank`: the sandbox bank as a process, until it is told to stop."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from simulator.bank.server import BankServer


def main(
    ledger: Annotated[Path, typer.Option(help="The bank's books, an SQLite file.")],
    port: Annotated[int, typer.Option(help="TCP port to listen on.")] = 8480,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Run a bank that debits really and fails on request."""
    server = BankServer(host, port, ledger)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    sys.stdout.write(msgspec.json.encode({"event": "started", "port": server.server_address[1]}).decode() + "\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    typer.run(main)
