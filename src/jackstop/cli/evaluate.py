"""`jackstop evaluate`: an investigation held against the ground truth."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.table import Table

from jackstop import evaluate as evaluation
from jackstop import scorecard
from jackstop.cli import _scores as scores
from jackstop.cli import shared
from jackstop.cli.shared import Format
from jackstop.runners import local
from jackstop.sources import bundle as bundles
from jackstop.store.results import Results


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate)


def evaluate(
    bundle: Annotated[Path, typer.Argument(help="A simulated bundle, with truth.jsonl.")],
    form: Annotated[Format, typer.Option("--format", help="What goes to stdout.")] = Format.text,
    before: Annotated[Path | None, typer.Option(help="An earlier result (--format json) to compare with.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, max=64, help="Decoding processes; one per processor by default.")] = None,
) -> None:
    """Investigate a simulated bundle and hold the result against its truth.

    Prints precision, recall, time to alert, loss before alert and false alarms per terminal-day. Leaves with 1 where an
    attack was missed, something quiet paged, or under 99.9 % of legitimate withdrawals were explained.
    """
    earlier = shared.read_json(before) if before is not None else None
    told = evaluation.stories(bundle)
    loaded = bundles.load(bundle)
    shared.warn(loaded.warnings)
    with TemporaryDirectory(prefix="jackstop-") as folder, shared.progress("Investigating") as tell:
        results = Results(Path(folder) / "results.sqlite")
        try:
            report = local.investigate(loaded, results, local.Options(jobs=jobs, progress=tell))
            results.finish(report, "")
            score = evaluation.score(told, evaluation.withdrawals(bundle), report, results)
        finally:
            results.close()
    card = scorecard.of(score, told, [d.alert for d in report.dossiers])
    if form is Format.json:
        shared.say_json({**score.as_json(), "scorecard": card.as_json()})
    else:
        _show(score)
        scores.show(card)
        if earlier is not None:
            scores.compare(card, earlier)
    if not _holds(score):
        raise typer.Exit(1)


def _holds(score: evaluation.Score) -> bool:
    judged = all(s.judged == s.movements for s in score.stories if s.attack)
    return score.recall == 1 and not score.false_alarms and judged and score.explained_share >= 0.999


def _show(score: evaluation.Score) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("story", "kind", "paged", "to alert", "lost / stolen", "movements found", "detections"):
        table.add_column(column)
    for s in score.stories:
        kind = "attack" if s.attack else "benign"
        good = (not s.missed) if s.attack else not s.paged
        paged = f"{len(s.paged)}/{len(s.terminals)}"
        table.add_row(
            s.story,
            kind,
            f"[green]{paged}[/]" if good else f"[red]{paged}[/]",
            "" if s.to_alert_s is None else f"{s.to_alert_s:+.1f} s",
            f"{s.loss / 100:,.2f} / {s.stolen / 100:,.2f}" if s.attack else "",
            f"{s.judged}/{s.movements}" if s.attack else "",
            " ".join(s.detections),
        )
    shared.out.print(table)
    rate = len(score.false_alarms) / score.terminal_days if score.terminal_days else 0
    shared.out.print(
        f"precision {score.precision:.3f}   recall {score.recall:.3f}   paging alerts {score.alerts}   "
        f"false alarms {len(score.false_alarms)} ({rate:.4f} per terminal-day)"
    )
    shared.out.print(
        f"legitimate withdrawals explained: {score.explained:,} of {score.withdrawals:,} ({score.explained_share:.4%})"
    )
    early, thefts = score.before_first_note
    shared.out.print(f"pages before the first note: {early} of {thefts} attacks")
    for line in score.false_alarms:
        shared.out.print(f"false alarm: {line}", markup=False, soft_wrap=True)
