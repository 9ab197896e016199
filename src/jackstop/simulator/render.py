"""From a performed scene to files: rows → Tables → each format's own records; a few of them torn or written twice."""

from collections.abc import Callable, Iterable
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from jackstop import formats
from jackstop.formats._reading import series
from jackstop.model.fleet import Reading
from jackstop.model.tables import BY_NAME, Tables
from jackstop.simulator.machine import Feed, Machine, Rows
from jackstop.simulator.scene import EPOCH, Scene, Told

ZONE = "America/New_York"
SUFFIX = {"nextware-trace": "nwlog", "xfs4iot": "jsonl", "ncr-journal": "jrn", "procash-journal": "jrn", "hyosung-journal": "dat"}
FLEET = {
    "host": ("switch-csv", "logs/host/authorisations.csv", "terminal_id", "2s"),
    "line": ("ndc", "logs/line/ndc.jsonl", "luno", "1s"),
    "panel": ("cef", "logs/panel/alarms.log", "alarm_account", "2s"),
    "windows": ("winlogbeat", "logs/windows/winlogbeat.json", "hostname", "2s"),
}
"""Feeds that serve the whole fleet: format, file, how rows name their terminal, declared latency."""

_TORN = 0.004
_OWN_LATENCY = "1s"


def tables(rows: Rows, **constant: str) -> Tables:
    """Rows as Tables, with some columns the same everywhere, in time order."""
    return Tables.of(**{name: _frame(name, listed, constant) for name, listed in rows.items()})


def _frame(name: str, rows: list[dict[str, Any]], constant: dict[str, str]) -> pl.DataFrame:
    schema = BY_NAME[name].schema
    used = set().union(*rows)
    columns = []
    for column, dtype in schema.items():
        if column in used:
            columns.append(series(column, [r.get(column) for r in rows], dtype))
        else:
            columns.append(pl.Series(column, [constant.get(column)], dtype=dtype).new_from_index(0, len(rows)))
    frame = pl.DataFrame(columns).with_columns(
        quality=pl.lit(0, pl.UInt32), time_uncertainty=pl.lit(0, pl.Int64), event_id=pl.int_range(pl.len(), dtype=pl.UInt64)
    )
    return frame.sort("time", maintain_order=True)


def machine_logs(root: Path, machine: Machine) -> None:
    """The machine's own two logs."""
    for feed, name in (("device", machine.device), ("journal", machine.journal)):
        rows = machine.feeds.get(feed)
        if not rows:
            continue
        reading = Reading(name=feed, terminal=machine.id, timezone=machine.timezone, currency="USD", date_order="mdy")
        data = formats.find(name).encode(tables(rows, terminal=machine.id, naming="id"), reading)
        path = root / "logs" / machine.id / f"{feed}.{SUFFIX[name]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_damaged(data, machine.rng) if name == "xfs4iot" else data)


def _damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Log lines with, now and then, one written twice. (What is torn is never a record that decides.)"""
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    twice = set(np.flatnonzero(rng.random(len(lines)) < _TORN).tolist())
    out = [line for i, line in enumerate(lines) for _ in range(2 if i in twice else 1)]
    cut = rng.integers(0, len(out), max(1, len(out) // 5000))
    for place in sorted(cut.tolist(), reverse=True):
        out.insert(place, out[place][: len(out[place]) // 3].rstrip(b"\r\n") + b"\n")
    return b"".join(out)


def fleet_logs(root: Path, scene: Scene) -> None:
    """The logs that serve the whole fleet, of all machines together in time order."""
    for feed, (name, path, naming, _) in FLEET.items():
        parts = [t for m in scene.machines if (t := _of(m, feed, naming)) is not None]
        if not parts:
            continue
        merged = Tables.concat(parts).map(lambda f: f.sort("time", maintain_order=True))
        reading = Reading(name=path, timezone=ZONE, currency="USD")
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(formats.find(name).encode(merged, reading))


def _of(machine: Machine, feed: Feed, naming: str) -> Tables | None:
    rows = machine.feeds.get(feed)
    if not rows:
        return None
    called = {
        "terminal_id": machine.field41,
        "luno": machine.luno,
        "alarm_account": machine.account,
        "hostname": machine.host_name,
    }[naming]
    return tables(rows, terminal=called, naming=naming)


def fleet_file(scene: Scene) -> str:
    """`fleet.toml`."""
    parts = [f'[fleet]\nname = "Simulated Bank"\ntimezone = "{ZONE}"\ncurrency = "USD"\n']
    for m in scene.machines:
        site = ", ".join(f"{k} = {orjson.dumps(v).decode()}" for k, v in m.site.items())
        units = ", ".join(f"{{ unit = {u.number}, type = {u.type}, value = {u.value}, count = {u.initial} }}" for u in m.units)
        parts.append(
            f'[[terminal]]\nid = "{m.id}"\nluno = "{m.luno}"\nterminal_id = "{m.field41}"\nhostname = "{m.host_name}"\n'
            f'alarm_account = "{m.account}"\ntimezone = "{m.timezone}"\nmodel = "{MODELS[m.journal]}"\n'
            f"site = {{ {site} }}\ncassettes = [ {units} ]\n"
        )
    for m in scene.machines:
        for feed, name in (("device", m.device), ("journal", m.journal)):
            order = '\ndate_order = "mdy"' if feed == "journal" else ""
            parts.append(
                f'[[source]]\npath = "logs/{m.id}/{feed}.{SUFFIX[name]}"\nformat = "{name}"\nterminal = "{m.id}"\n'
                f'latency = "{_OWN_LATENCY}"{order}\n'
            )
    for feed, (name, path, _, latency) in FLEET.items():
        if any(m.feeds.get(feed) for m in scene.machines):
            parts.append(f'[[source]]\npath = "{path}"\nformat = "{name}"\nlatency = "{latency}"\n')
    return "\n".join(parts)


MODELS = {"hyosung-journal": "MX 8600", "ncr-journal": "SelfServ 84", "procash-journal": "ProCash 2050"}


def visits_file(scene: Scene) -> str:
    """`visits.csv`."""
    lines = ["terminal,kind,work_order,start,end,people,permits,expected_in,expected_out"]
    for v in sorted(scene.visits, key=lambda v: (v["start"], v["terminal"])):
        loaded = ";".join(f"{value}:{count}" for value, count in v["expected_in"])
        lines.append(
            ",".join(
                (
                    v["terminal"],
                    v["kind"],
                    v["work_order"],
                    stamp(v["start"]),
                    stamp(v["end"]),
                    v["people"],
                    ";".join(v["permits"]),
                    loaded,
                    "",
                )
            )
        )
    return "\n".join(lines) + "\n"


def truth_files(root: Path, scene: Scene) -> None:
    """`truth.jsonl` and `truth/withdrawals.jsonl`."""
    (root / "truth.jsonl").write_bytes(_lines(_story(t) for t in sorted(scene.told, key=lambda t: (t.start, t.story))))
    (root / "truth").mkdir(exist_ok=True)
    paid = ({"time": stamp(t), "terminal": m, "amount": a} for t, m, a in sorted(scene.withdrawals))
    (root / "truth" / "withdrawals.jsonl").write_bytes(_lines(paid))


def _story(told: Told) -> dict[str, Any]:
    notes = sorted(told.notes)
    return {
        "story": told.story,
        "terminals": list(told.terminals),
        "attack": told.attack,
        "start": stamp(told.start),
        "end": stamp(max([told.end, told.start, *(t for t, _, _ in notes)])),
        "first_note": stamp(notes[0][0]) if notes else None,
        "last_note": stamp(notes[-1][0]) if notes else None,
        "stolen": sum(a for _, _, a in notes),
        "currency": "USD",
        "techniques": list(told.techniques),
        "notes": [{"time": stamp(t), "terminal": m, "amount": a} for t, m, a in notes],
    }


def _lines(values: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(v) + b"\n" for v in values)


def stamp(time: int) -> str:
    """µs UTC as ISO 8601."""
    moment = EPOCH + timedelta(microseconds=time)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def bundle(root: Path, scene: Scene, progress: Callable[[str, int, int], None] | None) -> None:
    """Perform a scene machine by machine and write everything."""
    root.mkdir(parents=True, exist_ok=True)
    total = len(scene.machines) + 1
    for i, machine in enumerate(scene.machines):
        scene.perform(machine)
        machine_logs(root, machine)
        for feed in ("device", "journal"):
            machine.feeds.pop(feed, None)
        if progress is not None:
            progress("machines", i + 1, total)
    fleet_logs(root, scene)
    (root / "fleet.toml").write_text(fleet_file(scene), "utf-8")
    (root / "visits.csv").write_text(visits_file(scene), "utf-8")
    truth_files(root, scene)
    if progress is not None:
        progress("fleet", total, total)
