"""Words of XFS4IoT and what the tables call them: results, positions, states, doors and sensors.

Source: XFS4IoT specification, "Completion Codes", the `errorCode` lists of chapters CashDispenser and CashManagement,
Common.Status, Auxiliaries.Status; CEN/XFS 3.x CDM error numbers as formats.md §1.1 lists them (the XFS4IoT names mirror them).
"""

from functools import lru_cache
from typing import NamedTuple

from jackstop.formats._masking import mask

_CDM = (
    "300 invalidCurrency 301 invalidTellerID 302 cashUnitError 303 invalidDenomination 304 invalidMixNumber 305 noCurrencyMix "
    "306 notDispensable 307 tooManyItems 308 unsupportedPosition 310 safeDoorOpen 312 shutterNotOpen 313 shutterOpen "
    "315 invalidCashUnit 316 noItems 317 exchangeActive 318 noExchangeActive 319 shutterNotClosed 320 presentErrorNoItems "
    "321 presentErrorItems 322 presentErrorUnknown 323 itemsTaken 328 positionNotEmpty 329 invalidRetractPosition "
    "330 notRetractArea 333 noCashBoxPresent 334 amountNotInMixTable 336 itemsLeft"
).split()
_GENERAL = (
    "4 canceled 13 deviceNotReady 14 hardwareError 15 internalError 48 timeOut 50 unsupportedCommand 52 invalidData "
    "55 userError 56 unsupportedData 57 fraudAttempt 58 sequenceError"
).split()
RESULTS = {name: -int(n) for part in (_CDM, _GENERAL) for n, name in zip(part[::2], part[1::2], strict=True)}
"""XFS 3.x hResult of a completion or error code; names without a twin there have none."""

NAMES = {number: name for name, number in RESULTS.items()}

REFUSED_TOKEN = frozenset(
    "authorisationRequired noCommandNonce invalidToken invalidTokenNonce invalidTokenHMAC invalidTokenFormat "
    "invalidTokenKeyNoValue".split()
)
CODES = REFUSED_TOKEN | frozenset(
    [*_GENERAL[1::2], "commandErrorCode", "invalidCommand", "invalidRequestID", "notEnoughSpace", "success"]
)
"""completionCode words; every other name of a failure is an errorCode."""

EXPOSED = frozenset(["presentErrorItems", "presentErrorUnknown"])
"""Failures of a present after which notes may lie where the customer can reach them."""

STATES = {
    "online": "online",
    "offline": "offline",
    "powerOff": "power-off",
    "noDevice": "no-device",
    "hardwareError": "hardware-error",
    "userError": "user-error",
    "deviceBusy": "busy",
    "fraudAttempt": "fraud-attempt",
    "potentialFraud": "potential-fraud",
    "starting": "starting",
}
LEVELS = {
    "notEnforced": "not-enforced",
    "notConfigured": "not-configured",
    "enforced": "enforced",
    "notSupported": "not-enforced",
}
UNIT_STATUS = {
    "inoperative": "inoperative",
    "missing": "missing",
    "notConfigured": "no-value",
    "manipulated": "manipulated",
}
LEVEL_OF_FILL = frozenset(["ok", "full", "high", "low", "empty"])
ACCURACY = frozenset(["accurate", "accurateSet", "inaccurate", "unknown"])
POSITIONS = frozenset(f"out{p}" for p in "Default Left Right Center Top Bottom Front Rear".split())


class Sensor(NamedTuple):
    """A door or sensor of Auxiliaries: where it is, what it is, and whether its words are a door's, `on` or `present`."""

    part: str
    sensor: str
    trips: str


AUXILIARIES = {
    "cabinetDoor": Sensor("cabinet", "door", "open"),
    "safeDoor": Sensor("safe", "door", "open"),
    "cabinetFrontDoor": Sensor("fascia", "door", "open"),
    "cabinetRearDoor": Sensor("rear", "door", "open"),
    "cabinetLeftDoor": Sensor("rear", "door", "open"),
    "cabinetRightDoor": Sensor("rear", "door", "open"),
    "vandalShield": Sensor("fascia", "shield", "open"),
    "tamperSensor": Sensor("unknown", "tamper", "tamper"),
    "internalTamperSensor": Sensor("cabinet", "tamper", "tamper"),
    "seismicSensor": Sensor("unknown", "seismic", "alarm"),
    "heatSensor": Sensor("unknown", "heat", "alarm"),
    "proximitySensor": Sensor("unknown", "proximity", "alarm"),
    "bootSwitchSensor": Sensor("cabinet", "other", "alarm"),
    "audibleAlarm": Sensor("unknown", "other", "alarm"),
}
"""Members of Auxiliaries.Status, without the `State` that 2021-1 adds to the names."""

DOOR_WORDS = {
    "open": "opened",
    "partiallyOpen": "opened",
    "service": "opened",
    "keyboard": "opened",
    "closed": "closed",
    "locked": "closed",
    "bolted": "closed",
    "tampered": "tamper",
    "jammed": "alarm",
}
SWITCHED = {"on": True, "present": True, "off": False, "notPresent": False}


@lru_cache(maxsize=4096)
def clean(text: str) -> str:
    """A string of the record's own for a row: at most 200 characters, card data masked."""
    return mask(text[:200])


def position(told: str | None) -> str | None:
    """An output position for a row."""
    return told if told is None or told in POSITIONS else clean(told)
