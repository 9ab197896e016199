"""`jackstop users`: people of the live service, on its database directly: for the first set-up, and when nobody can log in."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from jackstop.cli import _live, shared
from jackstop.cli._live import ConfigPath, Url
from jackstop.cli.shared import Format
from jackstop.model.written import stamp
from jackstop.sources.bundle import BundleError
from jackstop.store import audit, people
from jackstop.store.people import User
from jackstop.web import setup

content = typer.Typer(help="People of the live service: add, list, reset, disable.", no_args_is_help=True)
_Name = Annotated[str, typer.Argument(help="What the user is called.")]
_HERE = Path("jackstop.toml")


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(content, name="users")


@content.command("add")
def add_user(
    name: _Name,
    role: Annotated[str, typer.Option(help="viewer, analyst, approver or administrator.")] = "viewer",
    config: ConfigPath = _HERE,
    database: Url = None,
) -> None:
    """Add a user, and print the one-time link by which they choose a password and enrol their codes."""
    if not setup.NAME.fullmatch(name):
        raise BundleError([f"user {name!r}, expected small letters, digits, and . _ @ - after the first, at most 64"])
    with _live.opened(config, database) as store, store.write() as connection:
        now = _live.clock()
        try:
            people.add(connection, name, role, now)
        except ValueError as fault:
            raise BundleError([str(fault)]) from None
        link = setup.invite(connection, name, now)
        audit.append(connection, now, _live.actor(), "user.add", name, role)
    _say_link(name, _live.base(config, database) + link)


@content.command("list")
def listing(
    config: ConfigPath = _HERE,
    database: Url = None,
    form: Annotated[Format, typer.Option("--format", help="Shape of the output.")] = Format.text,
) -> None:
    """List all users."""
    with _live.opened(config, database) as store, store.read() as connection:
        found = people.listing(connection)
    if form is Format.json:
        shared.say_json([{"name": u.name, "role": u.role, "state": _state(u), "created_at": stamp(u.created_at)} for u in found])
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("name", "role", "state", "since"):
        table.add_column(column)
    for u in found:
        table.add_row(u.name, u.role, _state(u), stamp(u.created_at))
    shared.out.print(table)


@content.command("reset")
def reset(name: _Name, config: ConfigPath = _HERE, database: Url = None) -> None:
    """Take a user's password, codes and sessions away, and print a new one-time link."""
    with _live.opened(config, database) as store, store.write() as connection:
        now, user = _live.clock(), people.find(connection, name)
        if user is None:
            raise BundleError([f"no user {name!r}, expected one of those in `jackstop users list`"])
        if user.subject is not None:
            raise BundleError([f"user {name!r} logs in by OpenID Connect, expected one with a password here"])
        people.forget(connection, name)
        link = setup.invite(connection, name, now)
        audit.append(connection, now, _live.actor(), "user.reset", name)
    _say_link(name, _live.base(config, database) + link)


@content.command("disable")
def disable(
    name: _Name,
    config: ConfigPath = _HERE,
    database: Url = None,
    back: Annotated[bool, typer.Option("--enable", help="Let them in again instead.")] = False,
) -> None:
    """Let a user in no longer; all their sessions end."""
    with _live.opened(config, database) as store, store.write() as connection:
        if people.find(connection, name) is None:
            raise BundleError([f"no user {name!r}, expected one of those in `jackstop users list`"])
        people.set_disabled(connection, name, not back)
        audit.append(connection, _live.clock(), _live.actor(), "user.enable" if back else "user.disable", name)
    shared.out.print(f"{name} {'may log in again' if back else 'may no longer log in'}", markup=False)


def _state(user: User) -> str:
    if user.disabled:
        return "disabled"
    return "ready" if user.ready else "waits for the link to be used"


def _say_link(name: str, link: str) -> None:
    """The link alone on stdout, so that programs can take it."""
    shared.err.print(f"Give this link to {name}; it holds 24 hours and serves once:", markup=False)
    typer.echo(link)
