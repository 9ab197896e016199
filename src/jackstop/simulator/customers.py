"""Customers: withdrawals that go well, and all the ways in which they do not."""

from collections.abc import Sequence
from dataclasses import dataclass

from jackstop.simulator import moves
from jackstop.simulator.machine import SECOND, Machine
from jackstop.simulator.moves import CURRENCY

AMOUNTS = (2_000, 4_000, 6_000, 8_000, 10_000, 20_000, 30_000, 40_000)
CHANCES = (0.16, 0.14, 0.12, 0.10, 0.16, 0.18, 0.08, 0.06)
OUTCOMES = ("paid", "declined", "inquiry", "retracted", "rejected", "timeout", "stand-in", "partial", "repeated")
OUTCOME_CHANCES = (0.90, 0.045, 0.03, 0.004, 0.004, 0.004, 0.004, 0.003, 0.006)
HOURS = (1, 1, 1, 1, 1, 2, 4, 7, 9, 9, 9, 10, 12, 11, 9, 9, 10, 12, 12, 10, 7, 5, 3, 2)
"""How busy each hour of the local day is."""


@dataclass(frozen=True, slots=True)
class Deal:
    """What the host decided on one request: keys and times (true µs)."""

    asked: int
    answered: int
    amount: int
    rrn: str
    stan: str
    code: str
    tsn: str


def begin(m: Machine, time: int) -> str:
    """A customer comes: card and PIN; gives the session."""
    m.session = m.session % 9998 + 1
    session = f"{m.session:04d}"
    for after, activity in ((0, "session-start"), (3, "card"), (9, "pin")):
        m.write("journal", "cash", time + after * SECOND, activity=activity, layer="application", session=session)
    return session


def ask(
    m: Machine,
    time: int,
    amount: int,
    *,
    approved: bool = True,
    answer: bool = True,
    recorded: bool = True,
    stand_in: bool = False,
) -> Deal:
    """A request goes to the host; its decision is in the host's log, and on the line where that is recorded."""
    m.serial = m.serial % 9998 + 1
    stamp = time // SECOND
    rrn = f"{stamp % 10**7:07d}{m.number % 1000:03d}{m.serial % 100:02d}"
    deal = Deal(
        time,
        time + m.between(0.4, 1.4),
        amount,
        rrn,
        f"{m.serial:06d}",
        f"{(m.serial * 7919 + m.number * 104_729) % 10**6:06d}",
        f"{m.serial:04d}",
    )
    mix = m.mix(amount) if approved else []
    if recorded:
        _at_host(m, deal, mix, approved=approved, stand_in=stand_in)
    if m.line:
        _on_line(m, deal, mix, approved=approved, answer=answer)
    return deal


def _at_host(m: Machine, deal: Deal, mix: Sequence[int], *, approved: bool, stand_in: bool) -> None:
    """The decision in the host's log; a log of messages has the request too."""
    common = {"view": "host", "currency": CURRENCY, "amount": deal.amount, "stan": deal.stan, "rrn": deal.rrn}
    if m.host == "iso":
        m.write(m.host, "host", deal.asked, activity="request", **common)
    m.write(
        m.host,
        "host",
        deal.answered - SECOND // 10,
        activity="advice" if stand_in else "reply",
        approved=approved,
        response="00" if approved else "51",
        auth_code=deal.code if approved else None,
        stand_in=True if stand_in else None,
        counts=_by_type(m, mix) if mix else None,
        **common,
    )


def _on_line(m: Machine, deal: Deal, mix: Sequence[int], *, approved: bool, answer: bool) -> None:
    """The request and its answer as the line to the terminal saw them (NDC 11 and 4)."""
    common = {"view": "line", "currency": CURRENCY, "amount": deal.amount, "tsn": deal.tsn}
    m.write("line", "host", deal.asked, activity="request", mti="11", **common)
    if answer:
        counts = _by_type(m, mix) if mix else None
        said = {"activity": "reply", "approved": approved, "response": "A" if approved else "5"}
        m.write("line", "host", deal.answered, mti="4", counts=counts, **said, **common)


def echo(m: Machine, time: int) -> None:
    """The terminal asks the host whether it is there, and is answered (ISO 8583 0800, code 301)."""
    m.write(m.host, "host", time, activity="network", view="host", stan=f"{time // SECOND % 10**6:06d}", detail="code=301")


def _by_type(m: Machine, counts: Sequence[int]) -> list[int]:
    """Counts per cassette type from counts per unit."""
    out = [0] * max(u.type for u in m.units)
    for unit, notes in zip(m.units, counts, strict=True):
        out[unit.type - 1] += notes
    return out


def journal(m: Machine, time: int, activity: str, session: str, **values: object) -> None:
    """A line of the application's journal."""
    m.write("journal", "cash", time, activity=activity, layer="application", session=session, **values)


def told(m: Machine, deal: Deal, session: str, *, approved: bool = True, answer: bool = True) -> int:
    """The journal's lines of a request and its answer; gives the time the application goes on."""
    journal(m, deal.asked, "request-sent", session, amount=deal.amount, currency=CURRENCY)
    heard = deal.answered + SECOND // 5
    if answer:
        detail = "approved" if approved else "declined"
        journal(m, heard, "reply-received", session, tsn=deal.tsn, detail=detail, amount=deal.amount, currency=CURRENCY)
    return heard


def pay(m: Machine, time: int, counts: Sequence[int], session: str, *, taken: bool = True, token: bool = True) -> int:
    """The application has the notes picked, presented and taken; gives the time they are gone (true µs)."""
    done = moves.order(m, time, counts, token=token)
    by_type = _by_type(m, counts)
    journal(m, time, "dispense-requested", session, counts=by_type)
    journal(m, done, "dispensed", session)
    gone = moves.hand_over(m, done, taken=taken)
    journal(m, gone - 2 * SECOND, "presented", session, counts=by_type, amount=m.worth(counts), currency=CURRENCY)
    if taken:
        journal(m, gone, "taken", session)
    return gone


def end(m: Machine, time: int, session: str) -> None:
    """The customer goes."""
    journal(m, time + 3 * SECOND, "session-end", session)


def undo(m: Machine, time: int, deal: Deal, amount: int, activity: str = "reversal") -> None:
    """The host is told that a transaction is undone, or that less was paid (`partial`: what was paid)."""
    m.write(
        m.host,
        "host",
        time,
        activity=activity,
        view="host",
        currency=CURRENCY,
        amount=amount,
        stan=f"9{deal.stan[1:]}",
        reference=deal.rrn,
    )


def withdraw(m: Machine, time: int, amount: int | None = None, outcome: str | None = None) -> tuple[int, int] | None:
    """One customer; gives (time, amount) of a legitimate withdrawal that must end as explained, or None."""
    rng = m.rng
    worth = int(rng.choice(AMOUNTS, p=CHANCES)) if amount is None else amount
    ending = str(rng.choice(OUTCOMES, p=OUTCOME_CHANCES)) if outcome is None else outcome
    counts = m.mix(worth)
    if not counts:
        ending = "inquiry"
    session = begin(m, time)
    asked = time + m.between(14, 22)
    if ending == "inquiry":
        end(m, asked, session)
        return None
    return _ENDINGS[ending](m, asked, worth, counts, session)


def _paid(m: Machine, asked: int, worth: int, counts: list[int], session: str) -> tuple[int, int]:
    deal = ask(m, asked, worth)
    gone = pay(m, told(m, deal, session) + m.between(0.2, 0.7), counts, session)
    end(m, gone, session)
    return gone, worth


def _declined(m: Machine, asked: int, worth: int, _: list[int], session: str) -> None:
    deal = ask(m, asked, worth, approved=False)
    end(m, told(m, deal, session, approved=False), session)


def _retracted(m: Machine, asked: int, worth: int, counts: list[int], session: str) -> tuple[int, int]:
    deal = ask(m, asked, worth)
    shown = pay(m, told(m, deal, session) + SECOND // 3, counts, session, taken=False)
    back = shown + m.between(25, 35)
    moves.move(m, back, "retracted", amount=worth)
    for unit, notes in zip(m.units, counts, strict=True):
        unit.retracted += notes
    journal(m, back, "retracted", session)
    undo(m, back + m.between(1, 4), deal, worth)
    end(m, back, session)
    return shown, worth


def _rejected(m: Machine, asked: int, worth: int, counts: list[int], session: str) -> tuple[int, int]:
    """The first pick fails on its way and goes to the reject bin; the second is paid."""
    deal = ask(m, asked, worth)
    at = told(m, deal, session) + SECOND // 3
    failed = moves.failed(m, at, counts)
    gone = pay(m, failed + m.between(1, 2), counts, session)
    end(m, gone, session)
    return gone, worth


def _timeout(m: Machine, asked: int, worth: int, counts: list[int], session: str) -> None:
    """The answer is lost; the terminal times out and the host is told to undo it. Nothing moves."""
    deal = ask(m, asked, worth, answer=False)
    told(m, deal, session, answer=False)
    undo(m, deal.asked + m.between(31, 40), deal, worth)
    end(m, deal.asked + 30 * SECOND, session)


def _stand_in(m: Machine, asked: int, worth: int, counts: list[int], session: str) -> tuple[int, int]:
    """The switch decides for a host that is away, and advises it later with the time of the transaction."""
    deal = ask(m, asked, worth, stand_in=True)
    return _paid_as(m, deal, counts, session)


def _partial(m: Machine, asked: int, worth: int, counts: list[int], session: str) -> tuple[int, int]:
    """Only part of the notes can be picked; the host is told what was paid."""
    deal = ask(m, asked, worth)
    less = list(counts)
    largest = max(range(len(less)), key=lambda i: less[i])
    if less[largest] < 2:
        return _paid_as(m, deal, counts, session)
    less[largest] -= 1
    at = told(m, deal, session) + SECOND // 3
    gone = pay(m, at, less, session)
    undo(m, gone + m.between(1, 3), deal, m.worth(less), "partial")
    end(m, gone, session)
    return gone, m.worth(less)


def _paid_as(m: Machine, deal: Deal, counts: list[int], session: str) -> tuple[int, int]:
    gone = pay(m, told(m, deal, session) + SECOND // 3, counts, session)
    end(m, gone, session)
    return gone, deal.amount


def _repeated(m: Machine, asked: int, worth: int, counts: list[int], session: str) -> tuple[int, int]:
    """The host's line is written twice, as exports do."""
    deal = ask(m, asked, worth)
    host = m.feeds[m.host]["host"]
    host.append(dict(host[-1]))
    return _paid_as(m, deal, counts, session)


_ENDINGS = {
    "paid": _paid,
    "declined": _declined,
    "retracted": _retracted,
    "rejected": _rejected,
    "timeout": _timeout,
    "stand-in": _stand_in,
    "partial": _partial,
    "repeated": _repeated,
}
