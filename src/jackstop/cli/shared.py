"""What several commands do: options, progress, an investigation with its outputs, telling faults."""

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from jackstop import __version__
from jackstop.model.fleet import microseconds
from jackstop.model.results import Report, at_least
from jackstop.report import html, outputs
from jackstop.runners import local
from jackstop.sources.bundle import Bundle, BundleError
from jackstop.store.results import Results

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class Lang(StrEnum):
    """Language of what people read."""

    en = "en"
    ja = "ja"


class Format(StrEnum):
    """Shape of what goes to stdout."""

    text = "text"
    json = "json"


class Level(StrEnum):
    """Severities, for `--fail-on`."""

    info = "info"
    low = "low"
    medium = "medium"
    high = "high"
    critical = "critical"


def span(text: str) -> int:
    """A duration option in µs.

    Raises:
        typer.BadParameter: it is not one.
    """
    try:
        found = microseconds(text)
    except (AttributeError, ValueError):
        found = 0
    if found <= 0:
        raise typer.BadParameter(f"{text!r} is not a duration, expected a number and ms, s, m or h, such as 1s")
    return found


def instant(text: str | None) -> int | None:
    """A point in time option in µs UTC.

    Raises:
        typer.BadParameter: it is not ISO 8601.
    """
    if text is None:
        return None
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time, expected ISO 8601 such as 2026-03-01T02:00:00Z") from None
    return round((stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp() * 1e6)


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr while work goes on; nothing where stderr is no terminal."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    with bar:
        task = bar.add_task(title, total=None)

        def tell(done: int, total: int) -> None:
            bar.update(task, completed=done, total=max(total, 1))

        yield tell


def warn(lines: tuple[str, ...]) -> None:
    """Tell what could not be used, one line each, on stderr."""
    for line in lines:
        err.print(f"jackstop: warning: {line}", markup=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Done:
    """An investigation done: its report, and whether it was there already."""

    report: Report
    reused: bool


def investigate(bundle: Bundle, directory: Path, options: local.Options, lang: str) -> Done:
    """Investigate a bundle (or take the results of the same bundle and options that are there) and write what comes out."""
    results = Results(directory / "results.sqlite")
    try:
        mark = fingerprint(bundle, options)
        kept = results.fact("fingerprint")
        if kept == mark.encode():
            report, reused = results.report(), True
        else:
            report, reused = local.investigate(bundle, results, options), False
            results.finish(report, mark)
        write(directory, report, results, lang)
    finally:
        results.close()
    return Done(report, reused)


def fingerprint(bundle: Bundle, options: local.Options) -> str:
    """What the results depend on, as a digest: version, fleet, visits, options, and each file's name, size and mtime."""
    parts = [__version__, bundle.fleet.model_dump_json(), repr(options.settings), str((options.step, options.until))]
    visits = bundle.root / "visits.csv"
    parts.append(hashlib.sha256(visits.read_bytes() if visits.is_file() else b"").hexdigest())
    parts += [f"{f.name} {f.size} {f.path.stat().st_mtime_ns} {f.format}" for f in bundle.files]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def write(directory: Path, report: Report, results: Results, lang: str) -> None:
    """`verdicts.jsonl`, `alerts.jsonl`, `coverage.json` and `report.html`, each whole or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    verdicts = (line for frame in results.verdicts() for line in outputs.verdicts_jsonl(frame))
    whole(directory / "verdicts.jsonl", verdicts)
    whole(directory / "alerts.jsonl", outputs.alerts_jsonl([d.alert for d in report.dossiers]))
    whole(directory / "coverage.json", [outputs.coverage_json(report)])
    whole(directory / "report.html", [html.html(report, lang)])


def whole(path: Path, lines: Iterator[str] | list[str]) -> None:
    """Write a file beside its place and move it there when it is complete."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(line.rstrip("\n") + "\n")
    part.replace(path)


def leave(report: Report, fail_on: Level) -> None:
    """Leave with 1 where an alert is at or above a level.

    Raises:
        typer.Exit: with code 1.
    """
    if any(at_least(d.alert.severity, fail_on.value) for d in report.dossiers):
        raise typer.Exit(1)


def read_json(path: Path) -> Any:  # noqa: ANN401 - whatever the document holds
    """A JSON document of an earlier run.

    Raises:
        BundleError: it cannot be read, or is no JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as fault:
        raise BundleError([f"{path}: {getattr(fault, 'strerror', None) or fault}, expected JSON of an earlier run"]) from None


def say_json(value: object) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1) + "\n")
