"""Small steps: whatever the engine leaves out to be quick, it says the same as in one large step."""

import random

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from jackstop import engine, formats, simulator, trial
from jackstop.detections._cases import START, device, door, paid, reply, row, told
from jackstop.ledger import agenda
from jackstop.ledger.streams import Stream
from jackstop.model.settings import Settings
from jackstop.model.tables import VISITS, Tables
from jackstop.pipeline import Run
from jackstop.runners import local
from jackstop.sources import bundle
from jackstop.store.results import Results

SECOND = 1_000_000
TUNED = Settings()
TERMINALS = (trial.TERMINAL, *trial.NEIGHBOURS)
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
"""Without shrinking: an example takes seconds."""

END = START + 5 * 3600 * SECOND


def sorted_rows(parts):
    return pl.concat(parts).sort("id", "decided_at", "verdict", "retained")


def of_the_bundle(loaded) -> dict[str, pl.DataFrame]:
    """Its rows in each file's order, with `_due`: the earliest instant at which the file's order lets each come (µs)."""
    parts = [formats.find(f.format).reader(f.reading).feed(f.path.read_bytes(), final=True).tables for f in loaded.files]
    tables = {n: f for n, f in Tables.concat(parts).items() if f.height}
    stamps = [
        f.select("source", "record_offset", t=pl.col("time").to_physical(), n=pl.lit(n), i=pl.int_range(pl.len()))
        for n, f in tables.items()
    ]
    order = pl.concat(stamps).sort("source", "record_offset", "n", "i").with_columns(t=pl.when(pl.col("t") > 0).then("t"))
    first = pl.col("t").backward_fill().reverse().cum_min().reverse().over("source").fill_null(0)
    dues = order.with_columns(due=first)
    return {n: f.with_columns(_due=dues.filter(pl.col("n") == n).sort("i")["due"]) for n, f in tables.items()}


def in_steps(run: Run, tables: dict[str, pl.DataFrame], marks: list[int], host_end: int):
    """Findings and verdicts of a run that is advanced to these watermarks and closed."""
    given_to, outputs = -(2**62), []
    for mark in marks:
        until = mark + TUNED.skew
        span = pl.col("_due").is_between(given_to, until, closed="right")
        outputs.append(run.advance(Tables.of(**{n: f.filter(span).drop("_due") for n, f in tables.items()}), mark))
        given_to = until
    outputs.append(run.close(host_end))
    return outputs


def irregular(begin: int, end: int, seed: int) -> list[int]:
    """Watermarks: mostly minutes apart, with bursts of steps of a quarter of a second."""
    chance, mark, marks = random.Random(seed), begin, []
    while mark < end:
        if chance.random() < 0.2:
            for _ in range(8):
                mark += SECOND // 4
                marks.append(mark)
        mark += chance.choice([20, 120, 300, 900]) * SECOND + chance.randrange(SECOND)
        marks.append(mark)
    return [m for m in marks if m < end] + [end]


@pytest.mark.parametrize("name", ["demo", "host-outage", "summer-time-ends"])
def test_small_irregular_steps_say_what_investigate_says(name, tmp_path):
    simulator.simulate(name, tmp_path / "bundle", None, 8 if name == "demo" else 4, 5)
    loaded, told_of = bundle.load(tmp_path / "bundle"), []
    results = Results(tmp_path / "r.sqlite")
    local.investigate(loaded, results, local.Options(jobs=1, notice=lambda out, mark: told_of.append((out, mark))))
    results.close()
    host = [int(o.rows["host"]["at"].max()) for o, _ in told_of if "host" in o.rows and o.rows["host"].height]
    streams = [Stream(f.name, f.format, f.latency, f.terminal) for f in loaded.files]
    run = Run.begin(loaded.fleet, streams, loaded.visits, SECOND)
    tables = of_the_bundle(loaded)
    begin = min(int(f.filter(pl.col("_due") > 0)["_due"].min()) for f in tables.values())
    outputs = in_steps(run, tables, irregular(begin, told_of[-2][1], 5), max(host))

    whole = sorted((f for o, _ in told_of for f in o.findings), key=lambda f: (f.decided_at, f.id))
    small = sorted((f for o in outputs for f in o.findings), key=lambda f: (f.decided_at, f.id))
    assert small == whole
    assert sorted_rows([o.verdicts for o in outputs]).equals(sorted_rows([o.verdicts for o, _ in told_of]))


@st.composite
def machines(draw):
    """An hour of several machines: withdrawals, thefts, refusals, reversals, doors, maintenance, a host that falls silent."""
    rows = []
    for n, terminal in enumerate(TERMINALS):
        at = float(7 * n)
        for i in range(draw(st.integers(0, 6))):
            at += draw(st.sampled_from([3.0, 20.0, 47.5, 130.0, 700.0]))
            rows += [r for r in story(draw, at, terminal, f"{n}{i:011d}")]
    if draw(st.booleans()):
        rows += [reply(t, 2_000 + t, approved=False, rrn=f"9{t:011d}") for t in range(0, 1800, 120)]
    return sorted(rows, key=lambda r: r.at)


def story(draw, at, terminal, rrn):
    amount = draw(st.sampled_from([2_000, 20_000]))
    undone = row("host", at + 30, "switch-csv", activity="reversal", view="host", amount=amount, currency="USD", reference=rrn)
    believed = row("cash", at - 1, "ncr-journal", activity="reply-received", layer="application", amount=amount, currency="USD")
    kinds = {
        "honest": (reply(at, amount, rrn=rrn), *paid(at + 3, amount)),
        "theft": paid(at, amount),
        "believed": (believed, *paid(at, amount)),
        "declined": (reply(at, amount, approved=False, rrn=rrn), *paid(at + 3, amount)),
        "no cash": (reply(at, amount, rrn=rrn),),
        "reversed": (reply(at, amount, rrn=rrn), *paid(at + 3, amount), undone),
        "door": (door(at), *paid(at + 60, amount)),
        "supervisor": (told(at, "supervisor-entered"), told(at + 30, "supervisor-left"), *paid(at + 90, amount)),
        "dark": (device(at, "status", state="offline"), device(at + 60, "status", state="online")),
        "counted": (counted(at, 1000), *paid(at + 10, amount), counted(at + 40, 1000 - amount // 2000 - 50)),
    }
    return [
        type(r)(r.table, r.at, r.source, {"terminal": terminal, **r.values}) for r in kinds[draw(st.sampled_from(sorted(kinds)))]
    ]


def counted(at, notes):
    said = {"cause": "snapshot", "basis": "physical", "unit": 1, "kind": "bill", "currency": "USD", "value": 2000, "count": notes}
    return row("units", at, "nextware-trace", snapshot=round(at * 10), **said)


def replay(rows, marks, *, packed=False):
    """Findings and verdicts of steps; every terminal has a trace of its own."""
    shared = tuple(Stream(n, n, 2 * SECOND, None) for n in ("nextware-trace", "ncr-journal", "switch-csv", "cef"))
    setup = engine.Setup.of(trial.fleet(), shared, VISITS.empty(), TUNED)
    tables, state = trial.tables(rows), engine.State.begin(setup)
    found, verdicts, given_to = [], [], -(2**62)
    for mark in marks:
        until = mark + TUNED.skew
        span = pl.col("time").to_physical().is_between(given_to, until, closed="right")
        state, out = engine.advance(setup, state, tables.map(lambda f, span=span: f.filter(span)), mark)
        if packed:
            state = engine.restore(engine.snapshot(state), setup)
        found += out.findings
        verdicts.append(out.verdicts)
        given_to = until
    return found, sorted_rows(verdicts)


@given(machines(), st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None, phases=QUICK)
def test_steps_that_look_at_few_machines_say_what_one_step_over_all_says(rows, chance):
    moments = [r.at for r in rows]
    near = [chance.choice(moments) + chance.choice([0.1, 2.3, 7.0, 13.2, 163.0, 224.0, 305.0]) for _ in range(25)] if rows else []
    marks = [*sorted({START + round(s * SECOND) for s in near}), END]
    whole, small = replay(rows, [END]), replay(rows, marks)
    assert small[0] == whole[0]
    assert small[1].equals(whole[1])


@given(machines(), st.randoms(use_true_random=False))
@settings(max_examples=4, deadline=None, phases=QUICK)
def test_looking_at_few_machines_says_what_looking_at_all_of_them_says_however_late_rows_come(rows, chance):
    held = [chance.choice([1, 1, 1, 25, 200, 1500, 3 * 3600]) if r.table in {"host", "cash", "units"} else 1 for r in rows]
    comes = [START + round((r.at + h) * SECOND) for r, h in zip(rows, held, strict=True)]
    marks = [*sorted({c + chance.choice([0, 2, 9]) * SECOND for c in chance.sample(comes, min(25, len(comes)))}), END]
    few = delivered(rows, comes, marks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agenda, "due", lambda *_, **__: list(TERMINALS))
        every = delivered(rows, comes, marks)
    assert few[0] == every[0]
    assert few[1].equals(every[1])


def delivered(rows, comes, marks):
    """Findings and verdicts of steps whose rows are there when they have come (µs)."""
    shared = tuple(Stream(n, n, 2 * SECOND, None) for n in ("nextware-trace", "ncr-journal", "switch-csv", "cef"))
    setup = engine.Setup.of(trial.fleet(), shared, VISITS.empty(), TUNED)
    seen = pl.Series("observed", comes).cast(pl.Datetime("us", "UTC"))
    tables = trial.tables(rows).map(lambda f: f.with_columns(seen[f["record_offset"]]))
    state, found, verdicts, before = engine.State.begin(setup), [], [], -(2**62)
    for mark in marks:
        now = pl.col("observed").to_physical().is_between(before, mark, closed="right")
        state, out = engine.advance(setup, state, tables.map(lambda f, now=now: f.filter(now)), mark)
        found += out.findings
        verdicts.append(out.verdicts)
        before = mark
    return found, sorted_rows(verdicts)


@given(machines())
@settings(max_examples=4, deadline=None, phases=QUICK)
def test_a_snapshot_between_small_steps_loses_nothing(rows):
    marks = [START + s * SECOND for s in range(0, 3600, 180)] + [END]
    whole, packed = replay(rows, [END]), replay(rows, marks, packed=True)
    assert packed[0] == whole[0]
    assert packed[1].equals(whole[1])


def test_a_step_in_which_nothing_comes_and_nothing_is_due_gives_nothing_and_keeps_what_it_knew():
    setup = engine.Setup.of(trial.fleet(), (Stream("switch-csv", "switch-csv", 0, None),), VISITS.empty(), TUNED)
    state, _ = engine.advance(setup, engine.State.begin(setup), trial.tables([reply(0, 2_000)]), START + 10 * SECOND)
    later, out = engine.advance(setup, state, Tables.of(), START + 11 * SECOND)
    assert out.findings == ()
    assert out.verdicts.height == 0
    assert later.book.shelves is state.book.shelves
    assert later.watermark == START + 11 * SECOND
