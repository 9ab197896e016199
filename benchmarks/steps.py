"""The live loop's steps: what `engine.advance` costs every 250 ms, with all detections.

Three fleets of made-up machines, each in a process of its own: 200 terminals that serve a customer each second all together, in
steps of 250 ms; 20,000 terminals that have served one each and are idle since (memory, idle steps, snapshots); and as many
rows as go through in large steps (host and cash rows, counters, Windows events).

    python -m benchmarks steps            # all three
    python -m benchmarks.steps small      # or idle, flood
"""

import cProfile
import pstats
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from jackstop import engine
from jackstop.ledger.streams import Stream
from jackstop.model.fleet import Fleet
from jackstop.model.tables import BY_NAME, VISITS, Tables

SECOND = 1_000_000
STEP = SECOND // 4
START = 1_772_330_400 * SECOND
LATE = SECOND // 2
"""µs from a row's own time to its receipt."""

NAMES = ("small", "idle", "flood")
_LINE = ("dispense-requested", "dispensed", "presented", "taken")
_AFTER = (0, 4 * SECOND, 7 * SECOND, 12 * SECOND)


def fleet(count):
    cassettes = [{"unit": 1, "type": 1, "value": 2000, "count": 2000}]
    terminals = [{"id": f"ATM-{i:05}", "cassettes": cassettes} for i in range(count)]
    return Fleet.model_validate({"fleet": {"name": "steps", "timezone": "UTC", "currency": "USD"}, "terminal": terminals})


def setup(count):
    terminals = [f"ATM-{i:05}" for i in range(count)]
    own = [Stream(f"trace/{t}", "nextware-trace", SECOND, t) for t in terminals]
    shared = [Stream("switch", "switch-csv", SECOND, None), Stream("events", "winlogbeat", SECOND, None)]
    return engine.Setup.of(fleet(count), [*own, *shared], VISITS.empty())


class Made:
    """Rows of customers and machines; every row has its own record."""

    def __init__(self):
        self.count = 0

    def _frame(self, name, columns):
        height = len(columns["terminal"])
        ids = np.arange(self.count, self.count + height, dtype=np.uint64)
        self.count += height
        said = {
            "event_id": ids,
            "naming": pl.repeat("id", height, eager=True),
            "record_offset": ids.astype(np.int64),
            "record_length": np.ones(height, np.int32),
            "record_digest": [i.to_bytes(32, "big") for i in ids.tolist()],
            "quality": np.zeros(height, np.uint32),
            "time_uncertainty": np.zeros(height, np.int64),
            **columns,
        }
        frame = pl.DataFrame(said).with_columns(pl.from_epoch("time", time_unit="us").dt.replace_time_zone("UTC"))
        frame = frame.with_columns(observed=pl.col("time") + pl.duration(microseconds=LATE))
        schema = BY_NAME[name].schema
        return frame.with_columns(pl.lit(None, t).alias(c) for c, t in schema.items() if c not in frame.columns).select(
            pl.col(c).cast(t) for c, t in schema.items()
        )

    def customers(self, terminals, at):
        """A withdrawal of 20 at each of these terminals at these times (µs): five rows of trace and host, one of counters."""
        cash = [
            {
                "terminal": terminals,
                "time": at + after,
                "source": ["trace/" + t for t in terminals],
                "activity": [word] * len(at),
                "layer": ["device"] * len(at),
                "currency": ["USD"] * len(at),
                "amount": [2000 if after <= 4 * SECOND else None] * len(at),
                "result": [0 if word == "dispensed" else None] * len(at),
            }
            for word, after in zip(_LINE, _AFTER, strict=True)
        ]
        host = {
            "terminal": terminals,
            "time": at - 3 * SECOND,
            "source": ["switch"] * len(at),
            "activity": ["reply"] * len(at),
            "view": ["host"] * len(at),
            "approved": [True] * len(at),
            "response": ["00"] * len(at),
            "currency": ["USD"] * len(at),
            "amount": [2000] * len(at),
            "rrn": [f"{self.count + i:012}" for i in range(len(at))],
        }
        left = [1000 - int(t - START) // (200 * SECOND) for t in at]
        units = {
            "terminal": terminals,
            "time": at + 14 * SECOND,
            "source": ["trace/" + t for t in terminals],
            "snapshot": np.arange(self.count, self.count + len(at), dtype=np.uint64),
            "cause": ["snapshot"] * len(at),
            "basis": ["physical"] * len(at),
            "unit": [1] * len(at),
            "kind": ["bill"] * len(at),
            "currency": ["USD"] * len(at),
            "value": [2000] * len(at),
            "count": left,
        }
        frames = [self._frame("cash", c) for c in cash]
        return {"cash": pl.concat(frames), "host": self._frame("host", host), "units": self._frame("units", units)}

    def events(self, terminals, at):
        """A process that starts at each of these terminals."""
        data = '{"NewProcessName":"C:\\\\Program Files\\\\Atm\\\\AtmApplication.exe","SubjectUserName":"ATM$"}'
        said = {
            "terminal": terminals,
            "time": at,
            "source": ["events"] * len(at),
            "channel": ["Security"] * len(at),
            "provider": ["Microsoft-Windows-Security-Auditing"] * len(at),
            "code": [4688] * len(at),
            "computer": terminals,
            "data": [data] * len(at),
        }
        return {"windows": self._frame("windows", said)}


class Player:
    """Rows given to the engine as they are received, step by step."""

    def __init__(self, setup, *made):
        self.setup, self.state = setup, engine.State.begin(setup)
        names = sorted({n for frames in made for n in frames})
        self.frames = {n: pl.concat([f[n] for f in made if n in f]).sort("observed") for n in names}
        self._stamps = {n: f["observed"].to_physical().to_numpy() for n, f in self.frames.items()}
        self._given = 0

    def step(self, watermark):
        """Advance; gives seconds, seconds of processor time, rows."""
        parts = {}
        for name, frame in self.frames.items():
            first, last = np.searchsorted(self._stamps[name], [self._given, watermark], "right")
            if last > first:
                parts[name] = frame.slice(int(first), int(last - first))
        self._given = watermark
        tables = Tables.of(**parts)
        wall, cpu = time.perf_counter(), time.process_time()
        self.state, _ = engine.advance(self.setup, self.state, tables, watermark)
        return time.perf_counter() - wall, time.process_time() - cpu, tables.height


def shown(name, steps):
    wall, cpu = (sorted(s[i] * 1000 for s in steps) for i in (0, 1))
    rows = sum(s[2] for s in steps)

    def at(values, share):
        return values[min(len(values) - 1, int(len(values) * share))]

    told = ", ".join(f"p{round(100 * q)} {at(wall, q):.1f} ms (processor {at(cpu, q):.1f})" for q in (0.5, 0.9, 0.99))
    print(f"{name:<28} {len(steps):>5} steps, {rows / len(steps):>8,.1f} rows each: {told}", flush=True)


def small(terminals=200, warm=900, minutes=3):
    """200 terminals, a customer each second."""
    made, whole = Made(), warm + 60 * minutes
    at = START + np.sort(np.random.default_rng(1).integers(0, whole * SECOND, whole))
    names = [f"ATM-{(7 * i) % terminals:05}" for i in range(whole)]
    player = Player(setup(terminals), made.customers(names, at), made.events(names[::5], at[::5]))
    mark = START
    while mark < START + warm * SECOND:
        mark += 10 * SECOND
        player.step(mark)
    steps = []
    while mark < START + whole * SECOND:
        mark += STEP
        steps.append(player.step(mark))
    shown("200 terminals", steps)
    quiet = [player.step(mark + STEP * (i + 1)) for i in range(40 * 60 * 4)]
    shown("200 terminals, nobody comes", quiet)
    _snapshot(player)


def idle(terminals=20_000):
    """20,000 terminals, served once each, idle since."""
    before = _rss()
    made = Made()
    names = [f"ATM-{i:05}" for i in range(terminals)]
    at = START + np.arange(terminals) * (600 * SECOND // terminals)
    player = Player(setup(terminals), made.customers(names, at), made.events(names, at))
    mark = START
    while mark < START + 3 * 3600 * SECOND:
        mark += 60 * SECOND
        player.step(mark)
    player.frames.clear()
    print(f"memory {_rss() - before:,} MiB more than before the fleet was made, peak {_peak():,} MiB")
    shown("20,000 terminals, idle", [player.step(mark + STEP * (i + 1)) for i in range(400)])
    _snapshot(player)


def flood(terminals=20_000, customers=28, rows=12_500, steps=100):
    """20,000 terminals, a customer at each every three minutes, and Windows events up to 12,500 rows a step (50,000 a second)."""
    made, parts, events = Made(), [], rows - 6 * customers
    for i in range(steps):
        at = START + i * STEP
        chosen = [f"ATM-{(i * customers + j) % terminals:05}" for j in range(customers)]
        parts.append(made.customers(chosen, np.full(customers, at)))
        where = [f"ATM-{(i * events + j) % terminals:05}" for j in range(events)]
        parts.append(made.events(where, np.full(events, at)))
    player = Player(setup(terminals), *parts)
    done = [player.step(START + (i + 1) * STEP) for i in range(steps)]
    later = done[steps // 2 :]
    shown("20,000 terminals, flood", later)
    print(f"{sum(s[2] for s in later) / sum(s[0] for s in later):,.0f} rows/s")
    print(f"peak {_peak():,} MiB")
    _share(player, parts, steps)


def _share(player, parts, steps):
    """Where the time goes, by the engine's parts."""
    profile = cProfile.Profile()
    again = Player(player.setup, *parts)
    for i in range(steps):
        if i == steps - 20:
            profile.enable()
        again.step(START + (i + 1) * STEP)
    profile.disable()
    pstats.Stats(profile).sort_stats("cumtime").print_stats("jackstop", 25)


def _snapshot(player):
    start = time.perf_counter()
    data = engine.snapshot(player.state)
    middle = time.perf_counter()
    engine.restore(data, player.setup)
    end = time.perf_counter()
    print(f"snapshot {len(data) / 1e6:.1f} MB in {middle - start:.2f} s, restored in {end - middle:.2f} s")


def _rss():
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[1]) >> 10


def _peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def run():
    for name in NAMES:
        subprocess.run([sys.executable, "-m", "benchmarks.steps", name], check=True)


if __name__ == "__main__":
    {"small": small, "idle": idle, "flood": flood}[sys.argv[1]]()
