"""`jackstop advisories`: threat briefs, and what of them is covered."""

from typing import Annotated, Any

import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from jackstop import advisories as known
from jackstop import coverage as covering
from jackstop.advisories import Advisory
from jackstop.cli import shared
from jackstop.cli.shared import Format, Lang
from jackstop.coverage import Coverage, Covered
from jackstop.report import texts
from jackstop.report.plain import line
from jackstop.sources import advisory_file

content = typer.Typer(help="Threat briefs: list them, read them, see what of them is covered.", no_args_is_help=True)

_Name = Annotated[str, typer.Argument(metavar="ID", help="Id of an advisory, a .toml advisory, or a STIX 2.1 .json bundle.")]
_Form = Annotated[Format, typer.Option("--format", help="Shape of the output.")]
_Lang = Annotated[Lang, typer.Option(help="Language.")]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(content, name="advisories")


@content.command("list")
def listing(form: _Form = Format.text, lang: _Lang = Lang.en) -> None:
    """List the advisories that come with jackstop."""
    listed = [known.find(name) for name in known.names()]
    if form is Format.json:
        shared.say_json([_heading(a, lang) for a in listed])
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    t = texts.of(lang.value)
    for column in ("id", "date", "title", "act", "indicators"):
        table.add_column(t(f"advisory.{column}"))
    for a in listed:
        act = f"{a.scores.call_to_act:.1f}" if a.scores else ""
        table.add_row(a.id, a.date.isoformat(), a.title.say(lang), act, str(len(a.indicators)))
    shared.out.print(table)


@content.command("show")
def show(name: _Name, form: _Form = Format.text, lang: _Lang = Lang.en) -> None:
    """Show one advisory: its scores, key points, signs, techniques, and what to do by when."""
    read = advisory_file.read(name)
    shared.warn(tuple(read.left_out))
    a = read.advisory
    if form is Format.json:
        shared.say_json({**_heading(a, lang), **a.model_dump(mode="json", by_alias=True)})
        return
    t, say = texts.of(lang.value), shared.out.print
    say(Text(f"{a.id}  {line(a.title.say(lang))}", "bold"), Text(a.date.isoformat(), "dim"))
    for source in a.sources:
        say(Text(f"  {line(source.name)} {line(source.url)}", "dim"))
    if a.scores:
        marks = ("scale", "impact", "novelty", "nearness", "call_to_act")
        say("  ".join(f"{t(f'advisory.{m}')} {getattr(a.scores, m):.1f}" for m in marks))
    _texts(t("advisory.points"), [p.say(lang) for p in a.points])
    _texts(t("advisory.signs"), [s.say(lang) for s in a.signs])
    _texts(t("advisory.techniques"), [f"{' '.join((u.id, *u.now))}  {u.say(lang)}" for u in a.techniques])
    for horizon in known.HORIZONS:
        _texts(t(f"advisory.horizon_{horizon}"), [x.say(lang) for x in a.actions if x.horizon == horizon])
    _texts(t("advisory.indicators"), [f"{i.kind} {i.value}" for i in a.indicators[:50]])
    if len(a.indicators) > 50:
        say(t("advisory.more", n=len(a.indicators) - 50))


def _texts(heading: str, lines: list[str]) -> None:
    if lines:
        grid = Table.grid(padding=(0, 1))
        for said in lines:
            grid.add_row("-", Text(line(said, 2000)))
        shared.out.print(Text(heading, "bold"), Padding(grid, (0, 0, 0, 2)))


@content.command("coverage")
def coverage(
    name: Annotated[
        str | None, typer.Argument(metavar="ID", help="As for `show`; all that come with jackstop by default.")
    ] = None,
    form: _Form = Format.text,
    lang: _Lang = Lang.en,
) -> None:
    """Say which of an advisory's techniques and signs are seen, by which detection, how it is tested, and which are not."""
    chosen = [advisory_file.read(name).advisory] if name else [known.find(n) for n in known.names()]
    found = [covering.of(a) for a in chosen]
    if form is Format.json:
        shared.say_json([_as_json(c, lang) for c in found])
        return
    for covered in found:
        _say_coverage(covered, lang)


def _heading(a: Advisory, lang: Lang) -> dict[str, Any]:
    return {
        "id": a.id,
        "date": a.date.isoformat(),
        "title": a.title.say(lang),
        "scores": a.scores.model_dump(by_alias=True) if a.scores else None,
        "indicators": len(a.indicators),
    }


def _as_json(c: Coverage, lang: Lang) -> dict[str, Any]:
    def told(covered: Covered) -> dict[str, Any]:
        by = [{"detection": s.detection, "tests": s.tests, "needs": s.needs, "level": s.level} for s in covered.by]
        return {"says": covered.entry.say(lang), "covered": bool(by), "by": by, "missing": covered.wanted}

    return {
        "advisory": c.advisory.id,
        "techniques": [{"id": u.entry.id, "now": u.entry.now, **told(u)} for u in c.techniques],  # type: ignore[union-attr]
        "signs": [told(s) for s in c.signs],
        "indicators": {"count": len(c.advisory.indicators), "detection": c.hunter.detection if c.hunter else None},
        "uncovered": [e.say(lang) for e in c.uncovered],
    }


def _say_coverage(c: Coverage, lang: Lang) -> None:
    t = texts.of(lang.value)
    table = Table(box=None, header_style="bold", pad_edge=False, title=f"{c.advisory.id}", title_justify="left")
    for column in ("entry", "seen_by", "missing"):
        table.add_column(t(f"advisory.{column}"), overflow="fold")
    for covered, mark in [*((u, " ".join((u.entry.id, *u.entry.now)) + "  ") for u in c.techniques), *((s, "") for s in c.signs)]:  # type: ignore[union-attr]
        by = ", ".join(t("advisory.tested", detection=s.detection, n=s.tests) for s in covered.by)
        style = "green" if covered.by else "bold red"
        told = Text(by or t("advisory.nobody"), style)
        table.add_row(Text(line(f"{mark}{covered.entry.say(lang)}")), told, Text(", ".join(covered.wanted), "dim"))
    shared.out.print(table)
    whole = len(c.techniques) + len(c.signs)
    shared.out.print(t("advisory.sum", seen=whole - len(c.uncovered), all=whole))
