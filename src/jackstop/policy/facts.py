"""What is known of each terminal now, from the rows and findings of one step: the facts that the interlock decides by.

A fact has a name, the instant it rests on (`at`, µs UTC, the host's clock) and a value (JSON):

- `opened:PART`, `closed:PART` (part of `vocabulary.CABINET_PART`): the last opening and closing; the sensor.
- `tamper`, `tamper-restored`: the last trip of a tamper switch, shield or anti-fraud sensor, and its last return to rest.
- `sensors`: when doors and sensors were last heard. `last-seen`: when any row came, to the minute.
- `started`: the machine's last start. `boot`: the last time Windows told how it was started (4826); the flags that weaken it.
- `boot:config-weakened`, `boot:disk-changed`, `boot:log-restarted`, `boot:unexpected`: the last finding of that detection.
- `unannounced:door`, `unannounced:tamper`: the last opening or trip that no visit permits (findings).
- `cash-out`: the last time notes were picked or presented; minor units where said.
- `level:UNIT`: minor units in a cassette. `supervisor`, `vendor`: `entered` or `left`. `service`: `in` or `out`, as the
  terminal says; `ordered`: `in` or `out`, as its host told it on the line.

A later fact of the same name replaces an earlier one; by `at`, not by the order of arrival.
"""

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, NamedTuple

import msgspec
import polars as pl

from jackstop.model.fleet import Fleet
from jackstop.model.results import Finding
from jackstop.model.settings import MINUTE
from jackstop.model.written import json

TAMPER = ("tamper", "shield", "anti-fraud")
"""Sensors whose alarm is a trip of a tamper switch."""

SEEN = "last-seen"

_FINDINGS = {
    "boot.config-weakened": "boot:config-weakened",
    "boot.disk-changed": "boot:disk-changed",
    "boot.log-restarted": "boot:log-restarted",
    "boot.unexpected": "boot:unexpected",
    "cabinet.opened-unannounced": "unannounced:door",
    "cabinet.tamper": "unannounced:tamper",
}
_MODES = {
    "supervisor-entered": ("supervisor", "entered"),
    "supervisor-left": ("supervisor", "left"),
    "vendor-entered": ("vendor", "entered"),
    "vendor-left": ("vendor", "left"),
    "in-service": ("service", "in"),
    "out-of-service": ("service", "out"),
    "started": ("started", "started"),
    "power-up": ("started", "power-up"),
}
_ORDERS = {"code=1": "in", "code=2": "out"}
_WEAK = {"TestSigning", "DisableIntegrityChecks", "KernelDebug", "HypervisorDebug", "FlightSigning"}
_YES = {"%%1842", "yes", "true"}
"""Security event 4826 ("Boot Configuration Data loaded"): flags that weaken a start; %%1842 is Windows' message for yes."""


class Known(NamedTuple):
    """A fact as it happened: `known` is when it could be known (µs UTC), which is not before it arrived."""

    terminal: str
    fact: str
    at: int
    value: str
    known: int


def facts(rows: Mapping[str, pl.DataFrame], findings: Iterable[Finding], fleet: Fleet) -> list[tuple[str, str, int, str]]:
    """The facts of one step: terminal, fact, at, value; of each name the latest.

    Args:
        rows: `engine.Output.rows`: tables by name with `at` (µs). findings: of the step. fleet: terminals that count.
    """
    found = happenings(rows, findings, fleet)
    found += _last_seen(rows)
    known = {t.id for t in fleet.terminal} if found else ()
    latest: dict[tuple[str, str], Known] = {}
    for one in found:
        key = (one.terminal, one.fact)
        if one.terminal in known and (key not in latest or latest[key].at <= one.at):
            latest[key] = one
    return [(k.terminal, k.fact, k.at, k.value) for k in latest.values()]


def newer(
    memory: MutableMapping[tuple[str, str], int], found: Iterable[tuple[str, str, int, str]]
) -> list[tuple[str, str, int, str]]:
    """The facts that are later than those remembered; they are remembered in their place."""
    fresh = []
    for one in found:
        if memory.get(one[:2], -(2**62)) < one[2]:
            memory[one[:2]] = one[2]
            fresh.append(one)
    return fresh


def happenings(rows: Mapping[str, pl.DataFrame], findings: Iterable[Finding], fleet: Fleet) -> list[Known]:
    """All facts of one step as they happened, none left out but `last-seen`; in no particular order."""
    found = [Known(f.terminal, _FINDINGS[f.detection], f.time, _said(f), f.decided_at) for f in findings if _telling(f)]
    for table, tell in (
        ("cabinet", _cabinet),
        ("operator", _operator),
        ("windows", _windows),
        ("cash", _cash),
        ("units", _units),
    ):
        frame = rows.get(table)
        if frame is not None and frame.height:
            found += tell(frame)
    host = rows.get("host")
    if host is not None and host.height:
        found += _host(host)
    return found


def _telling(finding: Finding) -> bool:
    """Whether a finding is a fact; of tamper only the grave: shaking and heat alone lock nothing."""
    return finding.detection in _FINDINGS and (finding.detection != "cabinet.tamper" or finding.severity in {"high", "critical"})


def _said(finding: Finding) -> str:
    return json({"finding": finding.id, "detail": " ".join(v for _, v in finding.detail)[:200]})


def _arrival(frame: pl.DataFrame) -> pl.Expr:
    return pl.max_horizontal("at", "arrival") if "arrival" in frame.columns else pl.col("at")


def _rows(frame: pl.DataFrame, wanted: pl.Expr | None, *columns: str) -> list[tuple[Any, ...]]:
    """Rows that are wanted, in order of time: terminal, at, when known, and columns as text."""
    kept = frame if wanted is None else frame.filter(frame.select(wanted.fill_null(value=False)).to_series())
    if not kept.height:
        return []
    shown = kept.select("terminal", "at", _arrival(kept).alias("known"), *(pl.col(c).cast(pl.String) for c in columns))
    return [row for row in shown.sort("at", maintain_order=True).rows() if row[0] is not None]


def _cabinet(frame: pl.DataFrame) -> list[Known]:
    found = []
    for terminal, at, known, activity, part, sensor in _rows(frame, None, "activity", "part", "sensor"):
        found.append(Known(terminal, "sensors", at, "null", known))
        if activity in {"opened", "closed"} and part != "site":
            found.append(Known(terminal, f"{activity}:{part or 'unknown'}", at, json(sensor), known))
        elif activity == "tamper" or (activity == "alarm" and sensor in TAMPER):
            found.append(Known(terminal, "tamper", at, json(f"{sensor} {part}"), known))
        elif activity == "restored" and sensor in TAMPER:
            found.append(Known(terminal, "tamper-restored", at, json(f"{sensor} {part}"), known))
    return found


def _operator(frame: pl.DataFrame) -> list[Known]:
    told = _rows(frame, pl.col("activity").is_in(list(_MODES)), "activity")
    return [Known(t, _MODES[word][0], at, json(_MODES[word][1]), known) for t, at, known, word in told if word]


def _host(frame: pl.DataFrame) -> list[Known]:
    told = _rows(frame, pl.col("activity") == "command", "detail")
    said = [(t, at, known, _ORDERS.get((detail or "").split(" ", 1)[0])) for t, at, known, detail in told]
    return [Known(t, "ordered", at, json(word), known) for t, at, known, word in said if word]


def _windows(frame: pl.DataFrame) -> list[Known]:
    told = _rows(frame, (pl.col("channel") == "Security") & (pl.col("code") == 4826), "data")
    return [Known(t, "boot", at, json({"weak": _weak(data)}), known) for t, at, known, data in told]


def _weak(data: str | None) -> list[str]:
    """The flags of a start that weaken it."""
    try:
        flags = msgspec.json.decode(data or "{}", type=dict[str, str])
    except msgspec.MsgspecError:
        return ["unreadable"]
    return sorted(n for n in _WEAK if flags.get(n, "").strip().lower() in _YES)


def _cash(frame: pl.DataFrame) -> list[Known]:
    told = frame.select("terminal", "at", "amount", out=pl.col("activity").is_in(["dispensed", "presented"]))
    last = _latest(told.filter("out"), "terminal")
    return [Known(t, "cash-out", at, json(amount), at) for t, at, amount in last.select("terminal", "at", "amount").rows() if t]


def _units(frame: pl.DataFrame) -> list[Known]:
    told = frame.select(
        "terminal",
        "at",
        unit=pl.coalesce(pl.col("unit").cast(pl.String), "unit_id", pl.lit("?")),
        worth=pl.col("count") * pl.col("value"),
        bill=pl.col("kind").is_in(["bill", "recycling"]) & pl.col("basis").is_in(["logical", "physical"]),
    )
    last = _latest(told.filter("bill", pl.col("worth").is_not_null()), "terminal", "unit")
    rows = last.select("terminal", "unit", "at", "worth").rows()
    return [Known(t, f"level:{u}"[:40], at, str(w), at) for t, u, at, w in rows if t]


def _latest(frame: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """The last row of each group by time; of several at one time the last as given."""
    if not frame.height:
        return frame
    return frame.sort("at", maintain_order=True).unique(list(keys), keep="last", maintain_order=True)


def _last_seen(rows: Mapping[str, pl.DataFrame]) -> list[Known]:
    parts = [f.select("terminal", "at") for n, f in rows.items() if f.height and n not in {"visits", "feeds"}]
    if not parts:
        return []
    last = pl.concat(parts).filter(pl.col("terminal").is_not_null()).group_by("terminal").agg(pl.col("at").max())
    return [Known(t, SEEN, at // MINUTE * MINUTE, "null", at) for t, at in last.rows()]
