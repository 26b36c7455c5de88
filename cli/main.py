"""The `tokuten` command: one entry, sub-commands that are imported only when they are called.

So `tokuten --help` is quick, and a Pi that carries the unit's packages alone can run `tokuten unit` and gets a
sentence, not a traceback, from the commands it has no packages for. A sub-command is a module of `cli` with
either a `typer.Typer` called `app` or a function of the module's own name. Every expected failure ends as one
line on stderr and a code of `cli.exits`; `--debug` shows the traceback instead.
"""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import version
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from cli.exits import Exit, Stop
from hal.errors import HalError

OUR_PACKAGES: Final = frozenset({"cli", "simulator", "central", "edge_agent", "hal", "firmware", "wire", "loyalty"})


class Lazy(NamedTuple):
    """A sub-command that is imported when it is called."""

    module: str
    help: str
    extra: str  # the pyproject extra that brings its packages; '': the base installation has them
    what: str  # what is missing where they are, in words


COMMANDS: Final[dict[str, Lazy]] = {
    "scan": Lazy("cli.scan", "Say what each barcode in pictures is, and what its verdict would be.", "", "the unit"),
    "unit": Lazy("cli.unit", "Run a unit: camera, decisions, journal, report.", "", "the unit"),
    "doctor": Lazy("cli.doctor", "What this machine has for a unit, what is missing, and trying it.", "", "the unit"),
    "hub": Lazy("cli.hub", "Run a box of its own that is the hub of a site.", "", "the unit"),
    "central": Lazy("cli.central", "Run the centre, or prepare its database.", "central", "the centre"),
    "coupon": Lazy("cli.coupon", "Issue, list and show coupons.", "central", "the centre"),
    "lease": Lazy("cli.lease", "Where the parts of caps and budgets are.", "central", "the centre"),
    "programme": Lazy("cli.programme", "Kinds of points, and the shops' earn rules.", "central", "the centre"),
    "ledger": Lazy("cli.ledger", "Balances of points, and the auditor of the books.", "central", "the centre"),
    "home": Lazy("cli.home", "Who decides about serials that have a home.", "central", "the centre"),
    "bank": Lazy("cli.bank", "Payment by bank account: accounts, shops, payments.", "central", "the centre"),
    "device": Lazy("cli.device", "Enrol and list units.", "central", "the centre"),
    "staff": Lazy("cli.staff", "Who works with the centre's pages, and as what.", "central", "the centre"),
    "history": Lazy("cli.history", "Print who used which coupon, when and where.", "central", "the centre"),
    "offers": Lazy("cli.offers", "Goods, offers for each customer, mails and letters.", "central", "the centre"),
    "analysis": Lazy("cli.analysis", "What is looked at, downloaded and used.", "central", "the centre"),
    "token": Lazy("cli.token", "API tokens of shops and providers.", "central", "the centre"),
    "card": Lazy("cli.card", "Give out, replace, block and list member cards.", "central", "the centre"),
    "broker": Lazy("cli.broker", "Run the embedded MQTT broker (demo and tests).", "", "the unit"),
    "world": Lazy("cli.world", "Run lives of the simulated world, from seeds.", "simulator", "the simulator"),
    "demo": Lazy(
        "cli.demo", "The whole of it on this machine, with a kiosk in the browser.", "simulator", "the simulator"
    ),
}


GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "Try it": ("demo", "scan", "world"),
    "Run it": ("central", "unit", "hub", "broker"),
    "Coupons, points, payments": ("coupon", "lease", "programme", "ledger", "bank", "offers"),
    "People, cards, units": ("card", "staff", "token", "device", "home"),
    "What happened": ("history", "analysis"),
}
"""Under which heading `tokuten --help` lists a command, and in which order; what is in none of them comes last."""


def load(name: str) -> Any:
    """The real command `name`. Raises Stop where its packages are not installed."""
    lazy = COMMANDS[name]
    try:
        module = importlib.import_module(lazy.module)
    except ModuleNotFoundError as error:
        raise not_installed(lazy, error) from error
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False)
        app.command(name)(getattr(module, name))
    app.pretty_exceptions_enable = False
    command = typer.main.get_command(app)
    command.name = name
    return command


def not_installed(lazy: Lazy, error: ModuleNotFoundError) -> Exception:
    """A sentence that says what to install; the error itself where a module of ours is gone, a fault of the program."""
    missing = (error.name or "").partition(".")[0]
    if missing in OUR_PACKAGES or not missing:
        return error
    package = f"tokuten[{lazy.extra}]" if lazy.extra else "tokuten"
    return Stop(f"{lazy.what} is not installed here: pip install '{package}' (no module named {missing!r})")


class LazyGroup(TyperGroup):
    """Lists placeholders with their help; swaps in the real command when one is called."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        panels = {name: group for group, names in GROUPS.items() for name in names}
        for name, lazy in COMMANDS.items():
            self.add_command(TyperCommand(name=name, help=lazy.help, callback=None, rich_help_panel=panels.get(name)))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return (name, load(name), rest) if name in COMMANDS else (name, command, rest)

    def list_commands(self, ctx: Any) -> list[str]:
        grouped = [name for names in GROUPS.values() for name in names]
        return [*grouped, *(name for name in COMMANDS if name not in grouped)]


app = typer.Typer(
    name="tokuten",
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Coupons and points at unattended kiosks and checkout lanes, with or without a network.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tokuten {version('tokuten')}")
        raise typer.Exit


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks instead of one line.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """The console script."""
    try:
        try:
            app()
        except ModuleNotFoundError as error:  # from an import inside a command
            name = next((word for word in sys.argv[1:] if word in COMMANDS), "")
            if not name:
                raise
            raise not_installed(COMMANDS[name], error) from error
    except (Stop, HalError, OSError) as failure:
        if "--debug" in sys.argv[1:2]:
            raise
        sys.stderr.write(f"tokuten: {failure}\n")
        sys.exit(failure.code if isinstance(failure, Stop) else Exit.MISSING)
