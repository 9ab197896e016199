"""Decoding: each format's reader on its own simulated log, in records and megabytes a second on one core.

The peer is the least any reader of that shape must do: `orjson.loads` on every line for JSON formats, `bytes.split` into
lines for the others; `x` is how many times longer the reader takes.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from benchmarks.live import starts
from jackstop import formats, simulator
from jackstop.model.fleet import Reading
from jackstop.sources import bundle

EVENTS = 100_000
"""Windows events of the large log."""


def logs(folder):
    """One log of each format, from a simulated fleet; the largest file of each."""
    simulator.simulate("quiet", folder, 12, 48, 1)
    best = {}
    for file in bundle.load(folder).files:
        if file.format not in best or file.size > best[file.format].size:
            best[file.format] = file
    return best


def peer(name, data):
    start = time.perf_counter()
    lines = data.split(b"\n")
    if data[:1] == b"{":
        for line in lines:
            if line.startswith(b"{") and line.endswith(b"}"):
                orjson.loads(line)
    return time.perf_counter() - start


def decode(name, data, reading):
    reader = formats.find(name).reader(reading)
    rows = 0
    start = time.perf_counter()
    for at in range(0, len(data), 1 << 20):
        rows += reader.feed(data[at : at + (1 << 20)], final=at + (1 << 20) >= len(data)).tables.height
    return time.perf_counter() - start, reader.tally, rows


def show(name, data, reading, said=""):
    spent, tally, rows = min((decode(name, data, reading) for _ in range(3)), key=lambda r: r[0])
    least = min(peer(name, data) for _ in range(3))
    rates = f"{tally.records / spent:>11,.0f} {rows / spent:>11,.0f} {len(data) / spent / 1e6:>7.1f}"
    print(f"{name + said:16} {rates} {spent / least:>7.1f}")


def run():
    with TemporaryDirectory() as folder:
        print(f"{'format':16} {'records/s':>11} {'rows/s':>11} {'MB/s':>7} {'x peer':>7}")
        for name, file in sorted(logs(Path(folder) / "b").items()):
            show(name, file.path.read_bytes(), file.reading)
    events = starts(1_772_330_400_000_000, EVENTS, 2000, 0).encode()
    show("winlogbeat", events, Reading(name="events"), " large")
