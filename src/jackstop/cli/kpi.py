"""`jackstop kpi`: the continuous measures of an investigation."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from jackstop.cli import shared
from jackstop.cli.shared import Format, Lang
from jackstop.model.measures import Measures, Share
from jackstop.model.written import stamp
from jackstop.report import plots, texts
from jackstop.report.moments import Clock
from jackstop.report.plain import line
from jackstop.report.texts import Texts
from jackstop.store.faults import StoreError
from jackstop.store.results import Results


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("kpi")(kpi)


def kpi(
    results: Annotated[Path, typer.Argument(help="Folder an investigation wrote.")] = Path("jackstop-results"),
    form: Annotated[Format, typer.Option("--format", help="Shape of the output.")] = Format.text,
    lang: Annotated[Lang, typer.Option(help="Language.")] = Lang.en,
) -> None:
    """Show what is measured all the time: dispenses against transactions, doors out of hours, changes, falls of cash.

    Example: jackstop kpi ./results --format json
    """
    path = results / "results.sqlite"
    if not path.is_file():
        raise StoreError(f"{path}: no such file, expected the results of `jackstop investigate`")
    store = Results(path)
    try:
        measured = store.report().measures
    finally:
        store.close()
    if measured is None:
        raise StoreError(f"{path}: no measures in it, expected results of this version: investigate again")
    if form is Format.json:
        shared.say_json(_as_json(measured))
    else:
        _say(measured, texts.of(lang.value))


def _as_json(m: Measures) -> dict[str, Any]:
    told = asdict(m)
    for group, fields in (("hours", ("hour",)), ("drifts", ("since",)), ("weeks", ("start",)), ("drops", ("hour",))):
        told[group] = [{**entry, **{f: stamp(entry[f]) for f in fields}} for entry in told[group]]
    for drop in told["drops"]:
        drop["level"] = [{"hour": stamp(p["hour"]), "worth": p["worth"]} for p in drop["level"]]
    return {"ratio": m.ratio, **told}


def _say(m: Measures, t: Texts) -> None:
    say, clock = shared.out.print, Clock(m.zone)
    say(Text(t("page.ratio"), "bold"))
    ratio = "-" if m.ratio is None else f"{m.ratio:.4f}"
    of = t("page.ratio_of", dispensed=t.money(m.dispensed, m.currency), authorised=t.money(m.authorised, m.currency))
    say(f"  {t('page.ratio_money')}: {ratio}  ({of})", soft_wrap=True)
    if m.hours:
        say(f"  {t('page.unexplained_by_hour')}", soft_wrap=True)
        say(f"  {plots.spark([h.unexplained for h in m.hours])}  {clock.date(m.hours[0].hour)} – {clock.date(m.hours[-1].hour)}")
        say(f"  {plots.spark([h.ewma for h in m.hours])}  EWMA")
    if m.drifts:
        table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2))
        for column in (t("page.terminal"), t("page.drift_since"), "CUSUM", t("page.unexplained")):
            table.add_column(column)
        for d in m.drifts:
            table.add_row(
                Text(line(d.terminal, 60)), clock.minute(d.since), *(t.money(a, m.currency) for a in (d.cusum, d.unexplained))
            )
        say(table)
    else:
        say(f"  {t('page.no_drift')}")
    say(Text(t("page.cabinet_weeks"), "bold"))
    if m.weeks:
        said = ", ".join(f"{clock.date(w.start)}: {w.events}" for w in m.weeks[-8:])
        say(f"  {plots.spark([w.events for w in m.weeks])}  {said}")
    else:
        say(f"  {t('page.no_hours')}")
    _say_changes(m, t)
    _say_drops(m, clock, t)


def _say_changes(m: Measures, t: Texts) -> None:
    shared.out.print(Text(t("page.changes"), "bold"))
    for name, share in (("page.approved", m.approved), ("page.unapproved", m.unapproved), ("page.blocked", m.blocked)):
        shared.out.print(f"  {t(name)}: {_share(share, t)}", soft_wrap=True)


def _share(s: Share, t: Texts) -> str:
    if not s.whole:
        return t("page.nothing_seen")
    interval = t("page.share_of", n=s.part, whole=s.whole, low=f"{100 * s.low:.0f}", high=f"{100 * s.high:.0f}")
    return f"{100 * s.value:.0f} % ({interval})"


def _say_drops(m: Measures, clock: Clock, t: Texts) -> None:
    shared.out.print(Text(t("page.levels"), "bold"))
    for d in m.drops:
        fell = t("page.fell", fell=t.money(d.fell, m.currency), usual=t.money(d.usual, m.currency), z=f"{d.z:.1f}")
        shared.out.print(Text(f"  {line(d.terminal, 60)} {clock.minute(d.hour)} {fell}"), soft_wrap=True)
        if d.level:
            shared.out.print(f"    {plots.spark([p.worth for p in d.level])}")
    if not m.drops:
        shared.out.print(f"  {t('page.no_drops', n=f'{m.profiled:,}')}")
