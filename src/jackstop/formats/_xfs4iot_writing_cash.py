"""Cash rows of the device as XFS4IoT messages."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import polars as pl

from jackstop.formats import _xfs4iot_token as tokens
from jackstop.formats._xfs4iot_json import Said, item, message, text, units_of
from jackstop.formats._xfs4iot_words import CODES, EXPOSED, NAMES, STATES
from jackstop.model.fleet import Reading

_WORDS = {ours: theirs for theirs, ours in STATES.items()}
_LEVELS = {"enforced": "enforced", "not-enforced": "notEnforced", "not-configured": "notConfigured"}
_INTERFACE = {"Retract": "CashManagement", "Reset": "CashManagement"}
_MOVES = {
    "rejected": "CashDispenser.Reject",
    "reset": "CashManagement.Reset",
    "tested": "CashDispenser.TestCashUnits",
}
_COMMANDS = frozenset(["Denominate", "Present", "Retract", "Reject", "Reset", "TestCashUnits", "Count"])


class Moved(NamedTuple):
    """One row of `cash`, as far as it is written."""

    terminal: str | None
    time: int
    activity: str
    request_id: int | None
    result: int | None
    result_name: str | None
    currency: str | None
    amount: int | None
    counts: list[int] | None
    position: str | None
    session: str | None
    token: str | None
    token_amount: int | None
    state: str | None
    detail: str | None


class CashWriter:
    """Writes the rows of one frame, in their order."""

    def __init__(
        self,
        device: pl.DataFrame,
        names: dict[tuple[str | None, int], str],
        worth: dict[str | None, dict[str, int]],
        reading: Reading,
    ) -> None:
        words = ("activity", "state")
        columns = [
            pl.col(c).to_physical() if c == "time" else pl.col(c).cast(pl.String) if c in words else pl.col(c)
            for c in Moved._fields
        ]
        self._rows = [Moved(*row) for row in device.select(columns).iter_rows()]
        self._names, self._worth, self._reading = names, worth, reading
        self._tokens = self._signed()
        self._failed = {(r.terminal, r.time, r.request_id) for r in self._rows if r.activity == "dispense-failed"}
        self._sessions: dict[str | None, str | None] = {}
        self._shown: dict[str | None, str] = {}

    def write(self) -> Iterator[Said]:
        """The messages."""
        for i, row in enumerate(self._rows):
            write = _WRITERS.get(row.activity)
            if write is None:
                continue
            if row.session != self._sessions.get(row.terminal):
                yield i, self._transaction(row)
            for said in write(self, row, i):
                yield i, said

    def _signed(self) -> dict[int, Moved]:
        """Of each order (by its place), the row that tells its token: its own, or its completion's."""
        told: dict[tuple[str | None, int | None], Moved] = {}
        found: dict[int, Moved] = {}
        for i in range(len(self._rows) - 1, -1, -1):
            row = self._rows[i]
            if row.activity in {"dispensed", "dispense-failed"}:
                told[row.terminal, row.request_id] = row
            elif row.activity == "dispense-requested":
                done = told.pop((row.terminal, row.request_id), None)
                found[i] = row if row.token is not None or done is None else done
        return found

    def _transaction(self, row: Moved) -> str:
        self._sessions[row.terminal] = row.session
        if row.session is None:
            return message("command", "Common.SetTransactionState", '{"state":"inactive"}')
        return message("command", "Common.SetTransactionState", f'{{"state":"active","transactionID":{text(row.session)}}}')

    def _notes(self, row: Moved) -> str | None:
        """Notes by unit name."""
        if row.counts is None:
            return None
        names = self._names
        return ",".join(
            f"{text(names.get((row.terminal, u)) or f'unit{u}')}:{n}" for u, n in enumerate(row.counts, 1)
        )  # fmt: skip

    def _mix(self, row: Moved, member: str) -> str:
        """Amount and counts. Counts without an amount are told as XFS does: an amount of nothing."""
        parts = []
        notes = self._notes(row)
        amount = 0 if row.amount is None and row.counts and any(row.counts) else row.amount
        if amount is not None:
            currency = row.currency or self._reading.currency
            parts.append(f'"currencies":{{{text(currency)}:{units_of(amount, currency)}}}')
        if notes:
            parts.append(f'"{member}":{{{notes}}}')
        return ",".join(parts)

    def order(self, row: Moved, i: int) -> Iterator[str]:
        """CashDispenser.Dispense, command."""
        parts = [f'"denomination":{{"denomination":{{"app":{{{self._mix(row, "counts")}}}}}}}']
        if row.position is not None:
            parts.append(f'"position":{text(row.position)}')
        signed = self._tokens[i]
        if signed.token is not None:
            currency = signed.currency or row.currency or self._reading.currency
            parts.append(f'"token":{text(tokens.write(signed.token, signed.token_amount, currency, i + 1))}')
        self._shown.pop(row.terminal, None)
        yield message("command", "CashDispenser.Dispense", f"{{{','.join(parts)}}}", row.request_id)

    def _completion(self, name: str, row: Moved, payload: str = "") -> str:
        """A completion with the row's result."""
        wrong = row.result_name or (NAMES.get(row.result, "internalError") if row.result else None)
        code = "success" if wrong is None else wrong if wrong in CODES else "commandErrorCode"
        said = f'"errorCode":{text(wrong)}' if wrong is not None and code == "commandErrorCode" else ""
        return message("completion", name, f"{{{','.join(p for p in (said, payload) if p)}}}", row.request_id, code)

    def done(self, row: Moved, _i: int) -> Iterator[str]:
        """CashDispenser.Dispense, completion."""
        if row.activity == "dispense-failed" and not (row.result or row.result_name):
            row = row._replace(result_name="internalError")
        mix = self._mix(row, "values")
        yield self._completion("CashDispenser.Dispense", row, f'"denomination":{{{mix}}}' if mix else "")

    def refused(self, row: Moved, _i: int) -> Iterator[str]:
        """A refused token: the failure of its dispense tells of it already, where there is a row of that."""
        if (row.terminal, row.time, row.request_id) not in self._failed:
            yield self._completion("CashDispenser.Dispense", row._replace(result_name=row.result_name or "invalidToken"))

    def incomplete(self, row: Moved, _i: int) -> Iterator[str]:
        """CashDispenser.IncompleteDispenseEvent."""
        yield message("event", "CashDispenser.IncompleteDispenseEvent", f"{{{self._mix(row, 'values')}}}", row.request_id)

    def denominated(self, row: Moved, _i: int) -> Iterator[str]:
        """CashDispenser.Denominate, completion."""
        mix = self._mix(row, "values")
        yield self._completion("CashDispenser.Denominate", row, f'"denomination":{{{mix}}}' if mix else "")

    def presented(self, row: Moved, _i: int) -> Iterator[str]:
        """CashDispenser.Present, completion; or the event, where the row has no result."""
        way = "event" if row.result is None and row.result_name not in EXPOSED else "completion"
        before = self._shown.get(row.terminal, way)
        self._shown[row.terminal] = way
        if way == "completion" or before != way:
            yield message("command", "CashDispenser.Present", "{}", row.request_id)
        where = "" if row.position is None else f'"position":{text(row.position)}'
        if way == "completion":
            yield self._completion("CashDispenser.Present", row, where and f'"position":{{{where}}}')
        else:
            kind = "unsolicited" if row.request_id is None else "event"
            yield message(kind, "CashManagement.ItemsPresentedEvent", f"{{{where}}}", row.request_id)

    def taken(self, row: Moved, _i: int) -> Iterator[str]:
        """CashManagement.ItemsTakenEvent; or a retract that came too late."""
        self._shown.pop(row.terminal, None)
        if row.result_name == "itemsTaken" or row.result:
            yield self._completion("CashManagement.Retract", row._replace(result_name="itemsTaken"))
            return
        where = "" if row.position is None else f'"position":{text(row.position)}'
        kind = "unsolicited" if row.request_id is None else "event"
        yield message(kind, "CashManagement.ItemsTakenEvent", f"{{{where}}}", row.request_id)

    def retracted(self, row: Moved, _i: int) -> Iterator[str]:
        """CashManagement.Retract, completion; its amount as notes of one kind, if that can be."""
        self._shown.pop(row.terminal, None)
        notes = ""
        for name, value in self._worth.get(row.terminal, {}).items():
            if row.amount is not None and row.amount % value == 0:
                notes = f'"storage":{{"unitRetract":{{"retracted":{{"{name}":{{"fit":{row.amount // value}}}}}}}}}'
                break
        yield self._completion("CashManagement.Retract", row, notes)

    def moved(self, row: Moved, _i: int) -> Iterator[str]:
        """Reject, Reset, TestCashUnits: completions."""
        self._shown.pop(row.terminal, None)
        yield self._completion(_MOVES[row.activity], row)

    def counted(self, row: Moved, _i: int) -> Iterator[str]:
        """CashDispenser.Count, completion."""
        names = self._names
        units = ",".join(
            f'{text(names.get((row.terminal, u)) or f"unit{u}")}:{{"dispensed":{n},"counted":{n}}}'
            for u, n in enumerate(row.counts or [], 1)
        )
        yield self._completion("CashDispenser.Count", row, f'"countedCashUnits":{{{units}}}' if units else "")

    def status(self, row: Moved, _i: int) -> Iterator[str]:
        """Common.StatusChangedEvent; or the failed command the row tells of."""
        failed = row.detail if row.result_name is not None else None
        if failed in _COMMANDS:
            yield self._completion(f"{_INTERFACE.get(failed, 'CashDispenser')}.{failed}", row)
        elif row.state == "fraud-device-detected":
            yield message("unsolicited", "Common.StatusChangedEvent", '{"common":{"antiFraudModule":"deviceDetected"}}')
        elif row.state in _WORDS and row.result_name is None:
            yield message("unsolicited", "Common.StatusChangedEvent", f'{{"common":{{"device":"{_WORDS[row.state]}"}}}}')

    def level(self, row: Moved, _i: int) -> Iterator[str]:
        """Common.StatusChangedEvent: end-to-end security."""
        if row.state in _LEVELS:
            told = f'{{"common":{{"endToEndSecurity":"{_LEVELS[row.state]}"}}}}'
            yield message("unsolicited", "Common.StatusChangedEvent", told)

    def nonce(self, row: Moved, i: int) -> Iterator[str]:
        """Common.GetCommandNonce or ClearCommandNonce, completion; or NonceClearedEvent."""
        why = row.detail or "issued"
        if why == "issued":
            yield self._completion("Common.GetCommandNonce", row, f'"commandNonce":"{i + 1:032X}"')
        elif row.result is not None:
            yield self._completion("Common.ClearCommandNonce", row)
        else:
            reason = why.removeprefix("cleared").removeprefix(": ")
            yield message("unsolicited", "Common.NonceClearedEvent", f'{{"reasonDescription":{text(reason)}}}')


_WRITERS: dict[str, Callable[[CashWriter, Moved, int], Iterator[str]]] = {
    "dispense-requested": CashWriter.order,
    "dispensed": CashWriter.done,
    "dispense-failed": CashWriter.done,
    "token-refused": CashWriter.refused,
    "incomplete": CashWriter.incomplete,
    "denominated": CashWriter.denominated,
    "presented": CashWriter.presented,
    "taken": CashWriter.taken,
    "retracted": CashWriter.retracted,
    **dict.fromkeys(_MOVES, CashWriter.moved),
    "counted": CashWriter.counted,
    "status": CashWriter.status,
    "security-level": CashWriter.level,
    "nonce": CashWriter.nonce,
}


def worth(logical: pl.DataFrame) -> dict[str | None, dict[str, int]]:
    """Value of each cash item by terminal, smallest first, as the counters tell it."""
    told = logical.filter((pl.col("value") > 0) & pl.col("currency").is_not_null())
    found: dict[str | None, dict[str, int]] = {}
    for terminal, value, currency in told.select("terminal", "value", "currency").unique().sort("terminal", "value").iter_rows():
        found.setdefault(terminal, {})[item(value, currency)] = value
    return found
