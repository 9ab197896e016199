"""Every window and threshold of the ledger, in one place, as data. Times are µs.

The defaults follow `formats.md` §9.3 (one vendor's reconciliation note and sample timings): calibrate them per fleet.
"""

from dataclasses import dataclass

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 3600 * SECOND


@dataclass(frozen=True, slots=True)
class Settings:
    """What the ledger is tuned by.

    Attributes:
        early: how long before its approval (corrected clocks) a dispense may appear, besides three times the spread.
        early_cap: the most that `early` plus three times the spread may be; bounds the time to a verdict.
        late: how long after its approval a dispense may begin.
        cold: the same as `early` for a terminal whose clock is not yet known.
        nominal: usual time from the host's reply to the order to dispense.
        completion: how long to wait for the dispenser's answer to an order.
        closing: how long after its order an episode may still change (present, take, retract).
        pairing: how far apart a dispense and its approval are looked for when clocks are estimated.
        skew: how far ahead a terminal's clock may run without its rows counting as late.
        pairs: how many recent pairs a clock estimate rests on; known_after: how many make it known.
        spread_floor, spread_cap: bounds of a clock's spread.
        told: how large a clock step that Windows tells of must be to make the clock unknown until new pairs come.
        step: how far a source's stamps must fall back to count as a clock step.
        fold: how far apart messages of one transaction may be; view_fold: host and line views of one reply.
        settle: how long a counter is given to agree with the movements.
        visit_wait: how long a dispense in a visit is watched for notes at the customer's side.
        dark_floor, dark_factor: a host feed is dark after the larger of the floor and so many of its mean gaps.
        proof_wait: how long a movement the application calls approved waits for a sign of life of a silent host feed.
        keep: how long rows of cash, units and host are kept. recall: how long rare rows (doors, boots) are kept.
        ahead: how far ahead of the watermark rows may be stamped and wait; those further are left out and counted. Never in
            a replay; a live service, to which stamps of any year may come, sets a bound.
        remember: how long settled transactions are remembered for late reversals and advices.
        incident: quiet time that ends an incident: later findings open a new alert.
        drift_slack, drift_limit: in usual withdrawals of a terminal: by how much an hour lowers the sum of what nothing
            explains, and over what it is told.
    """

    early: int = 5 * SECOND
    early_cap: int = 9 * SECOND
    late: int = 120 * SECOND
    cold: int = 180 * SECOND
    nominal: int = 3 * SECOND
    completion: int = 60 * SECOND
    closing: int = 300 * SECOND
    pairing: int = 180 * SECOND
    skew: int = 180 * SECOND
    pairs: int = 15
    known_after: int = 3
    spread_floor: int = SECOND // 2
    spread_cap: int = 3 * SECOND
    told: int = 2 * SECOND
    step: int = 5 * SECOND
    fold: int = 10 * MINUTE
    view_fold: int = 15 * SECOND
    settle: int = 160 * SECOND
    visit_wait: int = 60 * SECOND
    dark_floor: int = 3 * MINUTE
    dark_factor: int = 12
    proof_wait: int = 15 * MINUTE
    keep: int = 40 * MINUTE
    recall: int = 24 * HOUR
    ahead: int = 2**61
    remember: int = 48 * HOUR
    incident: int = 2 * HOUR
    drift_slack: float = 0.25
    drift_limit: float = 3.0
