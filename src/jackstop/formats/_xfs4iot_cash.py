"""What messages about notes mean: CashDispenser and CashManagement, as rows of `cash`.

Source: XFS4IoT specification, chapters CashDispenser (Denominate, Dispense, Present, Reject, TestCashUnits, Count and the
IncompleteDispense event) and CashManagement (Retract, Reset, ItemsPresented and ItemsTaken events); formats.md §2.2.
"""

from jackstop.formats import _xfs4iot_token as tokens
from jackstop.formats._reading import Unreadable
from jackstop.formats._xfs4iot_machine import MAX_UNITS, Machine, Order, total
from jackstop.formats._xfs4iot_messages import (
    Amounts,
    Counted,
    Counts,
    Dispense,
    Dispensed,
    Header,
    Mix,
    Mixed,
    Moved,
    Payload,
    Retracted,
)
from jackstop.formats._xfs4iot_rows import Batch, CashRow
from jackstop.formats._xfs4iot_words import EXPOSED, REFUSED_TOKEN, RESULTS, clean, position
from jackstop.model.money import exponent

_MOST = 2**53
_KINDS = 64


def failure(h: Header, p: Payload) -> str | None:
    """Name of the failure a completion tells of (either dialect); None where it succeeded."""
    code = h.completion_code or p.completion_code
    if p.error_code:
        return clean(p.error_code)
    return None if code is None or code == "success" else clean(code)


def minor_units(value: int | float, currency: str) -> int:
    """An amount in whole units of a currency as minor units.

    Raises:
        Unreadable: the currency is no code, or the amount is not one.
    """
    if len(currency) != 3 or not (currency.isascii() and currency.isupper()):
        raise Unreadable("currency is not three capital letters")
    scaled = value * 10 ** exponent(currency)
    if not 0 <= scaled <= _MOST:
        raise Unreadable("amount out of range")
    worth: int = round(scaled)
    return worth


def money(told: Amounts | None) -> tuple[str | None, int | None, str | None]:
    """Currency and minor units of a map of amounts; further currencies in words."""
    if not told:
        return None, None, None
    found = [(c, minor_units(v, c)) for c, v in told.items() if v is not None]
    if not found:
        return None, None, None
    currency, amount = found[0]
    return currency, amount, f"also {', '.join(f'{c} {a}' for c, a in found[1:9])}" if len(found) > 1 else None


def counts(m: Machine, told: Counts | None) -> list[int] | None:
    """Notes per logical unit; None where a unit has no known number."""
    if not told:
        return None
    placed: dict[int, int] = {}
    for name, notes in told.items():
        number = m.number(name)
        if number is None or not 0 < number <= MAX_UNITS:
            return None
        placed[number] = placed.get(number, 0) + (notes or 0)
    if sum(placed.values()) > 2**31 - 1:
        raise Unreadable("more notes than any machine holds")
    return [placed.get(i, 0) for i in range(1, max(placed) + 1)]


def _inner(told: Mixed | None) -> Mix:
    """The amounts and counts of a denomination, however deep the dialect nests them."""
    if told is None:
        return Mix()
    mix: Mix = told if told.denomination is None else told.denomination
    return mix.app or mix.service or mix


def dispense(m: Machine, h: Header, p: Dispense, b: Batch) -> None:
    """CashDispenser.Dispense, command: notes are ordered."""
    mix = _inner(p.denomination)
    currency, amount, also = money(mix.currencies)
    name = worth = None
    if p.token:
        token = tokens.read(p.token)
        name, worth = token.name, token.amount
        m.order(h.request_id, Order(name, worth, token.fault))
    else:
        m.order(h.request_id, Order(None, None, "token=none"))
    m.shown = None
    m.setting = {}
    b.cash.append(
        CashRow(
            b.record, "dispense-requested", h.request_id, None, None, currency, amount or None,
            counts(m, mix.values or mix.counts), position(p.position), m.session, name, worth, None, also,
        )
    )  # fmt: skip


def dispensed(m: Machine, h: Header, p: Dispensed, b: Batch) -> None:
    """CashDispenser.Dispense, completion: notes were picked, or the order failed; and what became of its token."""
    order = m.orders.pop(h.request_id, None)
    mix = _inner(p.denomination)
    currency, amount, also = money(mix.currencies or p.currencies)
    notes = counts(m, mix.values or mix.counts or p.values)
    if amount == 0 and notes and any(notes):
        amount = None
    wrong = failure(h, p)
    activity = "dispensed" if wrong is None else "dispense-failed"
    said = "; ".join(t for t in (order.detail if order and wrong is None else None, also) if t) or None
    token, worth = (order.token, order.token_amount) if order else (None, None)
    result = 0 if wrong is None else RESULTS.get(wrong)
    b.cash.append(
        CashRow(
            b.record, activity, h.request_id, result, wrong, currency, amount, notes, None, m.session, token, worth, None, said
        )
    )  # fmt: skip
    _signs(m, h, wrong, b)


def _signs(m: Machine, h: Header, wrong: str | None, b: Batch) -> None:
    """Rows of their own for a failure that speaks of a refused token or of fraud."""
    if wrong in REFUSED_TOKEN:
        b.cash.append(CashRow(b.record, "token-refused", h.request_id, RESULTS.get(wrong), wrong, session=m.session))
    elif wrong == "fraudAttempt":
        b.cash.append(CashRow(b.record, "status", h.request_id, RESULTS[wrong], wrong, session=m.session, state="fraud-attempt"))


def not_accepted(m: Machine, h: Header, p: Payload, b: Batch) -> None:
    """An acknowledgement that says no: the dispense is never carried out ("Acknowledge Messages")."""
    status = h.status or p.status
    if status and status != "ok":
        m.orders.pop(h.request_id, None)
        wrong = clean(status)
        b.cash.append(CashRow(b.record, "dispense-failed", h.request_id, RESULTS.get(wrong), wrong, session=m.session))


def incomplete(m: Machine, h: Header, p: Dispensed, b: Batch) -> None:
    """CashDispenser.IncompleteDispenseEvent: fewer notes than ordered were picked."""
    currency, amount, also = money(p.currencies)
    notes = counts(m, p.values)
    b.cash.append(
        CashRow(
            b.record, "incomplete", h.request_id, currency=currency, amount=amount, counts=notes, session=m.session, detail=also
        )
    )


def denominated(m: Machine, h: Header, p: Dispensed, b: Batch) -> None:
    """CashDispenser.Denominate, completion: a mix was computed."""
    if (wrong := failure(h, p)) is not None:
        _failed(m, h, wrong, "Denominate", b)
        return
    mix = _inner(p.denomination)
    currency, amount, also = money(mix.currencies or p.currencies)
    notes = counts(m, mix.values or mix.counts or p.values)
    b.cash.append(
        CashRow(
            b.record, "denominated", h.request_id, 0, None, currency, amount or None, notes, None, m.session, detail=also
        )
    )  # fmt: skip


def present(m: Machine, _h: Header, _p: Payload, _b: Batch) -> None:
    """CashDispenser.Present, command: the next telling of presented notes is a new one."""
    m.shown = None


def _position(p: Moved) -> str | None:
    return position(p.position if p.position is None or isinstance(p.position, str) else p.position.position)


def presented(m: Machine, h: Header, p: Moved, b: Batch) -> None:
    """CashDispenser.Present, completion: notes were presented, unless an event said so already.

    Failures after which notes may be exposed (presentErrorItems, presentErrorUnknown) count as presented.
    """
    wrong = failure(h, p)
    if wrong is not None and wrong not in EXPOSED:
        _failed(m, h, wrong, "Present", b)
        return
    if m.shown != "event":
        result = 0 if wrong is None else RESULTS[wrong]
        b.cash.append(
            CashRow(b.record, "presented", h.request_id, result, wrong, position=_position(p), session=m.session)
        )  # fmt: skip
    m.shown = "completion"


def items_presented(m: Machine, h: Header, p: Moved, b: Batch) -> None:
    """CashManagement.ItemsPresentedEvent, unless the completion said so already; input positions are not ours."""
    where = _position(p)
    if where is not None and where.startswith("in"):
        return
    if m.shown != "completion":
        b.cash.append(CashRow(b.record, "presented", h.request_id, position=where, session=m.session))
    m.shown = "event"


def items_taken(m: Machine, h: Header, p: Moved, b: Batch) -> None:
    """CashManagement.ItemsTakenEvent: the notes left with somebody."""
    where = _position(p)
    if where is not None and where.startswith("in"):
        return
    m.shown = None
    b.cash.append(CashRow(b.record, "taken", h.request_id, position=where, session=m.session))


def _failed(m: Machine, h: Header, wrong: str, what: str, b: Batch) -> None:
    """A command on notes that failed: no notes are said to have moved; kept as a `status` row without a state."""
    state = "fraud-attempt" if wrong == "fraudAttempt" else None
    b.cash.append(
        CashRow(b.record, "status", h.request_id, RESULTS.get(wrong), wrong, session=m.session, state=state, detail=what)
    )
    if wrong in REFUSED_TOKEN:
        _signs(m, h, wrong, b)


def _drawn_back(m: Machine, p: Retracted) -> tuple[str | None, int | None]:
    """Currency and minor units of the notes a retract put into units; unknown where a kind of note is."""
    items = [i for told in (p.storage or {}).values() if told is not None and told.retracted for i in told.retracted.items()]
    worth = {i: (u.currency, u.value) for u in m.units.values() if u.value for held in u.places.values() for i in held}
    currency, amount = None, None
    for name, notes in items[:_KINDS]:
        code, value = worth.get(name, (None, None))
        if value is None or (currency is not None and code != currency):
            return None, None
        currency, amount = code, (amount or 0) + value * (total({name: notes}) or 0)
    return (currency, amount) if amount is not None and amount <= _MOST else (None, None)


def retracted(m: Machine, h: Header, p: Retracted, b: Batch) -> None:
    """CashManagement.Retract, completion. `itemsTaken` says that notes left before they could be drawn back."""
    wrong = failure(h, p)
    if wrong is None:
        m.shown = None
        currency, amount = _drawn_back(m, p)
        b.cash.append(CashRow(b.record, "retracted", h.request_id, 0, None, currency, amount, session=m.session))
    elif wrong == "itemsTaken":
        m.shown = None
        b.cash.append(CashRow(b.record, "taken", h.request_id, RESULTS[wrong], wrong, session=m.session))
    else:
        _failed(m, h, wrong, "Retract", b)


def _simple(m: Machine, h: Header, p: Payload, b: Batch, what: tuple[str, str]) -> None:
    wrong = failure(h, p)
    if wrong is not None:
        _failed(m, h, wrong, what[1], b)
        return
    m.shown = None
    b.cash.append(CashRow(b.record, what[0], h.request_id, 0, session=m.session))


def rejected(m: Machine, h: Header, p: Payload, b: Batch) -> None:
    """CashDispenser.Reject, completion."""
    _simple(m, h, p, b, ("rejected", "Reject"))


def reset(m: Machine, h: Header, p: Payload, b: Batch) -> None:
    """CashManagement.Reset, completion."""
    _simple(m, h, p, b, ("reset", "Reset"))


def tested(m: Machine, h: Header, p: Payload, b: Batch) -> None:
    """CashDispenser.TestCashUnits, completion."""
    _simple(m, h, p, b, ("tested", "TestCashUnits"))


def counted(m: Machine, h: Header, p: Counted, b: Batch) -> None:
    """CashDispenser.Count, completion: notes taken from each unit."""
    if (wrong := failure(h, p)) is not None:
        _failed(m, h, wrong, "Count", b)
        return
    notes = counts(m, {n: u.dispensed for n, u in (p.counted_cash_units or {}).items() if u is not None})
    b.cash.append(CashRow(b.record, "counted", h.request_id, 0, counts=notes, session=m.session))
