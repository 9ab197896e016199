"""The engine's promises: the cut of the input changes nothing, and a snapshot loses nothing."""

import itertools

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop import engine, trial
from jackstop.detections._cases import START, device, door, paid, reply, row, told
from jackstop.ledger.streams import Stream
from jackstop.model.settings import Settings
from jackstop.model.tables import VISITS, Tables

SECOND = 1_000_000
TUNED = Settings()
STREAMS = tuple(
    Stream(n, n, 2 * SECOND, trial.TERMINAL) for n in ("nextware-trace", "ncr-journal", "switch-csv", "cef", "winlogbeat")
)


@st.composite
def nights(draw):
    """Rows of an hour: withdrawals, thefts, refusals, reversals, doors, supervisor, dark machines."""
    rows, at = [], 0.0
    for i in range(draw(st.integers(1, 14))):
        at += draw(st.sampled_from([3.0, 20.0, 47.5, 130.0, 400.0]))
        amount = draw(st.sampled_from([2_000, 20_000, 40_000]))
        rrn = f"{i:012d}"
        match draw(
            st.sampled_from(["honest", "honest", "honest", "theft", "declined", "over", "reversed", "door", "supervisor", "dark"])
        ):
            case "honest":
                rows += [reply(at, amount, rrn=rrn), *paid(at + 3, amount)]
            case "theft":
                rows += paid(at, amount)
            case "declined":
                rows += [reply(at, amount, approved=False, rrn=rrn), *paid(at + 3, amount)]
            case "over":
                rows += [reply(at, amount, rrn=rrn), *paid(at + 3, 2 * amount)]
            case "reversed":
                said = {"activity": "reversal", "view": "host", "amount": amount, "currency": "USD", "reference": rrn}
                rows += [reply(at, amount, rrn=rrn), *paid(at + 3, amount), row("host", at + 200, "switch-csv", **said)]
            case "door":
                rows += [door(at)]
            case "supervisor":
                rows += [told(at, "supervisor-entered"), told(at + 90, "supervisor-left")]
            case "dark":
                rows += [device(at, "status", state="offline"), device(at + 60, "status", state="online")]
    return sorted(rows, key=lambda r: r.at)


def replay(tables: Tables, cuts: list[int], *, late: bool = False, packed: bool = False):
    """Findings and verdicts of a replay that advances at these watermarks, rows as early, or as late, as allowed."""
    setup = engine.Setup.of(trial.fleet(), STREAMS, VISITS.empty(), TUNED)
    state = engine.State.begin(setup)
    found, verdicts, given_to = [], [], -(2**62)
    for mark in cuts:
        until = mark + (TUNED.skew if not late else TUNED.skew // 2 * 2)
        span = pl.col("time").to_physical().is_between(given_to, until, closed="right")
        state, out = engine.advance(setup, state, tables.map(lambda f, span=span: f.filter(span)), mark)
        if packed:
            state = engine.restore(engine.snapshot(state), setup)
        found += out.findings
        verdicts.append(out.verdicts)
        given_to = until
    return found, pl.concat(verdicts).sort("id", "decided_at", "verdict", "retained")


END = START + 4 * 3600 * SECOND


@given(nights(), st.lists(st.integers(0, 4 * 3600), min_size=0, max_size=12, unique=True))
@settings(max_examples=20, deadline=None)
def test_the_result_does_not_depend_on_how_time_is_cut(rows, seconds):
    tables = trial.tables(rows)
    cuts = sorted({START + s * SECOND for s in seconds} | {END})
    whole, cut = replay(tables, [END]), replay(tables, cuts)
    assert cut[0] == whole[0]
    assert cut[1].equals(whole[1])


@given(nights())
@settings(max_examples=5, deadline=None)
def test_a_run_in_small_steps_through_snapshots_is_the_same_run(rows):
    tables = trial.tables(rows)
    cuts = [START + s * SECOND for s in range(0, 4 * 3600, 900)] + [END]
    assert replay(tables, cuts, packed=True)[0] == replay(tables, cuts)[0] == replay(tables, [END])[0]


@given(nights(), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_order_of_rows_within_a_call_does_not_matter(rows, chance):
    tables = trial.tables(rows)

    def shuffled(frame: pl.DataFrame) -> pl.DataFrame:
        order = list(range(frame.height))
        chance.shuffle(order)
        return frame[order]

    straight, mixed = replay(tables, [END]), replay(tables.map(shuffled), [END])
    assert straight[0] == mixed[0]
    assert straight[1].drop("records").equals(mixed[1].drop("records"))


@given(nights())
@settings(max_examples=12, deadline=None)
def test_no_authorisation_explains_more_than_its_own_value(rows):
    tables = trial.tables(rows)
    _, verdicts = replay(tables, [END])
    latest = verdicts.filter(pl.col("kind") == "episode").unique("id", keep="last", maintain_order=True)
    explained = latest.filter(pl.col("verdict") == "explained")
    for approval, amount in explained.explode("explained_by").group_by("explained_by").agg(pl.col("picked").sum()).iter_rows():
        if approval is not None:
            ids = tables.host.with_columns(name=pl.format("h{}", pl.col("event_id").cast(pl.String).str.zfill(20)))
            granted = ids.filter(pl.col("name") == approval)["amount"].sum()
            assert amount <= granted, approval


def test_nothing_is_said_twice():
    rows = [reply(60 * i, 20_000, rrn=f"{i:012d}") for i in range(20)]
    rows += list(itertools.chain.from_iterable(paid(60 * i + 3, 20_000) for i in range(0, 20, 2)))
    found, verdicts = replay(trial.tables(rows), [START + s * SECOND for s in range(0, 4 * 3600, 60)])
    assert len({f.id for f in found}) == len(found)
    assert verdicts.filter(pl.col("verdict") == "explained")["id"].n_unique() == 10


def test_a_clock_set_back_at_one_machine_moves_no_other_machine_of_the_same_source():
    def event(at: float, terminal: str) -> object:
        return row("windows", at, "winlogbeat", terminal=terminal, channel="System", code=6005, data="{}")

    fleet = trial.fleet().model_copy(
        update={"terminal": (*trial.fleet().terminal, trial.fleet().terminal[0].model_copy(update={"id": "B"}))}
    )
    setup = engine.Setup.of(fleet, (Stream("winlogbeat", "winlogbeat", 0, None),), VISITS.empty(), TUNED)
    tables = trial.tables([event(7200, trial.TERMINAL), event(7300, "B"), event(3600, trial.TERMINAL), event(7400, "B")])
    _, out = engine.advance(setup, engine.State.begin(setup), tables, END)
    placed = out.rows["windows"].sort("record_offset")
    assert [(t - START) // SECOND for t in placed["at"]] == [7200, 7300, 7200, 7400]
