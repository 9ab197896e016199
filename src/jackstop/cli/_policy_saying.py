"""What a policy would have done in the past, as text and as JSON."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from jackstop.cli import shared
from jackstop.model.money import show
from jackstop.model.written import stamp
from jackstop.policy.past import Held, Standing, Sum, Verdicts
from jackstop.report.plain import line

_STANDINGS: Mapping[Standing, str] = {
    "theft": "stopped",
    "customer": "customers hurt",
    "test": "tests refused",
    "open": "undecided",
}
"""Standing to the word it is shown by."""


def as_json(found: Verdicts) -> dict[str, Any]:
    """For `--format json`: money in minor units by currency."""
    return {
        "policy": found.policy,
        "start": stamp(found.start),
        "end": stamp(found.end),
        "asked": {s: _sum(found.asked[s]) for s in _STANDINGS},
        "held": {s: _sum(found.held[s]) for s in _STANDINGS},
        "never_asked": _sum(found.unasked),
        "rules": {
            code: {s: {**_sum(effect.sums[s]), "alone": effect.alone[s]} for s in _STANDINGS}
            for code, effect in sorted(found.rules.items())
        },
        "each": [_held(h) for h in found.each],
    }


def _sum(s: Sum) -> dict[str, Any]:
    return {"count": s.count, "money": s.money}


def _held(h: Held) -> dict[str, Any]:
    m = h.movement
    return {
        "verdict": m.id,
        "terminal": m.terminal,
        "time": stamp(m.at),
        "amount": m.amount,
        "currency": m.currency,
        "standing": m.standing,
        "answer": h.answer,
        "rules": h.codes,
        "until": stamp(h.until) if h.until is not None else None,
    }


def say(found: Verdicts, most: int) -> None:
    """A table of the rules, and the customers hurt one by one."""
    out = shared.out.print
    out(Text(f"policy {found.policy} over {stamp(found.start)} – {stamp(found.end)}", "bold"))
    for standing, word in _STANDINGS.items():
        held, asked = found.held[standing], found.asked[standing]
        if asked.count:
            share = f"{100 * held.count / asked.count:.2f} %"
            out(f"  {word}: {held.count:,} of {asked.count:,} ({share})   {money(held)} of {money(asked)}", soft_wrap=True)
    if found.rules:
        out(_table(found))
    hurt = [h for h in found.each if h.movement.standing == "customer"]
    for h in hurt[:most]:
        m = h.movement
        until = f" until {stamp(h.until)}" if h.until is not None else ""
        told = f"{stamp(m.at)}  {line(m.terminal, 40)}  {show(m.amount, m.currency)}  {h.answer} {', '.join(h.codes)}{until}"
        out(Text(f"  hurt: {told}"), soft_wrap=True)
    if len(hurt) > most:
        out(f"  and {len(hurt) - most:,} more")
    if found.unasked.count:
        out(f"  {found.unasked.count:,} losses that only counters show never asked: {money(found.unasked)}", soft_wrap=True)
    out(
        "  A payout that does not ask is not stopped: what drives the dispenser past its application is out of reach.",
        style="dim",
    )


def _table(found: Verdicts) -> Table:
    """One line for each rule: what it held back of thefts and of customers, and how many of them no other rule held."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("rule", no_wrap=True)
    for word in ("stopped", "money", "alone", "hurt", "money", "alone", "tests", "open"):
        table.add_column(word, justify="right", no_wrap=True)
    shown: tuple[Standing, ...] = ("theft", "customer")
    for code, effect in sorted(found.rules.items()):
        sums = effect.sums
        cells = [code]
        for standing in shown:
            cells += [f"{sums[standing].count:,}", money(sums[standing]), f"{effect.alone[standing]:,}"]
        table.add_row(*cells, f"{sums['test'].count:,}", f"{sums['open'].count:,}")
    return table


def money(s: Sum) -> str:
    """Amounts by currency; a dash for none."""
    return ", ".join(show(amount, currency) for currency, amount in sorted(s.money.items())) or "-"
