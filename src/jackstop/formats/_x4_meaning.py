"""What each XFS4IoT message means in rows: one handler a message name, state only where a completion needs its command."""

from collections.abc import Callable
from typing import Any

import msgspec

from jackstop.formats import _x4_words as words
from jackstop.formats._masking import mask
from jackstop.formats._reading import Unreadable
from jackstop.formats._x4_money import Token, Units, denomination, token
from jackstop.formats._x4_rows import Rows
from jackstop.formats._x4_storage import storage

_REMEMBERED = 256


class Asked(msgspec.Struct):
    """What is kept of a command until it completes: its denomination, its token, the units it sets."""

    amount: int | None = None
    currency: str | None = None
    counts: list[int] | None = None
    token: Token | None = None
    payload: dict[str, Any] | None = None
    shown: bool = False


class Meaning:
    """The state of one source, and its rows."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.units = Units()
        self._asked: dict[int, Asked] = {}
        self._session: str | None = None
        self._device: str | None = None
        self._security: str | None = None
        self._switch: str | None = None
        self._exchange = 0

    def command(self, name: str, request: int | None, payload: dict[str, Any]) -> bool:
        """A command: kept for its completion; an order to dispense is a row of its own."""
        kept = Asked()
        if name == "CashDispenser.Dispense":
            said = denomination(payload)
            text = payload.get("token")
            kept = Asked(
                said.amount, said.currency, self.units.counts(said.values), token(text) if isinstance(text, str) else None
            )
            self.cash("dispense-requested", request, kept, position=_text(payload.get("position")))
        elif name == "Storage.SetStorage":
            kept.payload = payload
        elif name == "Common.SetTransactionState":
            active = payload.get("state") == "active"
            self._session = _text(payload.get("transactionID")) if active else None
            return True
        elif name not in _COMPLETIONS and name not in words.DONE:
            return name == "VendorMode.EnterModeRequest"
        if request is not None:
            self._asked[request] = kept
            if len(self._asked) > _REMEMBERED:
                del self._asked[next(iter(self._asked))]
        return True

    def completion(self, name: str, request: int | None, code: str | None, payload: dict[str, Any]) -> bool:
        """A completion: what became of the command."""
        fault = _text(payload.get("errorCode"))
        good = code in {None, "success"} and fault is None
        asked = self._asked.pop(request, None) if request is not None else None
        if not good and (code in words.REFUSED_TOKEN or fault in words.REFUSED_TOKEN):
            self.cash("token-refused", request, asked or Asked(), result=fault or code)
        handler = _COMPLETIONS.get(name)
        if handler is not None:
            return handler(self, request, asked or Asked(), good, fault or code or "success", payload)
        if name in words.DONE:
            if good:
                said = denomination(payload)
                moved = Asked(said.amount, said.currency, self.units.counts(said.values))
                self.cash(words.DONE[name], request, moved, result="success", code=0)
            return True
        return False

    def event(self, name: str, request: int | None, payload: dict[str, Any]) -> bool:
        """An event, of a command or unsolicited."""
        handler = _EVENTS.get(name.removesuffix("Event"))
        return handler(self, request, payload) if handler is not None else False

    def cash(
        self,
        activity: str,
        request: int | None,
        asked: Asked,
        *,
        position: str | None = None,
        result: str | None = None,
        code: int | None = None,
        state: str | None = None,
        detail: str | None = None,
    ) -> None:
        signed = asked.token or Token("", None)
        money = (asked.currency, asked.amount, asked.counts)
        text = mask(detail) if detail else None
        row = (activity, request, result, *money, position, self._session, signed.mark or None, signed.amount, state, text, code)
        self.rows.add("cash", *row)

    def _dispensed(self, request: int | None, asked: Asked, good: bool, result: str, payload: dict[str, Any]) -> bool:
        said = denomination(payload)
        counts = self.units.counts(said.values) or asked.counts
        paid = Asked(said.amount or asked.amount, said.currency or asked.currency, counts, asked.token)
        if not good:
            paid = Asked(said.amount, said.currency, self.units.counts(said.values), asked.token)
            self.cash("dispense-failed", request, paid, result=result, code=-1)
            return True
        bare = asked.token is None and (asked.amount is not None or asked.counts is not None)
        self.cash("dispensed", request, paid, result=result, code=0, detail="token=none" if bare else None)
        return True

    def _presented(self, request: int | None, asked: Asked, good: bool, result: str, payload: dict[str, Any]) -> bool:
        if good and not asked.shown:
            self.cash("presented", request, Asked(), position=_text(payload.get("position")), result=result, code=0)
        return True

    def _items_presented(self, request: int | None, payload: dict[str, Any]) -> bool:
        asked = self._asked.get(request) if request is not None else None
        if asked is not None:
            asked.shown = True
        self.cash("presented", request, Asked(), position=_text(payload.get("position")))
        return True

    def _items_taken(self, request: int | None, payload: dict[str, Any]) -> bool:
        self.cash("taken", request, Asked(), position=_text(payload.get("position")))
        return True

    def _incomplete(self, request: int | None, payload: dict[str, Any]) -> bool:
        said = denomination(payload)
        self.cash("incomplete", request, Asked(said.amount, said.currency, self.units.counts(said.values)))
        return True

    def _exchanging(self, _: int | None, __: Asked, good: bool, ___: str, payload: dict[str, Any]) -> bool:
        if good:
            self._exchange = 1
            self._operator("exchange-started")
            self._storage(payload)
        return True

    def _exchanged(self, _: int | None, __: Asked, good: bool, ___: str, payload: dict[str, Any]) -> bool:
        if good:
            self._storage(payload)
            self._exchange = 0
            self._operator("exchange-ended")
        return True

    def _storage_set(self, _: int | None, asked: Asked, good: bool, ___: str, ____: dict[str, Any]) -> bool:
        if good:
            self._operator("counters-set")
            storage(self.rows, self.units, asked.payload or {}, "set")
        return True

    def _storage_got(self, _: int | None, __: Asked, good: bool, ___: str, payload: dict[str, Any]) -> bool:
        return self._storage(payload, "snapshot") if good else True

    def _storage_changed(self, _: int | None, payload: dict[str, Any]) -> bool:
        return self._storage(payload, "changed")

    def _storage(self, payload: dict[str, Any], cause: str = "snapshot") -> bool:
        """A counter table; the first during an exchange is its start, later ones its end."""
        if self._exchange:
            cause = "exchange-start" if self._exchange == 1 else "exchange-end"
        if storage(self.rows, self.units, payload, cause) and self._exchange:
            self._exchange += 1
        return True

    def _status(self, _: int | None, payload: dict[str, Any]) -> bool:
        """Members of a status by interface: device, security, doors, switches."""
        common = _part(payload, "common")
        self._device_state(common)
        self._auxiliary(_part(payload, "auxiliaries"))
        return True

    def _status_got(self, _: int | None, __: Asked, good: bool, ___: str, payload: dict[str, Any]) -> bool:
        if good:
            self._device_state(_part(payload, "common"))
        return True

    def _device_state(self, common: dict[str, Any]) -> None:
        state = words.DEVICE.get(_text(common.get("device")) or "")
        if state is not None and state != self._device:
            self._device = state
            self.cash("status", None, Asked(), state=state)
        if common.get("antiFraudModule") == "deviceDetected":
            self.cash("status", None, Asked(), state="fraud-device-detected")
        level = words.SECURITY.get(_text(common.get("endToEndSecurity")) or "")
        if level is not None and level != self._security:
            self._security = level
            self.cash("security-level", None, Asked(), state=level)

    def _auxiliary(self, members: dict[str, Any]) -> bool:
        for name, value in members.items():
            said = _text(value.get("status") if isinstance(value, dict) else value) or ""
            if name == "operatorSwitch" and said in words.SWITCH and words.SWITCH[said] != self._switch:
                self._switch = words.SWITCH[said]
                self._operator(self._switch, said)
            elif name in words.DOORS and said in words.DOOR:
                self.rows.add("cabinet", words.DOOR[said], words.DOORS[name], "door", f"{name} {said}")
            elif name in words.SENSORS and said in {"on", "off"}:
                sensor, part = words.SENSORS[name]
                activity = ("tamper" if sensor == "tamper" else "alarm") if said == "on" else "restored"
                self.rows.add("cabinet", activity, part, sensor, f"{name} {said}")
        return bool(members)

    def _auxiliary_event(self, _: int | None, payload: dict[str, Any]) -> bool:
        return self._auxiliary(payload)

    def _operator(self, activity: str, detail: str | None = None) -> None:
        self.rows.add("operator", activity, None, detail)


def _safe(activity: str) -> Callable[[Meaning, int | None, dict[str, Any]], bool]:
    def add(meaning: Meaning, _: int | None, __: dict[str, Any]) -> bool:
        meaning.rows.add("cabinet", activity, "safe", "door", None)
        return True

    return add


def _mode(activity: str) -> Callable[[Meaning, int | None, dict[str, Any]], bool]:
    def add(meaning: Meaning, _: int | None, __: dict[str, Any]) -> bool:
        meaning.rows.add("operator", activity, None, None)
        return True

    return add


def _nonce(meaning: Meaning, request: int | None, asked: Asked, good: bool, result: str, _: dict[str, Any]) -> bool:
    if good:
        meaning.cash("nonce", request, asked, result=result, code=0)
    return True


def _fraud(meaning: Meaning, request: int | None, payload: dict[str, Any]) -> bool:
    if payload.get("eventId") == "fraudAttempt":
        meaning.cash("status", request, Asked(), state="fraud-attempt")
    return True


def _part(payload: dict[str, Any], name: str) -> dict[str, Any]:
    found = payload.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Unreadable(f"{name} is {type(found).__name__}, expected an object")
    return found


def _text(value: Any) -> str | None:  # noqa: ANN401 - JSON
    return mask(value[:200]) if isinstance(value, str) else None


_COMPLETIONS: dict[str, Callable[[Meaning, int | None, Asked, bool, str, dict[str, Any]], bool]] = {
    "CashDispenser.Dispense": Meaning._dispensed,
    "CashDispenser.Present": Meaning._presented,
    "Storage.StartExchange": Meaning._exchanging,
    "Storage.EndExchange": Meaning._exchanged,
    "Storage.SetStorage": Meaning._storage_set,
    "Storage.GetStorage": Meaning._storage_got,
    "Common.Status": Meaning._status_got,
    "Common.GetCommandNonce": _nonce,
    "Common.ClearCommandNonce": _nonce,
}
_EVENTS: dict[str, Callable[[Meaning, int | None, dict[str, Any]], bool]] = {
    "CashManagement.ItemsPresented": Meaning._items_presented,
    "CashManagement.ItemsTaken": Meaning._items_taken,
    "CashDispenser.ItemsTaken": Meaning._items_taken,
    "CashDispenser.ItemsPresented": Meaning._items_presented,
    "CashDispenser.IncompleteDispense": Meaning._incomplete,
    "Storage.StorageChanged": Meaning._storage_changed,
    "Storage.CountsChanged": Meaning._storage_changed,
    "CashManagement.SafeDoorOpen": _safe("opened"),
    "CashManagement.SafeDoorClosed": _safe("closed"),
    "Common.StatusChanged": Meaning._status,
    "Common.Error": _fraud,
    "Auxiliaries.AuxiliaryStatus": Meaning._auxiliary_event,
    "VendorMode.ModeEntered": _mode("vendor-entered"),
    "VendorMode.ModeExited": _mode("vendor-left"),
}
