"""From a performed scene to files: rows → Tables → each format's own records; a few of them torn or written twice."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import polars as pl

from jackstop import formats
from jackstop.formats._reading import series
from jackstop.model.fleet import Reading
from jackstop.model.tables import BY_NAME, Tables
from jackstop.simulator.machine import APPLICATION, SECOND, TRUE, Feed, Machine, Rows
from jackstop.simulator.scene import EPOCH, Scene, Told

ZONE = "America/New_York"
SUFFIX = {"nextware-trace": "nwlog", "xfs4iot": "jsonl", "ncr-journal": "jrn", "procash-journal": "jrn", "hyosung-journal": "dat"}
NAMES: dict[str, Callable[[Machine], str]] = {
    "terminal_id": lambda m: m.field41,
    "luno": lambda m: m.luno,
    "alarm_account": lambda m: m.account,
    "hostname": lambda m: m.host_name,
}
"""What each naming calls a machine."""


class Shared(NamedTuple):
    """A log that serves many machines: format, file (`{day}`: one for each day), how its rows name theirs, latency."""

    format: str
    path: str
    naming: str
    latency: str


FLEET = {
    "host": Shared("switch-csv", "logs/host/authorisations-{day}.csv", "terminal_id", "2s"),
    "iso": Shared("iso8583", "logs/host/iso8583.jsonl", "terminal_id", "2s"),
    "line": Shared("ndc", "logs/line/ndc.jsonl", "luno", "1s"),
    "panel": Shared("cef", "logs/panel/alarms.log", "alarm_account", "2s"),
    "windows": Shared("winlogbeat", "logs/windows/winlogbeat.json", "hostname", "2s"),
}
LATE = Shared("switch-csv", "logs/host/branch-{terminal}.csv", "terminal_id", "90s")
"""The export of a machine whose host delivers late (feed `late`): a source of its own, with its latency declared."""

_TORN = 0.004
_OWN_LATENCY = "1s"
_SHIPPED = 30 * SECOND
"""Windows events are shipped in batches this long (true time), so stamps of other machines' clocks fall back and forth."""

_OVERLAP = 3
"""Lines that a daily export repeats of the day before."""


def tables(rows: Rows, **constant: str) -> Tables:
    """Rows as Tables, with some columns the same everywhere, in order of their stamps."""
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


def split(rows: Rows, part: Callable[[int], int]) -> dict[int, Rows]:
    """Rows in numbered parts by their true time: what is written one after the other, whatever the stamps say."""
    parts: dict[int, Rows] = {}
    for name, listed in rows.items():
        for row in listed:
            parts.setdefault(part(row[TRUE]), {}).setdefault(name, []).append(row)
    return {n: parts[n] for n in sorted(parts)}


def machine_logs(root: Path, machine: Machine) -> None:
    """The machine's own two logs. Where its clock was set, lines stay in the order in which they were written."""
    set_at = [at for at, _ in machine.steps]
    for feed, name in (("device", machine.device), ("journal", machine.journal)):
        rows = machine.feeds.get(feed)
        if not rows:
            continue
        reading = Reading(name=feed, terminal=machine.id, timezone=machine.timezone, currency="USD", date_order="mdy")
        parts = split(rows, lambda t: bisect_right(set_at, t)).values() if set_at else [rows]
        encode = formats.find(name).encode
        data = b"".join(encode(tables(p, terminal=machine.id, naming="id"), reading) for p in parts)
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


def fleet_logs(root: Path, scene: Scene) -> list[tuple[Shared, str | None]]:
    """Write the logs that serve many machines; gives what was written, and the one machine of those that serve one."""
    written: list[tuple[Shared, str | None]] = []
    for feed, shared in FLEET.items():
        parts = [t for m in scene.machines if (t := _of(m, feed, shared.naming)) is not None]
        if parts:
            _write_shared(root, shared, parts)
            written.append((shared, None))
    for machine in scene.machines:
        own = _of(machine, "late", LATE.naming)
        if own is not None:
            shared = LATE._replace(path=LATE.path.format(terminal=machine.id))
            _write_shared(root, shared, [own])
            written.append((shared, machine.id))
    return written


def _of(machine: Machine, feed: Feed, naming: str) -> list[tuple[int, Tables]] | None:
    """A machine's rows of a shared log, in batches: (true time of the batch, rows)."""
    rows = machine.feeds.get(feed)
    if not rows:
        return None
    if feed != "windows":
        return [(0, tables(rows, terminal=NAMES[naming](machine), naming=naming))]
    set_at = [at for at, _ in machine.steps]

    def batch(time: int) -> int:
        """The batch an event is shipped in; a clock that was set ends one, so that record numbers stay in order."""
        begun = time // _SHIPPED
        return begun * 4 + bisect_right(set_at, time) - bisect_right(set_at, begun * _SHIPPED)

    return [(n, tables(b, terminal=machine.host_name, naming=naming)) for n, b in split(rows, batch).items()]


def _write_shared(root: Path, shared: Shared, parts: list[list[tuple[int, Tables]]]) -> None:
    """All machines' rows of a shared log: batch by batch, in order of their stamps within one."""
    batches: dict[int, list[Tables]] = {}
    for batch, rows in (b for machine in parts for b in machine):
        batches.setdefault(batch, []).append(rows)
    merged = [Tables.concat(batches[b]).map(lambda f: f.sort("time", maintain_order=True)) for b in sorted(batches)]
    reading = Reading(name=shared.path, timezone=ZONE, currency="USD")
    encode = formats.find(shared.format).encode
    if "{day}" not in shared.path:
        path = root / shared.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(encode(t, reading) for t in merged))
        return
    for day, host in _by_day(merged[0].host):
        path = root / shared.path.format(day=day)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(Tables.of(host=host), reading))


def _by_day(host: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """An export's rows by UTC day; each day begins with the last few of the day before, as exports do."""
    before = host.clear()
    for day, rows in host.group_by(pl.col("time").dt.date(), maintain_order=True):
        yield f"{day[0]}", pl.concat([before, rows])
        before = rows.tail(_OVERLAP)


def fleet_file(scene: Scene, shared: Iterable[tuple[Shared, str | None]]) -> str:
    """`fleet.toml`, with the shared logs that were written."""
    parts = [f'[fleet]\nname = "Simulated Bank"\ntimezone = "{ZONE}"\ncurrency = "USD"\n']
    for m in scene.machines:
        site = ", ".join(f"{k} = {orjson.dumps(v).decode()}" for k, v in m.site.items())
        units = ", ".join(f"{{ unit = {u.number}, type = {u.type}, value = {u.value}, count = {u.initial} }}" for u in m.units)
        parts.append(
            f'[[terminal]]\nid = "{m.id}"\nluno = "{m.luno}"\nterminal_id = "{m.field41}"\nhostname = "{m.host_name}"\n'
            f'alarm_account = "{m.account}"\ntimezone = "{m.timezone}"\nmodel = "{MODELS[m.journal]}"\n'
            f'site = {{ {site} }}\ncassettes = [ {units} ]\ncallers = [ "{APPLICATION}" ]\n'
        )
    for m in scene.machines:
        for feed, name in (("device", m.device), ("journal", m.journal)):
            order = '\ndate_order = "mdy"' if feed == "journal" else ""
            parts.append(
                f'[[source]]\npath = "logs/{m.id}/{feed}.{SUFFIX[name]}"\nformat = "{name}"\nterminal = "{m.id}"\n'
                f'latency = "{_OWN_LATENCY}"{order}\n'
            )
    for log, machine in shared:
        own = f'terminal = "{machine}"\n' if machine else ""
        path = log.path.format(day="*")
        parts.append(f'[[source]]\npath = "{path}"\nformat = "{log.format}"\nlatency = "{log.latency}"\n{own}')
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
    written = fleet_logs(root, scene)
    (root / "fleet.toml").write_text(fleet_file(scene, written), "utf-8")
    (root / "visits.csv").write_text(visits_file(scene), "utf-8")
    truth_files(root, scene)
    if progress is not None:
        progress("fleet", total, total)
