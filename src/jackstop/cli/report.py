"""`jackstop report`: what an investigation wrote, written anew from its store."""

from pathlib import Path
from typing import Annotated

import typer

from jackstop.cli import shared
from jackstop.cli.shared import Lang
from jackstop.report import text
from jackstop.store.faults import StoreError
from jackstop.store.results import Results


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    results: Annotated[Path, typer.Argument(help="Folder an investigation wrote.")] = Path("jackstop-results"),
    lang: Annotated[Lang, typer.Option(help="Language of the report.")] = Lang.en,
) -> None:
    """Rebuild verdicts.jsonl, alerts.jsonl, coverage.json and report.html from results.sqlite, and show the result."""
    path = results / "results.sqlite"
    if not path.is_file():
        raise StoreError(f"{path}: no such file, expected the results of `jackstop investigate`")
    store = Results(path)
    try:
        kept = store.report()
        shared.write(results, kept, store, lang.value)
    finally:
        store.close()
    text.render(kept, shared.out, lang.value)
