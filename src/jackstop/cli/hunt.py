"""`jackstop hunt`: a bundle's logs, or the history of a live service, searched for an advisory's indicators."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from rich.text import Text

from jackstop.advisories import KINDS, Matcher
from jackstop.cli import shared
from jackstop.cli.shared import Format
from jackstop.model.written import stamp, whole
from jackstop.report.plain import line
from jackstop.runners import hunt as hunting
from jackstop.sources import advisory_file
from jackstop.sources import bundle as bundles


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("hunt")(hunt)


def hunt(
    advisory: Annotated[list[str], typer.Option(help="Id of an advisory, a .toml advisory, or a STIX 2.1 .json bundle.")],
    bundle: Annotated[Path | None, typer.Argument(help="Folder with fleet.toml and logs.")] = None,
    config: Annotated[Path | None, typer.Option(help="jackstop.toml of a live service: its history is searched.")] = None,
    since: Annotated[str | None, typer.Option(help="History from this time on, in ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option(help="History before this time, in ISO 8601.")] = None,
    form: Annotated[Format, typer.Option("--format", help="Lines of text, or of JSON.")] = Format.text,
    most: Annotated[int, typer.Option(min=1, help="Hits shown at most; all are counted.")] = 1000,
) -> None:
    """Search logs for the indicators of advisories, and show each hit with the record it stands in.

    Searched is a bundle, or everything a live service has put away. Leaves with 1 where something was found.

    Examples: jackstop hunt ./bundle --advisory ./indicators.json,
    jackstop hunt --config ./jackstop.toml --advisory ./indicators.json --since 2026-03-01
    """
    if (bundle is None) == (config is None):
        raise typer.BadParameter("say a bundle or --config, one of the two")
    if bundle is not None and (since is not None or until is not None):
        raise typer.BadParameter("--since and --until are of a live history: say --config")
    span = (shared.instant(since), shared.instant(until))
    known = [advisory_file.read(name) for name in advisory]
    shared.warn(tuple(said for one in known for said in one.left_out))
    indicators = [i for one in known for i in one.advisory.indicators]
    if not indicators:
        shared.warn((f"{', '.join(o.advisory.id for o in known)}: no indicators, expected some: nothing is looked for",))
    account, matcher = hunting.Hunt(), Matcher.of(indicators)
    with _place(bundle, config, span) as search:
        shown = search(matcher, account, form, most)
    shared.warn(tuple(account.faults))
    _sum_up(account, len(indicators), shown)
    if account.hits:
        raise typer.Exit(1)


Search = Callable[[Matcher, hunting.Hunt, Format, int], int]


@contextmanager
def _place(bundle: Path | None, config: Path | None, span: tuple[int | None, int | None]) -> Iterator[Search]:
    """What is searched, as a function that shows hits and gives how many it showed."""
    if bundle is not None:
        loaded = bundles.load(bundle)
        shared.warn(loaded.warnings)
        title = f"Searching {len(loaded.files)} logs"
        yield lambda matcher, account, form, most: _show(title, partial(hunting.hunt, loaded, matcher, account), form, most)
    elif config is not None:
        from jackstop.cli import _history  # here, for most searches need no database

        with _history.opened(config) as history:
            yield lambda matcher, account, form, most: _show(
                "Searching the history", partial(hunting.hunt_history, history, span, matcher, account), form, most
            )


def _show(title: str, search: Callable[[Callable[[int, int], None]], Iterator[pl.DataFrame]], form: Format, most: int) -> int:
    """Show hits as they are found; gives how many were."""
    shown = 0
    with shared.progress(title) as tell:
        for hits in search(tell):
            for hit in hits.head(most - shown).iter_rows(named=True):
                _say(hit, form)
            shown += min(hits.height, most - shown)
    return shown


def _say(hit: dict[str, Any], form: Format) -> None:
    moment = stamp(round(hit["time"].timestamp() * 1e6)) if hit["time"] else None
    record = {"path": hit["source"], "offset": hit["record_offset"], "length": hit["record_length"]}
    if form is Format.json:
        told = {c: hit[c] for c in ("kind", "value", "note", "table", "field", "terminal")}
        said = {**told, "time": moment, "record": {**record, "sha256": (hit["record_digest"] or b"").hex()}}
        sys.stdout.write(whole(json.dumps(said)) + "\n")
        return
    where = f"{record['path']}@{record['offset']}+{record['length']}"
    head = f"{moment or '-'}  {line(hit['terminal'] or '-')}  {hit['kind']} {line(hit['value'])}"
    shared.out.print(Text(f"{head}  in {hit['table']}.{line(hit['field'])}  {line(where, 400)}"), soft_wrap=True)


def _sum_up(account: hunting.Hunt, looked_for: int, shown: int) -> None:
    """What was searched, on stderr, so that stdout is hits and nothing else."""
    say = shared.err.print
    kinds = {k: sum(n for (kind, _), n in account.by_value.items() if kind == k) for k in KINDS}
    told = ", ".join(f"{n} {k}" for k, n in kinds.items() if n) or "none"
    say(f"{looked_for:,} indicators in {account.rows:,} rows: {account.hits:,} hits ({told})", markup=False, soft_wrap=True)
    if shown < account.hits:
        say(f"{account.hits - shown:,} more hits not shown, say --most to see them", markup=False, soft_wrap=True)
