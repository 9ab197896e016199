"""`jackstop formats`: the log formats, and how much of a file is understood."""

from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.table import Table

from jackstop import formats as known
from jackstop.cli import shared
from jackstop.cli.shared import Format
from jackstop.formats import Reader, Refusal
from jackstop.model.fleet import Reading
from jackstop.model.tables import Tables
from jackstop.sources import bundle as bundles
from jackstop.sources.fleet_file import BundleError

_ENVELOPE = ("time", "terminal", "activity")
_HIDDEN = (
    "event_id",
    "naming",
    "time_uncertainty",
    "observed",
    "source",
    "record_length",
    "record_digest",
    "sequence",
    "quality",
)
_PIECE = 4 << 20

content = typer.Typer(help="The log formats: list them, explain them, try a file.", no_args_is_help=True)


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(content, name="formats")


@content.command("list")
def listing() -> None:
    """List every format with the tables it fills."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("format", "fills", "what it is"):
        table.add_column(column)
    for name in known.names():
        module = known.find(name)
        table.add_row(name, " ".join(module.FILLS), (module.__doc__ or "").strip().splitlines()[0])
    shared.out.print(table)


@content.command("show")
def show(name: Annotated[str, typer.Argument(metavar="FORMAT", help="Id of the format.")]) -> None:
    """Explain one format: what it is, a sample, its source, what it fills."""
    _known(name)
    shared.out.print((known.find(name).__doc__ or "").strip(), markup=False)


@content.command("try")
def attempt(
    file: Annotated[Path, typer.Argument(help="A log file.")],
    name: Annotated[str | None, typer.Option("--as", help="Read it as this format; guessed by default.")] = None,
    timezone: Annotated[str, typer.Option(help="Of stamps that carry none.")] = "UTC",
    date_order: Annotated[str | None, typer.Option(help="dmy, mdy or ymd, where the format leaves it open.")] = None,
    rows: Annotated[int, typer.Option(min=0, max=100_000, help="Rows to show of each table.")] = 10,
    form: Annotated[Format, typer.Option("--format", help="Shape of the output.")] = Format.text,
) -> None:
    """Say which format a file is, how much of it is understood, and show the rows."""
    try:
        with bundles.opened(file) as opened:
            head = opened.read(bundles.HEAD)
    except OSError as fault:
        raise BundleError([f"{file}: {fault.strerror or fault}, expected a readable file"]) from None
    guesses = list(known.guess(head, file.name))
    if name is None:
        if not guesses:
            raise BundleError([f"{file}: no format fits, expected one of: {', '.join(known.names())} (say --as FORMAT)"])
        name = guesses[0][1]
    _known(name)
    reading = _reading(file, timezone, date_order)
    reader, shown, refusals, counts = _read(file, name, reading, rows)
    if form is Format.json:
        _say_json(name, guesses, reader, counts, refusals, shown)
    else:
        _say_text(file, name, guesses, reader, counts, refusals, shown)
    if not reader.tally.understood:
        raise typer.Exit(1)


def _reading(file: Path, timezone: str, date_order: str | None) -> Reading:
    try:
        return Reading.model_validate({"name": file.name, "timezone": timezone, "date_order": date_order})
    except ValueError as fault:
        raise BundleError([f"--timezone or --date-order: {str(fault).splitlines()[2].strip()}"]) from None


def _read(file: Path, name: str, reading: Reading, rows: int) -> tuple[Reader, Tables, list[Refusal], dict[str, int]]:
    """The first rows of each table, the first refusals, and how many rows each table got."""
    reader = known.find(name).reader(reading)
    shown, refusals, counts = Tables.of(), list[Refusal](), dict[str, int]()
    size = file.stat().st_size
    with shared.progress(f"Reading {file.name}") as tell:
        done = 0
        for piece in (*bundles.pieces(file, _PIECE), b""):
            decoded = reader.feed(piece, final=not piece)
            done += len(piece)
            tell(done, size)
            refusals += decoded.refusals[: max(0, 20 - len(refusals))]
            for table, frame in decoded.tables.items():
                counts[table] = counts.get(table, 0) + frame.height
            shown = Tables.concat([shown, decoded.tables]).map(lambda f: f.head(rows))
    return reader, shown, refusals, counts


def _say_text(
    file: Path,
    name: str,
    guesses: list[tuple[int, str]],
    reader: Reader,
    counts: dict[str, int],
    refusals: list[Refusal],
    shown: Tables,
) -> None:
    say, tally = shared.out.print, reader.tally
    others = ", ".join(f"{n} {sure} %" for sure, n in guesses[:3]) or "none"
    say(f"[bold]{name}[/]  (guesses: {others})")
    known_share = (tally.understood + tally.ignored) / tally.records if tally.records else 0
    say(
        f"records {tally.records:,}   understood {tally.understood:,}   ignored {tally.ignored:,}   refused {tally.refused:,}   "
        f"duplicates {tally.duplicates:,}   skipped bytes {tally.skipped_bytes:,}   readable {known_share:.1%}"
    )
    for refusal in refusals:
        say(f"  {file}@{refusal.offset}: {refusal.reason}", markup=False, soft_wrap=True)
    for table, frame in shown.items():
        if frame.height:
            say(f"\n[bold]{table}[/]  {counts[table]:,} rows")
            say(_table(frame))


def _table(frame: pl.DataFrame) -> Table:
    """A frame's columns that hold anything."""
    used = [c for c in frame.columns if c not in _HIDDEN and frame[c].null_count() < frame.height]
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in used:
        table.add_column(column, overflow="fold")
    for row in frame.select(used).iter_rows():
        table.add_row(*("" if v is None else _plain(v) for v in row))
    return table


def _plain(value: object) -> str:
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return text.replace("[", r"\[")


def _say_json(
    name: str, guesses: list[tuple[int, str]], reader: Reader, counts: dict[str, int], refusals: list[Refusal], shown: Tables
) -> None:
    tally = reader.tally
    fields = ("records", "understood", "ignored", "refused", "duplicates", "skipped_bytes")
    shared.say_json(
        {
            "format": name,
            "guesses": [{"format": n, "certainty": sure} for sure, n in guesses],
            "tally": {f: getattr(tally, f) for f in fields} | {"reasons": dict(tally.reasons)},
            "rows": counts,
            "refusals": [{"offset": r.offset, "length": r.length, "reason": r.reason} for r in refusals],
            "sample": {
                t: f.with_columns(
                    pl.col("record_digest").bin.encode("hex"), pl.col("time", "observed").cast(pl.String)
                ).to_dicts()
                for t, f in shown.items()
                if f.height
            },
        }
    )


def _known(name: str) -> None:
    if name not in known.names():
        raise BundleError([f"format {name!r} is unknown, expected one of: {', '.join(known.names())}"])
