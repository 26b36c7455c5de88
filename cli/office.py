"""The open centre for a command, and its errors in plain words (`Stop`, with the exit codes of `cli.exits`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Final

from central.bank.accounts import AccountError
from central.bank.shops import ShopError
from central.coupons.issue import IssueError
from central.coupons.keyring import KeyringError
from central.coupons.persons import PersonError
from central.coupons.stoplist import StopListError
from central.db.database import StorageError
from central.db.migrate import SchemaTooNew
from central.homes import HomeError
from central.keys import KeyFileError
from central.ledger.programmes import ProgrammeError
from central.members.membership import MemberError
from central.office import Office, OfficeError, open_office
from central.registry import RegistryError
from central.settings import CentralSettings
from central.tokens import TokenError
from cli.exits import Exit, Stop
from cli.settings import load

MINUTE_MS: Final = 60_000
TABLE_CHARS_MAX: Final = 240  # where the terminal does not say how wide it is


def settings(config: Path | None) -> CentralSettings:
    """Section [central]. Raises SettingsError."""
    return load("central", CentralSettings, config)


@contextmanager
def plain_words() -> Iterator[None]:
    """What can go wrong at the centre, as one line for the person who typed the command."""
    try:
        yield
    except (IssueError, ProgrammeError) as error:
        raise Stop("\n         ".join(error.problems), Exit.USAGE) from error
    except (
        RegistryError,
        PersonError,
        KeyringError,
        HomeError,
        StopListError,
        AccountError,
        ShopError,
        MemberError,
        TokenError,
    ) as error:
        raise Stop(str(error), Exit.USAGE) from error
    except (OfficeError, KeyFileError, SchemaTooNew) as error:
        raise Stop(str(error), Exit.MISSING) from error
    except StorageError as error:
        raise Stop(f"the centre's database: {error}", Exit.UNANSWERED) from error


@contextmanager
def opened(config: Path | None) -> Iterator[Office]:
    """The centre of these settings, opened. Raises Stop."""
    with plain_words():
        office = open_office(settings(config))
        try:
            yield office
        finally:
            office.close()


def last_day(text: str | None) -> int | None:
    """'2026-07-30' (that whole day, local time) or '2026-07-30T18:00' as the first instant after it, in ms."""
    moment = _moment(text)
    if moment is None or text is None:
        return None
    if len(text) == len("2026-07-30"):
        moment = datetime.combine(moment.date() + timedelta(days=1), time.min)
    return int(moment.timestamp() * 1000)


def first_instant(text: str | None) -> int | None:
    """'2026-07-01' (its midnight, local time) or '2026-07-01T09:00', in ms."""
    moment = _moment(text)
    return None if moment is None else int(moment.timestamp() * 1000)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise Stop(f"{text!r} is no date: write 2026-07-30 or 2026-07-30T18:00", Exit.USAGE) from None


def local(at_ms: int | None, otherwise: str = "") -> str:
    """A time as people here read it."""
    if at_ms is None:
        return otherwise
    return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")


def when(at_ms: int, error_ms: int) -> str:
    """A time that may be wrong by so much, where that is more than the minutes that are shown."""
    return local(at_ms) if error_ms < MINUTE_MS else f"{local(at_ms)} ±{-(-error_ms // MINUTE_MS):,} min"


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table in the terminal; in a file or a pipe it is as wide as it needs to be, nothing cut off."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=TABLE_CHARS_MAX)
    table = Table()
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)
