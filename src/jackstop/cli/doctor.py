"""`jackstop doctor`: what to mend before logs are trusted."""

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from jackstop import detections, formats, trial
from jackstop.cli import shared
from jackstop.cli.shared import Format
from jackstop.model.results import SourceCoverage
from jackstop.runners.shelf import Cursor
from jackstop.service import checks as live
from jackstop.service import config as configs
from jackstop.service.checks import Check
from jackstop.sources import bundle as bundles
from jackstop.sources.bundle import Bundle, BundleFile
from jackstop.store.faults import StoreError
from jackstop.store.results import Results

_PIECE = 1 << 20
_LEAST_FREE = 1 << 30
_GOOD = 0.99
_FAR_OFF_MS = 60_000
_PLENTY = 200


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    bundle: Annotated[Path, typer.Argument(help="Folder with fleet.toml and logs.")] = Path(),
    out: Annotated[Path, typer.Option(help="Where results go, or lie.")] = Path("jackstop-results"),
    config: Annotated[Path | None, typer.Option(help="A live service's jackstop.toml, in place of a bundle.")] = None,
    start: Annotated[bool, typer.Option("--start", help="With --config: only what must be right before a start.")] = False,
    form: Annotated[Format, typer.Option("--format", help="Shape of the output.")] = Format.text,
) -> None:
    """Check configuration, feeds, clocks, storage and permissions; say what to mend. Leaves with 1 where something is bad.

    Examples: jackstop doctor ./bundle · jackstop doctor --config /etc/jackstop/jackstop.toml
    """
    if config is not None:
        service = configs.load(config)
        checks = [*live.all_of(service, start=start), *_own_rules(service.detections)]
    else:
        loaded = bundles.load(bundle)
        checks = [*_configuration(loaded), *_knowledge(loaded), *_feeds(loaded), *_blind(loaded), *_storage(out), *_clocks(out)]
    _show(checks, form)


def _show(checks: list[Check], form: Format) -> None:
    if form is Format.json:
        shared.say_json([c._asdict() for c in checks])
    else:
        marks = {"good": "[green]good[/]", "bad": "[red]bad[/] ", "note": "[yellow]note[/]"}
        for check in checks:
            shared.out.print(marks[check.state], end="  ")
            shared.out.print(check.what + (f" → {check.mend}" if check.mend else ""), markup=False, soft_wrap=True)
    if any(c.state == "bad" for c in checks):
        raise typer.Exit(1)


def _configuration(loaded: Bundle) -> Iterator[Check]:
    fleet = loaded.fleet
    yield Check("good", f"fleet.toml: {len(fleet.terminal)} terminals, {len(fleet.source)} sources, {len(loaded.files)} files")
    for line in loaded.warnings:
        yield Check("bad", line)
    for terminal in fleet.terminal:
        if not terminal.cassettes:
            yield Check(
                "note",
                f"{terminal.id}: no cassettes declared",
                "add `cassettes`: notes without an amount cannot be valued until counters come",
            )
    if not loaded.visits.height:
        yield Check(
            "note", "visits.csv: no visit is known", "give the schedule of cash loads and maintenance, or each will alert"
        )


def _knowledge(loaded: Bundle) -> Iterator[Check]:
    """The bundle's own detections and advisories, and whether the detections' cases hold."""
    if loaded.indicators:
        yield Check("good", f"advisories: {len(loaded.indicators)} indicators are looked for")
    yield from _own_rules(loaded.detections)


def _own_rules(texts: Mapping[str, str]) -> Iterator[Check]:
    """The bank's own detections, and whether their cases hold."""
    try:
        detections.learn(texts)
    except detections.Faulty as fault:
        for line in str(fault).splitlines():
            yield Check("bad", line, "mend the rule: docs/rules.md")
        return
    for path in texts:
        name = detections.named(path)
        wrong = trial.failures(name)
        yield Check("good", f"{path}: detection {name}, its cases hold") if not wrong else Check("bad", "; ".join(wrong))


def _feeds(loaded: Bundle) -> Iterator[Check]:
    """How well the beginning of each file is understood."""
    for file in loaded.files:
        cursor = Cursor(file, _PIECE, whole=False)
        cursor.read(-(2**61))
        a = cursor.account
        if a.fault:
            yield Check("bad", a.fault)
        elif not a.records:
            yield Check("bad", f"{file.name}: empty", "check that the log is being collected")
        else:
            yield _understood(file, a.understood + a.ignored + a.duplicates, a.records, dict(a.reasons.most_common(1)))


def _understood(file: BundleFile, known: int, records: int, reasons: dict[str, int]) -> Check:
    share = known / records
    what = f"{file.name}: {file.format}, {share:.1%} of its first {records:,} records understood"
    if share >= _GOOD:
        return Check("good", what)
    why = next(iter(reasons), "records are damaged")
    return Check("bad", what, f"most often: {why}")


def _blind(loaded: Bundle) -> Iterator[Check]:
    """Terminals at which detections are blind for want of a source."""
    shared_tables = {t for f in loaded.files if f.terminal is None for t in formats.find(f.format).FILLS}
    for terminal in loaded.fleet.terminal:
        own = {t for f in loaded.files if f.terminal == terminal.id for t in formats.find(f.format).FILLS}
        blind = [n for n in detections.names() if not set(detections.find(n).META.needs) <= own | shared_tables]
        lacking = sorted({t for n in blind for t in detections.find(n).META.needs} - own - shared_tables)
        if blind:
            yield Check("note", f"{terminal.id}: no source of {', '.join(lacking)}", f"{len(blind)} detections see nothing there")


def _storage(out: Path) -> Iterator[Check]:
    place = next(p for p in (out.absolute(), *out.absolute().parents) if p.exists())
    if not os.access(place, os.W_OK):
        yield Check("bad", f"{place}: not writable", "say --out with a folder you may write to")
        return
    free = shutil.disk_usage(place).free
    state = "good" if free >= _LEAST_FREE else "bad"
    yield Check(state, f"{place}: writable, {free / 2**30:.1f} GiB free", "" if state == "good" else "free at least 1 GiB")
    yield Check("good", f"SQLite {sqlite3.sqlite_version}")


def _clocks(out: Path) -> Iterator[Check]:
    """Clocks, and Windows channels, as the last investigation found them."""
    if not (out / "results.sqlite").is_file():
        yield Check(
            "note", "clocks: not known yet", "run jackstop investigate; offsets are estimated from the withdrawals themselves"
        )
        return
    try:
        results = Results(out / "results.sqlite")
        report = results.report()
        results.close()
    except StoreError as fault:
        yield Check("bad", str(fault))
        return
    for glance in report.terminals:
        if glance.unheard:
            silent = ", ".join(c.channel for c in glance.windows if not c.count)
            what = f"{glance.terminal}: no event ever of {silent}; {len(glance.unheard)} detections see nothing there"
            yield Check("note", what, "collect these channels, and switch on their audit policy")
    for source in (s for g in report.terminals for s in g.sources):
        if source.offset_ms is None:
            yield from _unknown(source)
        elif abs(source.offset_ms) > _FAR_OFF_MS:
            yield Check(
                "bad",
                f"{source.source}: clock off by {source.offset_ms / 1000:+.0f} s",
                "synchronise the terminal's clock",
            )


def _unknown(source: SourceCoverage) -> Iterator[Check]:
    """A machine's own log with plenty of rows, of which no clock could be learnt."""
    if source.rows >= _PLENTY and formats.find(source.format).CLOCK in {"trace", "journal"}:
        yield Check(
            "note",
            f"{source.source}: clock not known, its withdrawals find no approvals within three minutes",
            "check the source's timezone and the terminal's clock, and that the host's log covers this terminal",
        )
