"""XFS4IoT's words in the tables' words (CWA XFS4IoT: Common, Auxiliaries, CashDispenser, CashManagement, Storage)."""

DEVICE = {
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
SECURITY = {"enforced": "enforced", "notEnforced": "not-enforced", "notConfigured": "not-configured"}
SWITCH = {"supervisor": "supervisor-entered", "maintenance": "supervisor-entered", "run": "supervisor-left"}
DOORS = {
    "cabinetDoor": "cabinet",
    "cabinet": "cabinet",
    "cabinetFrontDoor": "fascia",
    "cabinetRearDoor": "rear",
    "cabinetLeftDoor": "rear",
    "cabinetRightDoor": "rear",
    "frontCabinet": "fascia",
    "rearCabinet": "rear",
    "leftCabinet": "rear",
    "rightCabinet": "rear",
    "safeDoor": "safe",
    "safe": "safe",
    "vandalShield": "fascia",
}
DOOR = {"open": "opened", "closed": "closed", "locked": "closed", "bolted": "closed", "tampered": "tamper"}
SENSORS = {
    "tamper": ("tamper", "unknown"),
    "tamperSensor": ("tamper", "unknown"),
    "internalTamper": ("tamper", "dispenser"),
    "internalTamperSensor": ("tamper", "dispenser"),
    "seismic": ("seismic", "safe"),
    "seismicSensor": ("seismic", "safe"),
    "heat": ("heat", "safe"),
    "heatSensor": ("heat", "safe"),
    "proximity": ("proximity", "site"),
    "proximitySensor": ("proximity", "site"),
    "UPS": ("power", "cabinet"),
    "ups": ("power", "cabinet"),
}
ON = {"on": True, "off": False, True: True, False: False}
REFUSED_TOKEN = {
    "authorisationRequired",
    "authorizationRequired",
    "noCommandNonce",
    "invalidToken",
    "invalidTokenNonce",
    "invalidTokenHMAC",
    "invalidTokenFormat",
    "invalidTokenKeyNoValue",
}
UNIT_STATUS = {
    "ok": "ok",
    "full": "full",
    "high": "high",
    "low": "low",
    "empty": "empty",
    "inoperative": "inoperative",
    "missing": "missing",
    "notConfigured": "no-value",
    "manipulated": "manipulated",
}
DONE = {
    "CashDispenser.Reject": "rejected",
    "CashManagement.Reset": "reset",
    "CashDispenser.Reset": "reset",
    "CashManagement.Retract": "retracted",
    "CashDispenser.Retract": "retracted",
    "CashDispenser.TestCashUnits": "tested",
    "CashDispenser.Count": "counted",
    "CashDispenser.Denominate": "denominated",
}
"""Commands whose success is one event of the notes."""

QUIET_COMMANDS = ("CashDispenser.", "CashManagement.", "Storage.", "Common.", "VendorMode.", "Auxiliaries.", "VendorApplication.")
"""Services this reader knows; messages of others are ignored knowingly."""
