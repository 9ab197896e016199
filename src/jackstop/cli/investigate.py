"""`jackstop investigate`: a folder of logs, every movement of cash decided."""

import json
from pathlib import Path
from typing import Annotated

import typer

from jackstop.cli import shared
from jackstop.cli.shared import Format, Lang, Level
from jackstop.report import outputs, text
from jackstop.runners.local import Options
from jackstop.sources import bundle as bundles


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("investigate")(investigate)


def investigate(
    bundle: Annotated[Path, typer.Argument(help="Folder with fleet.toml, visits.csv and logs.")],
    out: Annotated[Path, typer.Option(help="Where verdicts, alerts, coverage and report.html go.")] = Path("jackstop-results"),
    step: Annotated[str, typer.Option(help="Alerts are raised at multiples of this much event time.")] = "1s",
    until: Annotated[str | None, typer.Option(help="Know nothing after this time (ISO 8601).")] = None,
    form: Annotated[Format, typer.Option("--format", help="What goes to stdout.")] = Format.text,
    fail_on: Annotated[Level, typer.Option(help="Leave with 1 where an alert is this grave or graver.")] = Level.high,
    lang: Annotated[Lang, typer.Option(help="Language of the report.")] = Lang.en,
    jobs: Annotated[int | None, typer.Option(min=1, max=64, help="Decoding processes; one per processor by default.")] = None,
) -> None:
    """Replay a bundle of logs in event time and decide every movement of cash.

    Writes verdicts.jsonl, alerts.jsonl, coverage.json, report.html and results.sqlite to --out. The same bundle and
    options again are answered from results.sqlite.

    Example: jackstop investigate ./bank-night --out ./results --fail-on high
    """
    loaded = bundles.load(bundle)
    shared.warn(loaded.warnings)
    options = Options(step=shared.span(step), until=shared.instant(until), jobs=jobs)
    with shared.progress(f"Reading {len(loaded.files)} logs") as tell:
        done = shared.investigate(loaded, out, Options(options.step, options.until, jobs, tell), lang.value)
    if form is Format.json:
        alerts = [json.loads(line) for line in outputs.alerts_jsonl(d.alert for d in done.report.dossiers)]
        shared.say_json({"alerts": alerts, "coverage": json.loads(outputs.coverage_json(done.report)), "out": str(out)})
    else:
        text.render(done.report, shared.out, lang.value)
        note = " (from earlier results)" if done.reused else ""
        shared.err.print(f"Results{note}: {out}/report.html", markup=False, soft_wrap=True)
    shared.leave(done.report, fail_on)
