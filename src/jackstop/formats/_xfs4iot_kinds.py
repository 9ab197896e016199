"""Which messages mean something to us: by name and type, how their payload is read and what it means.

Names are those of the XFS4IoT specification's command and event lists; older drafts kept Retract, Reset and the item events in
CashDispenser and the exchange commands in CashManagement. Payloads are decoded straight into structures; one that has members
of odd types (numbers as text, whole numbers with a fraction) is read once more with care.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import orjson

from jackstop.formats import _xfs4iot_cash as cash
from jackstop.formats import _xfs4iot_messages as messages
from jackstop.formats import _xfs4iot_state as state
from jackstop.formats import _xfs4iot_storage as storage
from jackstop.formats._reading import Unreadable
from jackstop.formats._xfs4iot_machine import Machine
from jackstop.formats._xfs4iot_rows import Batch

Meaning = Callable[[Machine, messages.Header, Any, Batch], None]

OURS = frozenset("CashDispenser CashManagement Storage Common Auxiliaries VendorMode VendorApplication".split())
"""Interfaces whose other messages are understood and knowingly give no rows."""


class Kind(NamedTuple):
    """One kind of message.

    Attributes:
        payload, decoder: what its payload is. means: what it means.
        poll: whether it asks for states (and mostly learns nothing new). stateful: whether it tells of states a poll tells too.
    """

    payload: Any
    decoder: msgspec.json.Decoder[Any]
    means: Meaning
    poll: bool
    stateful: bool


_COMMANDS: tuple[tuple[str, str, Any, Meaning], ...] = (
    ("command", "CashDispenser.Dispense", messages.Dispense, cash.dispense),
    ("command", "CashDispenser.Present", messages.Payload, cash.present),
    ("command", "Storage.SetStorage", messages.Storage, storage.setting),
    ("command", "Common.SetTransactionState", messages.Told, state.transaction),
    ("command", "VendorApplication.StartLocalApplication", messages.Told, state.application),
    ("acknowledge", "CashDispenser.Dispense", messages.Payload, cash.not_accepted),
    ("completion", "CashDispenser.Denominate", messages.Dispensed, cash.denominated),
    ("completion", "CashDispenser.Dispense", messages.Dispensed, cash.dispensed),
    ("completion", "CashDispenser.Present", messages.Moved, cash.presented),
    ("completion", "CashDispenser.Reject", messages.Payload, cash.rejected),
    ("completion", "CashDispenser.TestCashUnits", messages.Payload, cash.tested),
    ("completion", "CashDispenser.Count", messages.Counted, cash.counted),
    *(("completion", f"{i}.Retract", messages.Retracted, cash.retracted) for i in ("CashManagement", "CashDispenser")),
    *(("completion", f"{i}.Reset", messages.Payload, cash.reset) for i in ("CashManagement", "CashDispenser")),
    ("completion", "Storage.GetStorage", messages.Storage, storage.snapshot),
    ("completion", "Storage.SetStorage", messages.Payload, storage.was_set),
    *(("completion", f"{i}.StartExchange", messages.Payload, storage.exchange_started) for i in ("Storage", "CashManagement")),
    *(("completion", f"{i}.EndExchange", messages.Payload, storage.exchange_ended) for i in ("Storage", "CashManagement")),
    ("completion", "Common.Status", messages.Status, state.poll),
    ("completion", "Common.Capabilities", messages.Capabilities, state.capabilities),
    ("completion", "Common.GetCommandNonce", messages.Payload, state.nonce_issued),
    ("completion", "Common.ClearCommandNonce", messages.Payload, state.nonce_cleared),
)
_EVENTS: tuple[tuple[str, Any, Meaning], ...] = (
    ("CashDispenser.IncompleteDispense", messages.Dispensed, cash.incomplete),
    *((f"{i}.ItemsPresented", messages.Moved, cash.items_presented) for i in ("CashManagement", "CashDispenser")),
    *((f"{i}.ItemsTaken", messages.Moved, cash.items_taken) for i in ("CashManagement", "CashDispenser")),
    ("CashManagement.SafeDoorOpen", messages.Payload, state.safe_opened),
    ("CashManagement.SafeDoorClosed", messages.Payload, state.safe_closed),
    *((f"Storage.{e}", messages.Changed, storage.changed) for e in ("StorageChanged", "CountsChanged", "StorageThreshold")),
    ("Common.StatusChanged", messages.Status, state.changed),
    ("Common.Error", messages.Told, state.error),
    ("Common.NonceCleared", messages.Told, state.nonce_lost),
    ("Auxiliaries.AuxiliaryStatus", dict[str, object], state.auxiliary),
    ("VendorMode.ModeEntered", messages.Payload, state.vendor_entered),
    ("VendorMode.ModeExited", messages.Payload, state.vendor_left),
    ("VendorApplication.InterfaceChanged", messages.Told, state.interface),
)


_STATEFUL = frozenset(
    [
        *(
            state.poll,
            state.changed,
            state.auxiliary,
            state.safe_opened,
            state.safe_closed,
            state.vendor_entered,
            state.vendor_left,
        ),
        *(storage.exchange_started, storage.exchange_ended),
    ]
)


def _kind(payload: Any, means: Meaning, *, poll: bool) -> Kind:  # noqa: ANN401 - a type msgspec decodes into
    return Kind(payload, msgspec.json.Decoder(payload), means, poll, means in _STATEFUL)


def _kinds() -> dict[tuple[str, str], Kind]:
    found: dict[tuple[str, str], Kind] = {}
    for kind, name, payload, means in _COMMANDS:
        found[name, kind] = _kind(payload, means, poll=name == "Common.Status")
    for name, payload, means in _EVENTS:
        for spelling in (name, f"{name}Event"):
            for kind in ("event", "unsolicited"):
                found[spelling, kind] = _kind(payload, means, poll=False)
    return found


KINDS = _kinds()


def payload(kind: Kind, raw: bytes, *, careful: bool = False) -> object:
    """The payload of a message, typed.

    Raises:
        Unreadable: a member we need is not what the specification says, nor can be taken for it.
    """
    if not raw or raw == b"null":
        raw = b"{}"
    try:
        if not careful:
            return kind.decoder.decode(raw)
    except (ValueError, RecursionError):
        pass
    try:
        return msgspec.convert(whole(orjson.loads(raw)), kind.payload, strict=False)
    except (ValueError, RecursionError) as fault:
        raise Unreadable(f"payload: {reason(fault)}") from None


def whole(value: object, depth: int = 0) -> object:
    """JSON with whole numbers written as such: 2.0 is 2. Deeper than 64 levels nothing of ours lies."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if depth < 64:
        if isinstance(value, dict):
            return {k: whole(v, depth + 1) for k, v in value.items()}
        if isinstance(value, list):
            return [whole(v, depth + 1) for v in value]
    return value


def reason(fault: Exception) -> str:
    """Why a text could not be read, without places or values of its own: reasons are counted."""
    if isinstance(fault, RecursionError):
        return "nested too deeply"
    if isinstance(fault, msgspec.ValidationError):
        return str(fault)
    return "not JSON" if not isinstance(fault, UnicodeError) else "not UTF-8"
