"""Numbers of CEN/XFS 3.x in the tables' words (CWA 16926: CDM, SIU, VDM; formats.md §1.1)."""

COMPLETED = {
    303: "presented",
    304: "rejected",
    305: "retracted",
    321: "reset",
    322: "tested",
    323: "counted",
    301: "denominated",
}
"""CDM commands (WFS_CMD_CDM_…) whose completion is one event of the notes."""

OPERATIONS = {310: "counters-set", 311: "exchange-started", 312: "exchange-ended"}
DEVICE = {
    0: "online",
    1: "offline",
    2: "power-off",
    3: "no-device",
    4: "hardware-error",
    5: "user-error",
    6: "busy",
    7: "fraud-attempt",
    8: "potential-fraud",
}
UNIT_KIND = {2: "reject", 3: "bill", 4: "coin", 5: "coin", 6: "retract", 12: "recycling"}
UNIT_STATUS = {
    0: "ok",
    1: "full",
    2: "high",
    3: "low",
    4: "empty",
    5: "inoperative",
    6: "missing",
    7: "no-value",
    8: "no-reference",
    9: "manipulated",
}
RESULTS = {
    0: "WFS_SUCCESS",
    -4: "WFS_ERR_CANCELED",
    -13: "WFS_ERR_DEV_NOT_READY",
    -14: "WFS_ERR_HARDWARE_ERROR",
    -15: "WFS_ERR_INTERNAL_ERROR",
    -48: "WFS_ERR_TIMEOUT",
    -54: "WFS_ERR_CONNECTION_LOST",
    -55: "WFS_ERR_USER_ERROR",
    -57: "WFS_ERR_FRAUD_ATTEMPT",
    -302: "WFS_ERR_CDM_CASHUNITERROR",
    -306: "WFS_ERR_CDM_NOTDISPENSABLE",
    -307: "WFS_ERR_CDM_TOOMANYITEMS",
    -310: "WFS_ERR_CDM_SAFEDOOROPEN",
    -316: "WFS_ERR_CDM_NOITEMS",
    -317: "WFS_ERR_CDM_EXCHANGEACTIVE",
    -320: "WFS_ERR_CDM_PRERRORNOITEMS",
    -321: "WFS_ERR_CDM_PRERRORITEMS",
    -322: "WFS_ERR_CDM_PRERRORUNKNOWN",
    -323: "WFS_ERR_CDM_ITEMSTAKEN",
}
DOORS = {"CABINET": ("cabinet", "door"), "SAFE": ("safe", "door"), "VANDALSHIELD": ("fascia", "shield")}
SENSORS = {
    "TAMPER": ("unknown", "tamper"),
    "INTTAMPER": ("dispenser", "tamper"),
    "SEISMIC": ("safe", "seismic"),
    "HEAT": ("safe", "heat"),
    "PROXIMITY": ("site", "proximity"),
}
SENSOR_PORTS = {1: "TAMPER", 2: "INTTAMPER", 3: "SEISMIC", 4: "HEAT", 5: "PROXIMITY"}
DOOR_PORTS = {
    0: ("cabinet", "door"),
    1: ("safe", "door"),
    2: ("fascia", "shield"),
    3: ("fascia", "door"),
    4: ("rear", "door"),
    5: ("rear", "door"),
}
SWITCH = {1: "supervisor-left", 2: "supervisor-entered", 4: "supervisor-entered"}
CLOSED, OPEN = 0x1 | 0x4 | 0x8, 0x2 | 0x40
"""Bits of a door's port status: closed, locked, bolted; open, ajar."""
