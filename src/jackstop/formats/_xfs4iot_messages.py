"""XFS4IoT messages as typed structures: the envelope, and the members of each payload that bear on cash.

Source: XFS4IoT specification, "Message Format" (header and payload) and the chapters CashDispenser, CashManagement,
Storage, Common, Auxiliaries, VendorMode and VendorApplication; formats.md §2. Two dialects: 2021-1 keeps
`completionCode` and the acknowledgement's `status` in the payload, later ones in the header; both have a place here.
Members not named here are checked to be JSON and passed over.
"""

from typing import Annotated

from msgspec import Meta, Raw, Struct, field

Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Notes = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Amounts = dict[str, int | float | None]
Counts = dict[str, Notes | None]
Items = dict[str, Notes | dict[str, Notes | None] | None]
"""Notes by cash item, whole or by fitness (`fit`, `unfit` …): CashManagement, "StorageCashCounts"."""


class _Part(Struct, gc=False, rename="camel"):
    """A JSON object in camel case."""


class Header(_Part):
    """`header` of a message: "Message Format"."""

    name: str
    type: str
    request_id: Id | None = None
    completion_code: str | None = None
    status: str | None = None


class Message(_Part):
    """A message: header and payload."""

    header: Header | None = None
    payload: Raw = Raw()


class Line(_Part):
    """A line of a log: the wrapper, or the message itself with or without the wrapper's members beside its own."""

    time: str | None = None
    terminal: str | None = None
    sequence: Id | None = None
    message: Message | None = None
    header: Header | None = None
    payload: Raw = Raw()


class Payload(_Part):
    """What any completion or acknowledgement may hold."""

    completion_code: str | None = None
    error_code: str | None = None
    status: str | None = None


class Mix(_Part):
    """Amounts and counts of a denomination; `app` and `service` as later dialects nest them."""

    currencies: Amounts | None = None
    values: Counts | None = None
    counts: Counts | None = None
    app: "Mix | None" = None
    service: "Mix | None" = None


class Mixed(Mix):
    """The outer object of a denomination, which may hold the inner one."""

    denomination: Mix | None = None


class Dispense(_Part):
    """CashDispenser.Dispense, command."""

    denomination: Mixed | None = None
    position: str | None = None
    token: str | None = None


class Dispensed(Payload):
    """CashDispenser.Dispense, completion; also Denominate, whose members lie one level higher in 2021-1."""

    denomination: Mixed | None = None
    currencies: Amounts | None = None
    values: Counts | None = None


class Position(_Part):
    """A position told as an object (2021-1)."""

    position: str | None = None


class Moved(Payload):
    """CashDispenser.Present completion, ItemsPresentedEvent, ItemsTakenEvent."""

    position: str | Position | None = None


class CountedUnit(_Part):
    """One unit of CashDispenser.Count, completion."""

    dispensed: Notes | None = None


class Counted(Payload):
    """CashDispenser.Count, completion."""

    counted_cash_units: dict[str, CountedUnit | None] | None = None


class Types(_Part):
    """What a unit is for: CashManagement, "StorageCashTypes"."""

    cash_in: bool | None = None
    cash_out: bool | None = None
    cash_in_retract: bool | None = None
    cash_out_retract: bool | None = None
    reject: bool | None = None


class Configuration(_Part):
    """CashManagement, "StorageCashConfiguration"."""

    types: Types | None = None
    currency: str | None = None
    value: int | float | None = None


class Out(_Part):
    """Notes that left a unit: CashManagement, "StorageCashOut"."""

    presented: Items | None = None
    rejected: Items | None = None
    distributed: Items | None = None
    unknown: Items | None = None
    stacked: Items | None = None
    diverted: Items | None = None
    transport: Items | None = None


class In(_Part):
    """Notes that entered a unit: CashManagement, "StorageCashIn"."""

    deposited: Items | None = None
    retracted: Items | None = None
    rejected: Items | None = None
    distributed: Items | None = None
    transport: Items | None = None


class CashStatus(_Part):
    """CashManagement, "StorageCashStatus"; `count` as drafts had it."""

    index: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    initial: Items | None = None
    out: Out | None = None
    in_: In | None = None
    count: Notes | Items | None = None
    accuracy: str | None = None
    replenishment_status: str | None = None


class Cash(_Part):
    """The cash part of a storage unit."""

    configuration: Configuration | None = None
    status: CashStatus | None = None


class Unit(_Part):
    """A storage unit: Storage, "StorageUnit"."""

    status: str | None = None
    serial_number: str | None = None
    cash: Cash | None = None


class Retracted(Payload):
    """CashManagement.Retract, completion: what went into which unit."""

    storage: dict[str, In | None] | None = None


Changed = dict[str, Unit | None]
"""Storage.StorageChangedEvent, CountsChangedEvent, StorageThresholdEvent."""


class Storage(Payload):
    """Storage.GetStorage completion; Storage.SetStorage command."""

    storage: Changed | None = None


class CommonStatus(_Part):
    """The part `common` of Common.Status and Common.StatusChangedEvent."""

    device: str | None = None
    anti_fraud_module: str | None = None
    exchange: str | None = None
    end_to_end_security: str | None = None


class Service(_Part):
    """The part `vendorMode` of Common.Status."""

    service: str | None = None


class Safe(_Part):
    """The part `cashManagement` of Common.Status; `safeDoor` in 2021-1 only."""

    safe_door: str | None = None


class Status(Payload):
    """Common.Status completion and Common.StatusChangedEvent: parts by interface; the unread ones tell whose it is."""

    status: object = None  # type: ignore[assignment]
    common: CommonStatus | None = None
    auxiliaries: dict[str, object] | None = None
    vendor_mode: Service | None = None
    cash_management: Safe | None = None
    cash_dispenser: Raw = Raw()
    card_reader: Raw = Raw()
    printer: Raw = Raw()
    key_management: Raw = Raw()
    keyboard: Raw = Raw()
    pin_pad: Raw = Raw()
    text_terminal: Raw = Raw()
    barcode_reader: Raw = Raw()
    camera: Raw = Raw()
    check: Raw = Raw()
    biometric: Raw = Raw()
    lights: Raw = Raw()


class EndToEnd(_Part):
    """`common.endToEndSecurity` of Common.Capabilities."""

    required: str | None = None


class CommonCapabilities(_Part):
    """The part `common` of Common.Capabilities."""

    end_to_end_security: EndToEnd | None = None


class Capabilities(Payload):
    """Common.Capabilities, completion."""

    common: CommonCapabilities | None = None
    cash_dispenser: Raw = Raw()


class Told(Payload):
    """Small payloads: transaction state, error and nonce events, local applications."""

    state: str | None = None
    transaction: str | None = field(default=None, name="transactionID")
    event_id: str | None = None
    reason_description: str | None = None
    vendor_description: str | None = None
    app_name: str | None = None
    access_level: str | None = None
    active_interface: str | None = None
