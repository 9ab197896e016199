"""Windows event logs: our reader against the least any reader of EVTX must do, on one core.

The peer is the bare loop: `evtx` gives each record as JSON, `orjson` parses it, and the result is thrown away. `x` is our
rate divided by the peer's; at least 0.5 is wanted. `rules` is the share of our rate that is left when our own Sigma rules look at
every row. Logs: those named by `JACKSTOP_EVTX` (a folder), for none are shipped. All run by turns, the quickest of five counts.
"""

import os
import sys
import time
from io import BytesIO
from pathlib import Path

import orjson
from evtx import PyEvtxParser

from jackstop import detections, formats
from jackstop.model.fleet import Reading

_PIECE = 1 << 20


def bare(files):
    """Records and seconds of the bare loop."""
    count, start = 0, time.process_time()
    for data in files:
        records = PyEvtxParser(BytesIO(data), number_of_threads=1).records_json()
        while True:
            try:
                orjson.loads(next(records)["data"])
                count += 1
            except StopIteration:
                break
            except RuntimeError:
                continue
    return count, time.process_time() - start


def ours(files, ruleset=None):
    """Rows and seconds of our reader, and of rules where some are given."""
    count, start = 0, time.process_time()
    for data in files:
        reader = formats.find("evtx").reader(Reading(name="log"))
        for at in range(0, len(data), _PIECE):
            windows = reader.feed(data[at : at + _PIECE], final=at + _PIECE >= len(data)).tables.windows
            count += windows.height
            if ruleset is not None:
                ruleset.match({"windows": windows})
    return count, time.process_time() - start


def run():
    """Print the rates of all logs together and of the largest alone."""
    folder = os.environ.get("JACKSTOP_EVTX")
    if not folder:
        print("no logs: set JACKSTOP_EVTX to a folder of .evtx files", file=sys.stderr)
        return
    files = sorted((p.read_bytes() for p in Path(folder).rglob("*.evtx")), key=len)
    catalogue = detections.signals(detections.names()).ruleset
    print(f"{'logs':>6} {'MB':>6} {'events':>8} {'bare/s':>10} {'ours/s':>10} {'x':>6} {'rules':>6}")
    for chosen in (files, files[-5:]):
        rounds = [(bare(chosen), ours(chosen), ours(chosen, catalogue)) for _ in range(5)]
        (least, quick), (count, spent), (_, more) = (min(side, key=lambda r: r[1]) for side in zip(*rounds, strict=True))
        size = sum(len(f) for f in chosen) / 1e6
        rates = f"{least / quick:>10,.0f} {count / spent:>10,.0f} {count / spent / (least / quick):>6.2f} {spent / more:>6.2f}"
        print(f"{len(chosen):>6} {size:>6.0f} {count:>8,} {rates}")
