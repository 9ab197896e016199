"""What messages about cash units mean: Storage and exchanges, as rows of `units` and `operator`.

Source: XFS4IoT specification, chapters Storage (GetStorage, SetStorage, StartExchange, EndExchange, the StorageChanged,
CountsChanged and StorageThreshold events) and CashManagement ("StorageCashStatus"); formats.md §2.2. A unit's count is what was
in it at the last replenishment, and what entered, less what left; events tell only what changed and are laid over what is known.
"""

from jackstop.formats._xfs4iot_cash import failure, minor_units
from jackstop.formats._xfs4iot_machine import MAX_UNITS, Counter, Machine, total
from jackstop.formats._xfs4iot_messages import (
    Cash,
    CashStatus,
    Changed,
    Configuration,
    Header,
    In,
    Items,
    Out,
    Payload,
    Storage,
    Types,
    Unit,
)
from jackstop.formats._xfs4iot_rows import Batch, OperatorRow, UnitRow
from jackstop.formats._xfs4iot_words import ACCURACY, LEVEL_OF_FILL, UNIT_STATUS, clean

PLACES = {way: tuple((place, f"{way}.{place}") for place in part.__struct_fields__) for way, part in (("out", Out), ("in", In))}
"""Members of a cash status that hold notes, and what the place is called here."""


def _kind(types: Types) -> str | None:
    """What a unit is for, in the tables' words."""
    if types.cash_out:
        return "recycling" if types.cash_in else "bill"
    if types.reject:
        return "reject"
    if types.cash_out_retract or types.cash_in_retract:
        return "retract"
    return "deposit" if types.cash_in else "other"


def _configure(known: Counter, told: Configuration) -> None:
    if told.types is not None:
        known.kind = _kind(told.types)
    if told.currency is not None:
        known.currency = told.currency
    if told.value is not None and known.currency is not None:
        known.value = minor_units(told.value, known.currency)
        known.kind = known.kind or ("bill" if known.value else None)


def _count(known: Counter, told: CashStatus) -> None:
    """Lay a cash status over what is known of the unit."""
    if told.index is not None:
        known.index = told.index
    if told.initial is not None:
        known.tell("initial", told.initial)
    for way, part in (("out", told.out), ("in", told.in_)):
        if part is not None:
            for place, name in PLACES[way]:
                items: Items | None = getattr(part, place)
                if items is not None:
                    known.tell(name, items)
    if told.count is not None:
        known.count = told.count if isinstance(told.count, int) else total(told.count)
    elif told.out is not None or told.in_ is not None or told.initial is not None:
        known.count = None
    if told.accuracy is not None:
        known.accuracy = told.accuracy if told.accuracy in ACCURACY else clean(told.accuracy)
    if told.replenishment_status in LEVEL_OF_FILL:
        known.fill = told.replenishment_status


def _learn(known: Counter, told: Unit) -> None:
    """Lay what a message says of a unit over what is known of it."""
    if told.status is not None:
        known.state = UNIT_STATUS.get(told.status) or ("ok" if told.status == "ok" else "unknown")
    if told.serial_number is not None:
        known.serial = clean(told.serial_number)
    cash = told.cash
    if cash is not None:
        if cash.configuration is not None:
            _configure(known, cash.configuration)
        if cash.status is not None:
            _count(known, cash.status)


def row(m: Machine, name: str, known: Counter, cause: str, record: int) -> UnitRow:
    """The row of a unit as it is known now."""
    places = known.places
    out = {place: total(places[name]) for place, name in PLACES["out"] if name in places}
    inside = {place: total(places[name]) for place, name in PLACES["in"] if name in places}
    left = [n for p, n in out.items() if n is not None and p != "unknown"]
    initial = total(known.places.get("initial"))
    count = known.count
    if count is None and initial is not None:
        count = initial + sum(n or 0 for n in inside.values()) - sum(left) - (out.get("unknown") or 0)
    state = known.fill if known.fill is not None and known.state in {"ok", None} else known.state
    return UnitRow(
        record, cause, m.number(name), clean(name), known.kind, known.currency, known.value, initial, count, out.get("rejected"),
        sum(left) if left else None, out.get("presented"), inside.get("retracted"), state, known.accuracy, known.serial,
    )  # fmt: skip


def _cash(told: Unit) -> bool:
    return told.cash is not None and told.cash != _NO_CASH


_NO_CASH = Cash()


def snapshot(m: Machine, h: Header, p: Storage, b: Batch) -> None:
    """Storage.GetStorage, completion: every unit's counters.

    The first within an exchange is the exchange's start; later ones, or the first after it, its end.
    """
    if failure(h, p) is not None or not p.storage:
        return
    rows = []
    for name, told in p.storage.items():
        if told is None or not (_cash(told) or name in m.units):
            continue
        before = m.units.pop(name, None)
        known = m.unit(name)
        if before is not None:
            known.index = before.index
        _learn(known, told)
        rows.append((name, known))
    if rows:
        cause = _snapshot_cause(m)
        b.units.extend([row(m, name, known, cause, b.record) for name, known in rows])


def _snapshot_cause(m: Machine) -> str:
    if m.snapshots is None:
        return "snapshot"
    nth, m.snapshots = m.snapshots, m.snapshots + 1
    ended = m.exchange.on is not True
    if ended:
        m.snapshots = None
    return ("snapshot" if nth > 1 else "exchange-end") if ended else ("exchange-start" if nth == 0 else "exchange-end")


def changed(m: Machine, _h: Header, p: Changed, b: Batch) -> None:
    """Storage.StorageChangedEvent, CountsChangedEvent, StorageThresholdEvent: what changed of some units."""
    rows = []
    for name, told in p.items():
        if told is None or not (_cash(told) or name in m.units):
            continue
        known = m.unit(name)
        if known.told != told:
            _learn(known, told)
            known.told, known.row = told, None
        rows.append((name, known))
    setting = [m.setting.pop(name) for name, _ in rows if name in m.setting]
    cause = "set" if setting else "changed"
    for name, known in rows:
        if known.row is None:
            known.row = row(m, name, known, cause, b.record)
        b.units.append(UnitRow(b.record, cause, *known.row[2:]))


def setting(m: Machine, _h: Header, p: Storage, _b: Batch) -> None:
    """Storage.SetStorage, command: counters are to be written; the completion, or a change event, says they are."""
    m.setting = {}
    for name, told in list((p.storage or {}).items())[:MAX_UNITS]:
        cash = told.cash if told is not None else None
        if cash is None:
            continue
        initial = cash.status.initial if cash.status is not None else None
        configuration = cash.configuration or Configuration()
        value = configuration.value
        currency = configuration.currency or (m.units[name].currency if name in m.units else None)
        worth = minor_units(value, currency) if value is not None and currency is not None else None
        m.setting[name] = (initial, configuration.currency, worth)


def was_set(m: Machine, h: Header, p: Payload, b: Batch) -> None:
    """Storage.SetStorage, completion: counters were written."""
    asked, m.setting = m.setting, {}
    if failure(h, p) is not None:
        return
    b.operator.append(OperatorRow(b.record, "counters-set", "SetStorage"))
    for name, (initial, currency, value) in asked.items():
        known = m.unit(name)
        if initial is not None:
            known.told = None
            known.reset()
            known.tell("initial", initial)
        known.currency, known.value = currency or known.currency, known.value if value is None else value
        b.units.append(row(m, name, known, "set", b.record))


def exchange(m: Machine, *, on: bool, by_status: bool, b: Batch) -> None:
    """An exchange began or ended, told by a completion or by Common.Status."""
    if m.exchange.turns(on, by_status=by_status):
        b.operator.append(OperatorRow(b.record, "exchange-started" if on else "exchange-ended"))
        if on:
            m.snapshots = 0


def exchange_started(m: Machine, h: Header, p: Payload, b: Batch) -> None:
    """Storage.StartExchange (CashManagement.StartExchange), completion."""
    if failure(h, p) is None:
        exchange(m, on=True, by_status=False, b=b)


def exchange_ended(m: Machine, h: Header, p: Payload, b: Batch) -> None:
    """Storage.EndExchange (CashManagement.EndExchange), completion."""
    if failure(h, p) is None:
        exchange(m, on=False, by_status=False, b=b)
