"""What messages about states and modes mean: Common, Auxiliaries, VendorMode and VendorApplication.

Rows of `cash` (status, security-level, nonce), `cabinet` and `operator`. Polled states give a row only when they changed; events
always do.

Source: XFS4IoT specification, chapters Common (Status, StatusChangedEvent, Capabilities, GetCommandNonce, ClearCommandNonce,
NonceClearedEvent, ErrorEvent, SetTransactionState), Auxiliaries ("Status", 2021-1 AuxiliaryStatusEvent), CashManagement 2021-1
(SafeDoorOpenEvent, SafeDoorClosedEvent), VendorMode (ModeEntered and ModeExited events), VendorApplication; formats.md §2.3–2.4.
"""

from jackstop.formats._xfs4iot_cash import failure
from jackstop.formats._xfs4iot_machine import Machine
from jackstop.formats._xfs4iot_messages import Capabilities, CommonStatus, Header, Payload, Status, Told
from jackstop.formats._xfs4iot_rows import Batch, CabinetRow, CashRow, OperatorRow
from jackstop.formats._xfs4iot_storage import exchange
from jackstop.formats._xfs4iot_words import AUXILIARIES, DOOR_WORDS, LEVELS, STATES, SWITCHED, Sensor, clean

_QUIET = frozenset(["closed", "restored"])


def poll(m: Machine, h: Header, p: Status, b: Batch) -> None:
    """Common.Status, completion: only what differs from what is known is news."""
    if failure(h, p) is None:
        _status(m, p, b, polled=True)


def changed(m: Machine, _h: Header, p: Status, b: Batch) -> None:
    """Common.StatusChangedEvent: the members that changed."""
    _status(m, p, b, polled=False)


def _status(m: Machine, p: Status, b: Batch, *, polled: bool) -> None:
    other = any(
        map(
            bytes,
            (p.card_reader, p.printer, p.key_management, p.keyboard, p.pin_pad, p.text_terminal, p.barcode_reader, p.camera),
        )
    ) or any(map(bytes, (p.check, p.biometric)))
    cash = bool(bytes(p.cash_dispenser)) or p.cash_management is not None
    if p.common is not None:
        elsewhere = other or p.auxiliaries is not None or p.vendor_mode is not None or bool(bytes(p.lights))
        if cash or not elsewhere:
            _dispenser(m, p.common, b, polled=polled)
        elif other:
            _anti_fraud(m, p.common, b, polled=polled)
        if p.common.exchange in {"active", "inactive"}:
            exchange(m, on=p.common.exchange == "active", by_status=True, b=b)
    if p.auxiliaries:
        _auxiliaries(m, p.auxiliaries, b, polled=polled)
    if p.cash_management is not None and p.cash_management.safe_door in {"doorOpen", "doorClosed"}:
        _door(m, "safeDoor", p.cash_management.safe_door.removeprefix("door").lower(), b, news=False, polled=polled)
    if p.vendor_mode is not None and p.vendor_mode.service in {"active", "inactive"}:
        _vendor(m, on=p.vendor_mode.service == "active", by_status=True, b=b)


def _dispenser(m: Machine, told: CommonStatus, b: Batch, *, polled: bool) -> None:
    """The dispenser's own state, its anti-fraud module, and the level of end-to-end security."""
    state = STATES.get(told.device) if told.device is not None else None
    if state is not None and not (polled and m.device == state):
        m.device = state
        b.cash.append(CashRow(b.record, "status", session=m.session, state=state))
    level = LEVELS.get(told.end_to_end_security) if told.end_to_end_security is not None else None
    if level is not None and not (polled and m.level == level):
        m.level = level
        b.cash.append(CashRow(b.record, "security-level", session=m.session, state=level))
    module = told.anti_fraud_module
    if module is not None:
        if module == "deviceDetected" and not (polled and m.parts.get("antiFraud") == module):
            b.cash.append(CashRow(b.record, "status", session=m.session, state="fraud-device-detected"))
        m.parts["antiFraud"] = module


def _anti_fraud(m: Machine, told: CommonStatus, b: Batch, *, polled: bool) -> None:
    """The anti-fraud module of another device, such as the card reader."""
    module = told.anti_fraud_module
    if module not in {"deviceDetected", "ok"}:
        return
    activity = "tamper" if module == "deviceDetected" else "restored"
    before = m.parts.get("antiFraudElsewhere")
    m.parts["antiFraudElsewhere"] = activity
    at_rest = before is None and activity == "restored"
    if not polled or (before != activity and not at_rest):
        b.cabinet.append(CabinetRow(b.record, activity, "fascia", "anti-fraud", f"antiFraudModule={module}"))


def auxiliary(m: Machine, _h: Header, p: dict[str, object], b: Batch) -> None:
    """Auxiliaries.AuxiliaryStatusEvent (2021-1)."""
    _auxiliaries(m, p, b, polled=False)


def _auxiliaries(m: Machine, told: dict[str, object], b: Batch, *, polled: bool) -> None:
    """Doors, sensors and the operator switch. A lone member of an event is news even if it says what was known."""
    news = len(told) == 1 and not polled
    for name, word in told.items():
        member = name.removesuffix("State")
        if member in {"UPS", "ups"} and isinstance(word, dict):
            _power(m, word, b, news=news, polled=polled)
        elif isinstance(word, str):
            if member == "operatorSwitch":
                _switch(m, word, b, news=news, polled=polled)
            else:
                _door(m, member, word, b, news=news, polled=polled)


def _door(m: Machine, member: str, word: str, b: Batch, *, news: bool, polled: bool) -> None:
    sensor = AUXILIARIES.get(member)
    if sensor is None:
        return
    if sensor.trips == "open":
        activity = DOOR_WORDS.get(word)
    else:
        tripped = SWITCHED.get(word)
        activity = None if tripped is None else sensor.trips if tripped else "restored"
    if activity is not None:
        _tell(m, member, activity, sensor, f"{member}={word}", b, news=news, polled=polled)


def _power(m: Machine, told: dict[str, object], b: Batch, *, news: bool, polled: bool) -> None:
    """The uninterruptible power supply: low, or carrying the machine."""
    low = told.get("low") is True or told.get("engaged") is True or told.get("powering") is True
    words = ",".join(w for w in ("low", "engaged", "powering", "recovered") if told.get(w) is True)
    sensor = Sensor("unknown", "power", "alarm")
    _tell(m, "UPS", "alarm" if low else "restored", sensor, f"UPS={words}", b, news=news, polled=polled)


def _tell(m: Machine, member: str, activity: str, sensor: Sensor, detail: str, b: Batch, *, news: bool, polled: bool) -> None:
    """A row, if this is news: another state than known; at first sight of a poll, only one that is not at rest."""
    before = m.parts.get(member)
    m.parts[member] = activity
    first = before is None and polled and activity in _QUIET
    if (before != activity or news) and not first:
        b.cabinet.append(CabinetRow(b.record, activity, sensor.part, sensor.sensor, detail))


def _switch(m: Machine, word: str, b: Batch, *, news: bool, polled: bool) -> None:
    if word not in {"run", "maintenance", "supervisor"}:
        return
    activity = "supervisor-left" if word == "run" else "supervisor-entered"
    before = m.parts.get("operatorSwitch")
    m.parts["operatorSwitch"] = activity
    first = before is None and polled and word == "run"
    if (before != activity or news) and not first:
        b.operator.append(OperatorRow(b.record, activity, f"operatorSwitch={word}"))


def safe_opened(m: Machine, _h: Header, _p: Payload, b: Batch) -> None:
    """CashManagement.SafeDoorOpenEvent (2021-1)."""
    _door(m, "safeDoor", "open", b, news=False, polled=False)


def safe_closed(m: Machine, _h: Header, _p: Payload, b: Batch) -> None:
    """CashManagement.SafeDoorClosedEvent (2021-1)."""
    _door(m, "safeDoor", "closed", b, news=False, polled=False)


def _vendor(m: Machine, *, on: bool, by_status: bool, b: Batch) -> None:
    if m.vendor.turns(on, by_status=by_status):
        b.operator.append(OperatorRow(b.record, "vendor-entered" if on else "vendor-left"))


def vendor_entered(m: Machine, _h: Header, _p: Payload, b: Batch) -> None:
    """VendorMode.ModeEnteredEvent."""
    _vendor(m, on=True, by_status=False, b=b)


def vendor_left(m: Machine, _h: Header, _p: Payload, b: Batch) -> None:
    """VendorMode.ModeExitedEvent."""
    _vendor(m, on=False, by_status=False, b=b)


def application(_m: Machine, _h: Header, p: Told, b: Batch) -> None:
    """VendorApplication.StartLocalApplication, command: a maintenance program is called."""
    level = f" ({clean(p.access_level)})" if p.access_level else ""
    b.operator.append(OperatorRow(b.record, "menu", f"{clean(p.app_name or '')}{level}" or None))


def interface(_m: Machine, _h: Header, p: Told, b: Batch) -> None:
    """VendorApplication.InterfaceChangedEvent: the maintenance interface came to the front."""
    if p.active_interface == "operator":
        b.operator.append(OperatorRow(b.record, "menu", "activeInterface=operator"))


def transaction(m: Machine, _h: Header, p: Told, _b: Batch) -> None:
    """Common.SetTransactionState, command: later rows belong to this transaction."""
    m.session = clean(p.transaction) if p.transaction and p.state != "inactive" else None


def error(m: Machine, _h: Header, p: Told, b: Batch) -> None:
    """Common.ErrorEvent: fraud and hardware errors."""
    state = {"fraudAttempt": "fraud-attempt", "hardware": "hardware-error"}.get(p.event_id or "")
    if state is not None:
        said = clean(p.vendor_description) if p.vendor_description else None
        b.cash.append(CashRow(b.record, "status", session=m.session, state=state, detail=said))


def nonce_issued(m: Machine, h: Header, p: Payload, b: Batch) -> None:
    """Common.GetCommandNonce, completion."""
    if failure(h, p) is None:
        b.cash.append(CashRow(b.record, "nonce", h.request_id, 0, session=m.session, detail="issued"))


def nonce_cleared(m: Machine, h: Header, p: Payload, b: Batch) -> None:
    """Common.ClearCommandNonce, completion."""
    if failure(h, p) is None:
        b.cash.append(CashRow(b.record, "nonce", h.request_id, 0, session=m.session, detail="cleared"))


def nonce_lost(m: Machine, _h: Header, p: Told, b: Batch) -> None:
    """Common.NonceClearedEvent: the device cleared the nonce by itself."""
    why = f": {clean(p.reason_description)}" if p.reason_description else ""
    b.cash.append(CashRow(b.record, "nonce", session=m.session, detail=f"cleared{why}"))


def capabilities(m: Machine, h: Header, p: Capabilities, b: Batch) -> None:
    """Common.Capabilities, completion: `required` always means enforced; taking that back is a change of level."""
    if failure(h, p) is not None or p.common is None or not bytes(p.cash_dispenser):
        return
    secured = p.common.end_to_end_security
    required = "none" if secured is None else secured.required or "none"
    before, m.required = m.required, required if required in {"always", "ifConfigured"} else "none"
    if before == m.required:
        return
    if m.required == "always":
        state = "enforced"
    elif before == "always":
        state = "unknown" if m.required == "ifConfigured" else "not-enforced"
    else:
        return
    b.cash.append(CashRow(b.record, "security-level", session=m.session, state=state, detail=f"required={m.required}"))
