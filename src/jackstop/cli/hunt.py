"""`jackstop hunt`: a bundle's logs searched for an advisory's indicators."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

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
    bundle: Annotated[Path, typer.Argument(help="Folder with fleet.toml and logs.")],
    advisory: Annotated[list[str], typer.Option(help="Id of an advisory, a .toml advisory, or a STIX 2.1 .json bundle.")],
    form: Annotated[Format, typer.Option("--format", help="Lines of text, or of JSON.")] = Format.text,
    most: Annotated[int, typer.Option(min=1, help="Hits shown at most; all are counted.")] = 1000,
) -> None:
    """Search a bundle's logs for the indicators of advisories, and show each hit with the record it stands in.

    Leaves with 1 where something was found.

    Example: jackstop hunt ./bundle --advisory ./indicators.json
    """
    loaded = bundles.load(bundle)
    shared.warn(loaded.warnings)
    known = [advisory_file.read(name) for name in advisory]
    shared.warn(tuple(said for one in known for said in one.left_out))
    indicators = [i for one in known for i in one.advisory.indicators]
    if not indicators:
        shared.warn((f"{', '.join(o.advisory.id for o in known)}: no indicators, expected some: nothing is looked for",))
    account, shown = hunting.Hunt(), 0
    with shared.progress(f"Searching {len(loaded.files)} logs") as tell:
        for hits in hunting.hunt(loaded, Matcher.of(indicators), account, tell):
            for hit in hits.head(most - shown).iter_rows(named=True):
                _say(hit, form)
            shown += min(hits.height, most - shown)
    shared.warn(tuple(account.faults))
    _sum_up(account, len(indicators), shown)
    if account.hits:
        raise typer.Exit(1)


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
