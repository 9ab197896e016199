"""`jackstop alerts`: the alerts of an investigation in the shape another system takes."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from jackstop import sinks
from jackstop.cli import shared
from jackstop.cli.shared import Lang, Level
from jackstop.model.results import at_least
from jackstop.sources.fleet_file import BundleError
from jackstop.store.faults import StoreError
from jackstop.store.results import Results


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("alerts")(alerts)


def alerts(
    results: Annotated[Path, typer.Argument(help="Folder an investigation wrote.")] = Path("jackstop-results"),
    to: Annotated[str, typer.Option(help=f"The shape: {', '.join(sinks.names())}.")] = "ocsf",
    out: Annotated[Path | None, typer.Option(help="A file to write; stdout by default.")] = None,
    least: Annotated[Level, typer.Option("--at-least", help="Leave out alerts less grave.")] = Level.info,
    lang: Annotated[Lang, typer.Option(help="Language of titles and messages.")] = Lang.en,
) -> None:
    """Write an investigation's alerts for a SIEM, one line each.

    Example: jackstop alerts ./results --to ecs --out alerts.ecs.jsonl
    """
    if to not in sinks.names():
        raise BundleError([f"--to {to!r} is unknown, expected one of: {', '.join(sinks.names())}"])
    path = results / "results.sqlite"
    if not path.is_file():
        raise StoreError(f"{path}: no such file, expected the results of `jackstop investigate`")
    store = Results(path)
    try:
        kept = [d.alert for d in store.report().dossiers if at_least(d.alert.severity, least.value)]
    finally:
        store.close()
    lines = (sinks.find(to).line(alert, lang.value) for alert in kept)
    if out is not None:
        shared.whole(out, lines)
        return
    for line in lines:
        sys.stdout.write(line + "\n")
