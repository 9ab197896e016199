"""False pages: many fleets in which no attack happens, and how many people were woken, per 1,000 terminal-days.

Each run is one seed of a scenario without attacks: `quiet` (customers, cash loads, maintenance) and `benign` (besides, stories
that look like attacks: roll-outs, technicians' sticks, blackouts, updates at night, roadworks …) in turn. Each seed's outcome
is a line of the results file, and a seed that is there is not run again, so a long run can be stopped and gone on with.

    python -m benchmarks.quiet --seeds 1-12                 # a taste
    python -m benchmarks.quiet --seeds 1-112 --out quiet.jsonl   # the whole: over 20,000 terminal-days

The bound is the exact Poisson one (Garwood 1936, Biometrika 28): with no page at all it is 3.7 over the exposure.
"""

import argparse
import json
import math
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from jackstop import simulator
from jackstop.model.results import PAGING
from jackstop.runners import local
from jackstop.sources import bundle
from jackstop.store.results import Results

TERMINALS, HOURS = 60, 72
SCENARIOS = ("quiet", "benign")


def one(seed, terminals=TERMINALS, hours=HOURS):
    """One fleet: what it cost and what it said. Pages are counted by the detections that made them."""
    scenario = SCENARIOS[seed % len(SCENARIOS)]
    start = time.perf_counter()
    with TemporaryDirectory() as folder:
        place = Path(folder)
        simulator.simulate(scenario, place / "bundle", terminals, hours, seed)
        made = time.perf_counter()
        results = Results(place / "results.sqlite")
        report = local.investigate(bundle.load(place / "bundle"), results, local.Options(jobs=1))
        results.close()
    alerts = [d.alert for d in report.dossiers]
    pages = [a for a in alerts if a.severity in PAGING]
    return {
        "seed": seed,
        "scenario": scenario,
        "terminal_days": len(report.terminals) * hours / 24,
        "movements": sum(g.movements for g in report.terminals),
        "pages": [{"terminals": a.terminals, "detections": a.detections} for a in pages],
        "other_alerts": Counter(d for a in alerts if a.severity not in PAGING for d in a.detections),
        "simulated_s": round(made - start, 1),
        "investigated_s": round(time.perf_counter() - made, 1),
    }


def interval(count, level=0.95):
    """Exact limits of a Poisson mean of which `count` was seen."""
    tail = (1 - level) / 2

    def below(mean, most):
        """The chance of at most so many."""
        return sum(math.exp(i * math.log(mean) - mean - math.lgamma(i + 1)) for i in range(most + 1))

    low = 0.0 if count == 0 else _solve(lambda m: 1 - below(m, count - 1) < tail, count)
    return low, _solve(lambda m: below(m, count) > tail, count)


def _solve(short, near):
    """The least mean for which `short` no longer holds."""
    low, high = 1e-9, 10.0 + 4 * near
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if short(middle) else (low, middle)
    return high


def show(lines):
    """The sum of all runs."""
    for scenario in (*SCENARIOS, "all"):
        mine = [r for r in lines if scenario in (r["scenario"], "all")]
        days, pages = sum(r["terminal_days"] for r in mine), sum(len(r["pages"]) for r in mine)
        if not days:
            continue
        low, high = interval(pages)
        print(
            f"{scenario:>7}: {days:>9,.0f} terminal-days {sum(r['movements'] for r in mine):>12,} movements {pages:>4} pages  "
            f"{1000 * pages / days:.3f} per 1,000 terminal-days (95 %: {1000 * low / days:.3f} to {1000 * high / days:.3f})"
        )
    by = Counter(" + ".join(p["detections"]) for r in lines for p in r["pages"])
    for detections, count in by.most_common(20):
        print(f"   page ×{count}: {detections}")
    other = sum((Counter(r["other_alerts"]) for r in lines), Counter())
    print("   below a page: " + (", ".join(f"{d} ×{n}" for d, n in other.most_common(12)) or "nothing"))


def run(seeds=range(1, 5), out=None, terminals=TERMINALS, hours=HOURS):
    """Run the seeds that the results file lacks, and show the sum of all it holds."""
    lines = [json.loads(line) for line in out.read_text().splitlines()] if out and out.exists() else []
    done = {r["seed"] for r in lines}
    for seed in seeds:
        if seed in done:
            continue
        lines.append(json.loads(json.dumps(one(seed, terminals, hours))))
        if out:
            with out.open("a") as file:
                file.write(json.dumps(lines[-1]) + "\n")
        last = lines[-1]
        seconds = last["simulated_s"] + last["investigated_s"]
        print(f"seed {seed:>4} {last['scenario']:>7} {seconds:>7.1f} s  {len(last['pages'])} pages", flush=True)
    show(lines)


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="1-4", help="from-to, both included")
    parser.add_argument("--out", type=Path, help="file the outcome of each seed is added to, and taken from")
    parser.add_argument("--terminals", type=int, default=TERMINALS)
    parser.add_argument("--hours", type=float, default=HOURS)
    return parser.parse_args()


if __name__ == "__main__":
    given = _arguments()
    first, _, last = given.seeds.partition("-")
    run(range(int(first), int(last or first) + 1), given.out, given.terminals, given.hours)
