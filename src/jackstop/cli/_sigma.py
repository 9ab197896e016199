"""`jackstop detections test --sigma`: how much of a folder of published rules runs, and what it finds in log files."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer
from rich.table import Table

from jackstop import formats, rules
from jackstop.cli import shared
from jackstop.rules.compat import MEANING, Report, report
from jackstop.runners.search import Found, Log, search
from jackstop.sources import bundle, knowledge
from jackstop.sources.fleet_file import BundleError

_SHOWN = 20


def test(folder: Path, files: Sequence[Path], form: shared.Format) -> None:
    """Print what becomes of the rules of a folder and, where log files are given, what they find there.

    Raises:
        BundleError: a folder without rules, or a file that cannot be read. typer.Exit: with 1 where no rule runs.
    """
    said = report(_texts(folder))
    found = _search(said, files)
    if form is shared.Format.json:
        shared.say_json(_document(said, found, files))
    else:
        _say(said, found, files)
    if not said.running:
        raise typer.Exit(1)


def _texts(folder: Path) -> dict[str, str]:
    """The rule files of a folder and its folders, by path."""
    paths = sorted(p for suffix in ("*.yml", "*.yaml") for p in folder.rglob(suffix) if p.is_file())
    if not paths:
        raise BundleError([f"{folder}: no rule file, expected a folder of Sigma rules (*.yml)"])
    texts = {}
    with shared.progress("Reading rules") as tell:
        for i, path in enumerate(paths):
            name = path.relative_to(folder).as_posix()
            texts[name] = knowledge.text(path, name)
            tell(i + 1, len(paths))
    return texts


def _search(said: Report, files: Sequence[Path]) -> Found:
    """The hits of the rules that run."""
    if not files:
        return Found()
    logs = [Log(f, _format(f)) for f in files]
    jobs = len(os.sched_getaffinity(0))
    with shared.progress("Looking for rules in logs") as tell:
        return search(said.loaded, logs, jobs, tell)


def _format(file: Path) -> str:
    """The format of a file.

    Raises:
        BundleError: it cannot be read, or no format fits.
    """
    try:
        with bundle.opened(file) as opened:
            head = opened.read(bundle.HEAD)
    except OSError as fault:
        raise BundleError([f"{file}: {fault.strerror or fault}, expected a readable file"]) from None
    guess = next(formats.guess(head, file.name), None)
    if guess is None:
        raise BundleError([f"{file}: no format fits, expected one of: {', '.join(formats.names())}"])
    return guess[1]


def _abouts(said: Report) -> dict[str, rules.About]:
    return {r.about.id: r.about for r in said.loaded.rules} | {c.about.id: c.about for c in said.loaded.correlations}


def _document(said: Report, found: Found, files: Sequence[Path]) -> dict[str, object]:
    abouts = _abouts(said)
    hits = [
        {
            "rule": rule,
            "title": abouts[rule].title,
            "level": abouts[rule].level,
            "author": abouts[rule].author,
            "license": abouts[rule].licence,
            "attack": abouts[rule].attack,
            "path": abouts[rule].path,
            "count": sum(by_file.values()),
            "files": by_file,
        }
        for rule, by_file in sorted(found.hits.items(), key=lambda h: (-sum(h[1].values()), h[0]))
    ]
    faults = [asdict(f) for f in said.loaded.faults]
    return {
        "documents": said.documents,
        "known": said.valid,
        "running": said.running,
        "share": round(said.share, 4),
        "refused": dict(said.kinds),
        "faults": faults,
        "files": [str(f) for f in files],
        "events": found.events,
        "hits": hits,
    }


def _say(said: Report, found: Found, files: Sequence[Path]) -> None:
    say = shared.out.print
    known = f"{said.documents:,} rules; {said.valid:,} valid and of a log source known here"
    say(f"{known}; {said.running:,} of those run ({said.share:.1%})", soft_wrap=True)
    for kind, count in said.kinds.items():
        say(f"  {count:5,}  {MEANING[kind]}", markup=False)
    named = [r for r in said.reasons if r[0] != "source"]
    for _, what, count in named[:_SHOWN]:
        say(f"  {count:5,}  {what}", markup=False, soft_wrap=True)
    if len(named) > _SHOWN:
        say(f"         and {len(named) - _SHOWN} reasons more: --format json names all, with file and line")
    if not files:
        return
    hits = sum(sum(by_file.values()) for by_file in found.hits.values())
    say(f"\n{found.events:,} Windows events in {len(files)} files; {hits:,} hits of {len(found.hits)} rules")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("hits", "level", "rule", "author"):
        table.add_column(column, justify="right" if column == "hits" else "left", overflow="fold")
    abouts = _abouts(said)
    for rule, by_file in sorted(found.hits.items(), key=lambda h: (-sum(h[1].values()), h[0])):
        about = abouts[rule]
        cells = (f"{sum(by_file.values()):,}", about.level, about.title or rule, about.author)
        table.add_row(*(c.replace("[", r"\[") for c in cells))
    say(table)
