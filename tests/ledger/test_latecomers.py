"""A host feed that was cut off and comes back: what it held back explains the movements that waited for it."""

from jackstop import engine, trial
from jackstop.detections._cases import START, paid, reply, row
from jackstop.ledger.streams import Stream
from jackstop.model.settings import Settings
from jackstop.model.tables import VISITS, Tables

SECOND = 1_000_000
STREAMS = tuple(Stream(n, n, 2 * SECOND, trial.TERMINAL) for n in ("nextware-trace", "ncr-journal", "switch-csv"))


def told(steps):
    """Verdicts by id as they were last told, of rows that come in these steps: (seconds of the watermark, rows)."""
    setup = engine.Setup.of(trial.fleet(), STREAMS, VISITS.empty(), Settings())
    state, found, verdicts = engine.State.begin(setup), [], {}
    for second, rows in steps:
        state, out = engine.advance(setup, state, trial.tables(rows) if rows else Tables.of(), START + second * SECOND)
        found += out.findings
        verdicts |= {r["id"]: (r["verdict"], r["reason"]) for r in out.verdicts.iter_rows(named=True)}
    return verdicts, [f.detection for f in found]


def believed(at: float, amount: int):
    """The application says that the host approved."""
    said = {"activity": "reply-received", "layer": "application", "amount": amount, "currency": "USD", "detail": "approved"}
    return row("cash", at, "ncr-journal", **said)


def alive(begin: int, end: int):
    """Other people's refusals, so that the host's feed shows life."""
    return [reply(t, 2_000 + t, approved=False, rrn=f"7{t + 600:011d}") for t in range(begin, end, 15)]


MOVEMENT = (believed(58, 40_000), *paid(60, 40_000))


def steps(held_back, *, until=700):
    """Watermarks each ten seconds; rows come at once, but the host's between 30 and 330, which come at 330."""
    for second in range(0, until, 10):
        rows = [
            r
            for r in (*MOVEMENT, *alive(second - 10, second))
            if second - 10 <= r.at < second and (r.table != "host" or not 30 <= r.at < 330)
        ]
        if second == 340:
            rows = [*held_back, *rows]
        yield second, rows


def of_the_movement(verdicts):
    return [v for i, v in verdicts.items() if i.startswith("e")]


def test_an_approval_that_the_feed_held_back_explains_its_movement_when_it_comes():
    late = [reply(57, 40_000), *(r for t in range(30, 330, 15) for r in alive(t, t + 15))]
    verdicts, findings = told(steps(late))
    assert of_the_movement(verdicts) == [("explained", "matched")]
    assert "dispense.unexplained" not in findings


def test_a_movement_for_which_nothing_was_held_back_is_unexplained_once_the_feed_lives_again():
    verdicts, findings = told(steps([r for t in range(30, 330, 15) for r in alive(t, t + 15)]))
    assert of_the_movement(verdicts) == [("unexplained", "no-authorisation")]
    assert findings.count("dispense.unexplained") == 1


def test_a_late_approval_explains_no_more_than_its_own_value():
    late = [reply(57, 20_000), *(r for t in range(30, 330, 15) for r in alive(t, t + 15))]
    verdicts, _ = told(steps(late))
    assert of_the_movement(verdicts) != [("explained", "matched")]
