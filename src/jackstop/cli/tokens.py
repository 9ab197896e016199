"""`jackstop tokens`: API tokens of the live service, on its database directly: for set-ups without a browser."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from jackstop.cli import _live, shared
from jackstop.cli._live import ConfigPath, Url
from jackstop.cli.shared import Format
from jackstop.model.written import stamp
from jackstop.sources.bundle import BundleError
from jackstop.store import audit, tokens
from jackstop.store.tokens import Token

content = typer.Typer(help="API tokens of the live service: make, list, revoke.", no_args_is_help=True)
DAY = 24 * 3600 * 1_000_000
_HERE = Path("jackstop.toml")


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(content, name="tokens")


@content.command("make")
def make(
    name: Annotated[str, typer.Argument(help="Whose token it is, such as the program that comes with it.")],
    scope: Annotated[list[str], typer.Option(help="A role, intake:NAME, interlock or metrics; may be given several times.")],
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long it holds.")] = 365,
    config: ConfigPath = _HERE,
    database: Url = None,
) -> None:
    """Make a token and print its secret: once, here, and nowhere else."""
    with _live.opened(config, database) as store, store.write() as connection:
        now, who = _live.clock(), _live.actor()
        try:
            made, secret = tokens.make(connection, name[:100], tuple(scope), who, now, now + days * DAY)
        except ValueError as fault:
            raise BundleError([str(fault)]) from None
        audit.append(connection, now, who, "token.make", made.name, " ".join(made.scopes))
    shared.err.print(
        f"Token {made.id} ({name}), good until {stamp(made.ends_at or 0)}. Its secret is shown only now:", markup=False
    )
    typer.echo(secret)


@content.command("list")
def listing(
    config: ConfigPath = _HERE,
    database: Url = None,
    form: Annotated[Format, typer.Option("--format", help="Shape of the output.")] = Format.text,
) -> None:
    """List all tokens, newest first, without their secrets."""
    now = _live.clock()
    with _live.opened(config, database) as store, store.read() as connection:
        found = tokens.listing(connection)
    if form is Format.json:
        shared.say_json([{"id": t.id, "name": t.name, "scopes": t.scopes, "state": _state(t, now), **_times(t)} for t in found])
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("id", "name", "scopes", "state", "until", "last used"):
        table.add_column(column)
    for t in found:
        table.add_row(t.id, t.name, " ".join(t.scopes), _state(t, now), _times(t)["ends_at"] or "-", _times(t)["used_at"] or "-")
    shared.out.print(table)


@content.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(help="The token's id, as `list` shows it.")],
    config: ConfigPath = _HERE,
    database: Url = None,
) -> None:
    """Revoke a token; a running service no longer takes it within a second."""
    with _live.opened(config, database) as store, store.write() as connection:
        now = _live.clock()
        if not tokens.revoke(connection, token, now):
            raise BundleError([f"no token {token!r} that is not revoked, expected an id of `jackstop tokens list`"])
        audit.append(connection, now, _live.actor(), "token.revoke", token)
    shared.out.print(f"{token} is revoked", markup=False)


def _state(token: Token, now: int) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "good" if token.holds(now) else "ended"


def _times(token: Token) -> dict[str, str | None]:
    names = ("made_at", "ends_at", "used_at", "revoked_at")
    return {n: None if (at := getattr(token, n)) is None else stamp(at) for n in names}
