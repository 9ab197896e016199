"""`jackstop policy`: a policy held against the machines as they are set, and against the past."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from jackstop.cli import _policy_saying as saying
from jackstop.cli import shared
from jackstop.cli.shared import Format
from jackstop.model import declared
from jackstop.model.fleet import Fleet
from jackstop.model.settings import HOUR
from jackstop.model.written import stamp
from jackstop.policy import inventory as inventories
from jackstop.policy import model as policies
from jackstop.policy import past, safety
from jackstop.policy.inventory import Inventory
from jackstop.policy.model import Policy
from jackstop.report.plain import line
from jackstop.runners import policy_backtest
from jackstop.sources import bundle as bundles
from jackstop.sources import fleet_file
from jackstop.sources.fleet_file import BundleError
from jackstop.store.database import Database
from jackstop.store.levels import levels

if TYPE_CHECKING:
    from jackstop.service.config import Config

LARGEST = 64 << 20
"""Bytes of a policy or an inventory that are read at most."""

commands = typer.Typer(no_args_is_help=True, help="The policy: machines' safety timers, and what it would have done in the past.")

_Bundle = Annotated[Path | None, typer.Argument(help="Folder with fleet.toml; policy.toml and inventory.csv beside it.")]
_Config = Annotated[Path | None, typer.Option("--config", help="jackstop.toml of the live service, in place of a folder.")]
_Form = Annotated[Format, typer.Option("--format", help="What goes to stdout.")]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(commands, name="policy")


@commands.command("check")
def check(
    bundle: _Bundle = None,
    config: _Config = None,
    policy: Annotated[Path | None, typer.Option(help="The policy file, in place of policy.toml there.")] = None,
    inventory: Annotated[Path | None, typer.Option(help="Settings as found, in place of inventory.csv there.")] = None,
    at: Annotated[str | None, typer.Option(help="Judge the age of readings by this time (ISO 8601), not by now.")] = None,
    form: _Form = Format.text,
) -> None:
    """List the terminals whose safety timers and time bands differ from the policy.

    Leaves with 1 where one differs, is missing, stale or unreadable, or where policy and site hours speak against each other.

    Example: jackstop policy check ./bundle --policy new-policy.toml
    """
    root, fleet, wanted = _place(bundle, config, policy)
    path = inventory or root / "inventory.csv"
    found = inventories.read(_text(path).splitlines(), str(path))
    if config is not None:
        _held(config, found)
    shared.warn(found.faults)
    now = shared.instant(at)
    differing = safety.deviations(wanted, fleet, found, time.time_ns() // 1000 if now is None else now)
    if form is Format.json:
        shared.say_json(
            {"policy": wanted.digest, "terminals": len(fleet.terminal), "deviations": [_as_json(d) for d in differing]}
        )
    else:
        _say(differing, found, fleet, wanted)
    if differing or found.faults:
        raise typer.Exit(1)


@commands.command("backtest")
def backtest(
    policy: Annotated[Path, typer.Argument(help="The policy file.")],
    bundle: _Bundle = None,
    config: _Config = None,
    since: Annotated[str | None, typer.Option(help="With --config: from this time (ISO 8601); else 30 days back.")] = None,
    reset_after: Annotated[str, typer.Option(help="How long people are assumed to take to look at a lock or an alert.")] = "4h",
    form: _Form = Format.text,
    most: Annotated[int, typer.Option(min=0, help="Customers hurt that are shown one by one.")] = 20,
    jobs: Annotated[int | None, typer.Option(min=1, max=64, help="Decoding processes; one per processor by default.")] = None,
) -> None:
    """Show what a policy would have stopped in the past, and which customers it would have hurt, rule by rule.

    It is judged as if it were enforced and every payout had asked.

    Example: jackstop policy backtest new-policy.toml ./january --reset-after 2h
    """
    judged, wait = _policy(policy), shared.span(reset_after)
    if config is not None and bundle is None:
        service = _service(config)
        database = Database(service.url)
        try:
            end = time.time_ns() // 1000
            begin = shared.instant(since) or end - 30 * 24 * HOUR
            happened = policy_backtest.of_history(database, service.data / "history", service.fleet, begin, end)
        finally:
            database.close()
        fleet = service.fleet
    else:
        loaded = bundles.load(_one(bundle, config))
        shared.warn(loaded.warnings)
        with shared.progress("Replaying the past") as tell:
            happened = policy_backtest.of_bundle(loaded, jobs, tell)
        fleet = loaded.fleet
    found = past.replay(judged, fleet, happened, wait)
    if form is Format.json:
        shared.say_json(saying.as_json(found))
    else:
        saying.say(found, most)


def _one(bundle: Path | None, config: Path | None) -> Path:
    """The folder that is meant.

    Raises:
        BundleError: none is named, or two.
    """
    if (bundle is None) == (config is None):
        raise BundleError(["policy: expected either a folder or --config"])
    return bundle or Path()


def _place(bundle: Path | None, config: Path | None, policy: Path | None) -> tuple[Path, Fleet, Policy]:
    """Folder, fleet and policy of a bundle or of the live service."""
    folder = _one(bundle, config)
    if config is not None:
        service = _service(config)
        return service.root, service.fleet, _policy(policy) if policy else service.policy
    wanted = _policy(policy or folder / "policy.toml")
    return folder, fleet_file.read(folder / "fleet.toml"), wanted


def _service(path: Path) -> "Config":
    """The live service's configuration; loaded only where it is asked for, for it brings every part of the service along."""
    from jackstop.service import config

    return config.load(path)


def _held(config: Path, found: Inventory) -> None:
    """Cash that machines hold by their own counters stands in for readings of `cash_limit` that are not there."""
    database = Database(_service(config).url)
    try:
        with database.read() as connection:
            held = levels(connection)
    finally:
        database.close()
    for terminal, (worth, at) in held.items():
        found.readings.setdefault((terminal, "cash_limit"), inventories.Reading(str(worth), at))


def _policy(path: Path) -> Policy:
    try:
        return policies.parse(_text(path), str(path))
    except declared.Undeclared as fault:
        raise BundleError(fault.faults) from None


def _text(path: Path) -> str:
    """A file's text.

    Raises:
        BundleError: it cannot be read, is too long or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise BundleError([f"{path}: longer than {LARGEST} bytes, expected a shorter file"])
        return data.decode("utf-8-sig")
    except OSError as fault:
        raise BundleError([f"{path}: {fault.strerror or fault}, expected a readable file (docs/response.md)"]) from None
    except UnicodeDecodeError:
        raise BundleError([f"{path}: not UTF-8, expected UTF-8 text"]) from None


def _as_json(d: safety.Deviation) -> dict[str, Any]:
    return {
        "terminal": d.terminal,
        "setting": d.setting,
        "state": d.state,
        "expected": d.expected,
        "found": d.found,
        "observed_at": stamp(d.at) if d.at is not None else None,
    }


def _say(differing: list[safety.Deviation], found: Inventory, fleet: Fleet, policy: Policy) -> None:
    say = shared.out.print
    terminals = {d.terminal for d in differing if d.state != "stranger"}
    head = f"{len(terminals):,} of {len(fleet.terminal):,} terminals differ from policy {policy.digest}"
    say(Text(f"{head} ({len(found.readings):,} readings)", "bold"))
    if not differing:
        return
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("terminal", "setting", "state", "expected", "found", "observed"):
        table.add_column(column, no_wrap=column not in {"expected", "found"})
    for d in differing:
        when = stamp(d.at)[:10] if d.at is not None else "-"
        cells = (line(d.terminal, 60), d.setting, d.state, line(d.expected, 60), line(d.found, 60) or "-", when)
        table.add_row(*(Text(c) for c in cells))
    say(table)
