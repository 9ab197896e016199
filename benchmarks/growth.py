"""End to end: `jackstop investigate` on a fleet's logs 1, 2, 4 and 8 times as long, each in a process of its own.

Seconds, records a second, and the peak memory of the engine's process and of its largest decoding process. Memory should stay
flat as the logs grow; the rate should not fall.
"""

import json
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from jackstop import simulator

HOURS, TERMINALS = 12, 100
TIMES = (1, 2, 4, 8, 16)


def one(folder, jobs):
    """Investigate in this process; a line of JSON with what it took."""
    from jackstop.runners import local
    from jackstop.sources import bundle
    from jackstop.store.results import Results

    loaded = bundle.load(Path(folder))
    results = Results(Path(folder) / "results.sqlite")
    start = time.perf_counter()
    report = local.investigate(loaded, results, local.Options(jobs=jobs))
    spent = time.perf_counter() - start
    sources = [s for g in report.terminals for s in g.sources] + list(report.fleet_sources)
    print(
        json.dumps(
            {
                "seconds": spent,
                "records": sum(s.records for s in sources),
                "rows": sum(s.rows for s in sources),
                "bytes": sum(f.size for f in loaded.files),
                "engine": _peak(),
                "decoder": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10,
            }
        )
    )


def _peak():
    """MiB this process has needed at most. Linux gives `ru_maxrss` the parent's peak as well, so it is no use here."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) >> 10


NAMES = ("times", "MB", "records", "seconds", "records/s", "rows/s", "MB/s", "engine MiB", "decoder MiB")
HEAD = " ".join(f"{n:>11}" for n in NAMES)


def measure(times, place):
    """Investigate a bundle in a process of its own, and print its line."""
    command = [sys.executable, "-m", "benchmarks.growth", str(place)]
    r = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    rates = [round(r[k] / r["seconds"]) for k in ("records", "rows")]
    megabytes = r["bytes"] / 1e6
    shown = (times, megabytes, r["records"], r["seconds"], *rates, megabytes / r["seconds"], r["engine"], r["decoder"])
    print(" ".join(f"{v:>11,.1f}" if isinstance(v, float) else f"{v:>11,}" for v in shown), flush=True)


def run():
    print(HEAD)
    with TemporaryDirectory() as folder:
        for times in TIMES:
            place = Path(folder) / str(times)
            simulator.simulate("quiet", place, TERMINALS, HOURS * times, 1)
            measure(times, place)


if __name__ == "__main__":
    one(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None)
