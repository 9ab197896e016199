"""`jackstop detections`: the content: what is detected, why, and its tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from jackstop import detections, trial
from jackstop.cli import _export, _sigma, shared
from jackstop.cli.shared import Format, Lang
from jackstop.sources import knowledge
from jackstop.sources.fleet_file import BundleError

content = typer.Typer(help="What is detected: list it, explain it, test it.", no_args_is_help=True)


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(content, name="detections")


@content.command("list")
def listing(
    lang: Annotated[Lang, typer.Option(help="Language.")] = Lang.en,
    form: Annotated[Format, typer.Option("--format", help="Shape of the output.")] = Format.text,
) -> None:
    """List every detection with its gravest severity and what it needs to see."""
    metas = {name: detections.find(name).META for name in detections.names()}
    if form is Format.json:
        shared.say_json(
            [
                {"id": n, "title": getattr(m.title, lang), "level": m.level, "needs": m.needs, "attack": m.attack}
                for n, m in metas.items()
            ]
        )
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("id", "level", "what it says", "needs", "ATT&CK"):
        table.add_column(column)
    for name, m in metas.items():
        table.add_row(name, m.level, getattr(m.title, lang), " ".join(m.needs), " ".join(m.attack))
    shared.out.print(table)


@content.command("show")
def show(
    detection: Annotated[str, typer.Argument(help="Id, such as dispense.unexplained, or a rule file of your own (.yml).")],
    lang: Annotated[Lang, typer.Option(help="Language.")] = Lang.en,
) -> None:
    """Explain one detection: why it matters, what to do first, what silences it, what it cannot see, its tests."""
    (detection,) = _known([detection])
    found = detections.find(detection)
    m = found.META
    say = shared.out.print
    say(f"[bold]{detection}[/]  {getattr(m.title, lang)}")
    say(f"Why: {getattr(m.why, lang)}\nFirst step: {getattr(m.first_step, lang)}", markup=False, soft_wrap=True)
    say(f"Severity up to: {m.level}\nNeeds: {', '.join(m.needs)}\nATT&CK: {', '.join(m.attack) or '-'}", markup=False)
    say(
        f"Silenced by a visit that permits: {', '.join(m.silenced_by) or '-'}\nCannot see: {m.gaps}", markup=False, soft_wrap=True
    )
    for case in found.TESTS:
        say(f"  test: {case.name} → {'fires' if case.fires else 'silent'}", markup=False)


@content.command("test")
def test(
    chosen: Annotated[
        list[str] | None, typer.Argument(help="Ids, or rule files of your own (.yml); all that are shipped by default.")
    ] = None,
    sigma: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Instead: how much of a folder of Sigma rules runs.")
    ] = None,
    on: Annotated[list[Path] | None, typer.Option(help="With --sigma: a log file to find those rules' hits in.")] = None,
    form: Annotated[Format, typer.Option("--format", help="With --sigma: shape of the output.")] = Format.text,
) -> None:
    """Run the cases that detections carry through the whole engine; leave with 1 where one fails."""
    if sigma is not None:
        _sigma.test(sigma, on or [], form)
        return
    names = _known(chosen or list(detections.names()))
    wrong = []
    with shared.progress("Testing detections") as tell:
        for i, name in enumerate(names):
            wrong += trial.failures(name)
            tell(i + 1, len(names))
    for line in wrong:
        shared.err.print(line, markup=False, soft_wrap=True)
    cases = sum(len(detections.find(n).TESTS) for n in names)
    shared.out.print(f"{len(names)} detections, {cases} cases, {len(wrong)} wrong")
    if wrong:
        raise typer.Exit(1)


@content.command("coverage")
def coverage() -> None:
    """Which ATT&CK techniques the detections cover, and by which."""
    by_technique: dict[str, list[str]] = {}
    for name in detections.names():
        for technique in detections.find(name).META.attack:
            by_technique.setdefault(technique, []).append(name)
    for technique, names in sorted(by_technique.items()):
        shared.out.print(f"{technique:11} {', '.join(names)}", markup=False, soft_wrap=True)


content.command("export")(_export.command)


def _known(chosen: Sequence[str]) -> list[str]:
    """The ids of what was named; rule files are learnt first."""
    paths = [c for c in chosen if c.endswith(".yml")]
    try:
        detections.learn({p: knowledge.text(Path(p), p) for p in paths})
    except detections.Faulty as fault:
        raise BundleError(str(fault).splitlines()) from None
    names = [detections.named(c) if c in paths else c for c in chosen]
    for name in names:
        if name not in detections.names():
            raise BundleError([f"detection {name!r} is unknown, expected one of: {', '.join(detections.names())}"])
    return names
