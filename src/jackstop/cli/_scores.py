"""A scorecard shown at a terminal, and held against an earlier one."""

from typing import Any

from rich.table import Table
from rich.text import Text

from jackstop.cli import shared
from jackstop.cli.backtest import rate, shown
from jackstop.scorecard import Scorecard
from jackstop.sources.fleet_file import BundleError


def show(card: Scorecard) -> None:
    """Totals with intervals, then kinds of attack, then detections."""
    say = shared.out.print
    say(f"precision {shown(card.precision)}   recall {shown(card.recall)}")
    say(f"pages per terminal-day {rate(card.pages)}   false ones {rate(card.false_pages)}")
    say(f"time to alert: median {_seconds(card.median_s)}, p95 {_seconds(card.p95_s)}   lost {_money(card.loss, card.stolen)}")
    table = _table("attack", "found", "median", "p95", "lost / stolen")
    for v in card.variants:
        table.add_row(v.variant, shown(v.recall), _seconds(v.median_s), _seconds(v.p95_s), _money(v.loss, v.stolen))
    say(table)
    table = _table("detection", "findings", "within attacks", "attacks seen", "elsewhere per terminal-day", "to first")
    for d in card.detections:
        table.add_row(d.detection, f"{d.findings:,}", shown(d.precision), shown(d.recall), rate(d.rate), _seconds(d.to_first_s))
    say(table)


def compare(card: Scorecard, earlier: Any) -> None:  # noqa: ANN401 - a document of an earlier version
    """What changed since an earlier result: totals, kinds of attack, detections.

    Raises:
        BundleError: the earlier document has no scorecard.
    """
    if not isinstance(earlier, dict) or not isinstance(earlier.get("scorecard"), dict):
        raise BundleError(["--before: no scorecard in it, expected the output of `jackstop evaluate --format json`"])
    changes = list(_changes(earlier["scorecard"], card.as_json()))
    shared.out.print(Text(f"against before: {len(changes)} changes", "bold"))
    for where, was, now in changes:
        shared.out.print(Text(f"  {where}: {was} → {now}"), soft_wrap=True)


def _changes(was: dict[str, Any], now: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Figures that differ, as (where, before, after); intervals follow from their counts and are left out."""
    old, new = _figures(was), _figures(now)
    return [(k, old.get(k, "-"), new.get(k, "-")) for k in sorted({*old, *new}) if old.get(k) != new.get(k)]


def _figures(card: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in card.items():
        match value:
            case {"part": part, "whole": whole}:
                found[name] = f"{part} of {whole}"
            case {"count": count}:
                found[name] = str(count)
            case list() | tuple():
                for entry in value:
                    label = entry.get("variant") or entry.get("detection")
                    found |= {f"{label} {k}": v for k, v in _figures(entry).items()}
            case int() | float():
                found[name] = f"{value:g}"
            case _:
                continue
    return found


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:+.1f} s"


def _money(loss: int, stolen: int) -> str:
    return f"{loss / 100:,.2f} / {stolen / 100:,.2f}"
