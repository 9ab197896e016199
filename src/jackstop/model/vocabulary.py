"""Every word a table may hold, with the one sentence that says what it means.

Words follow CEN/XFS 3.x, XFS4IoT, NDC and ISO 8583 where those have one. A word that is not here cannot enter a
table: the columns are Polars enumerations made from these mappings.
"""

from collections.abc import Mapping

Words = Mapping[str, str]

CASH_ACTIVITY: Words = {
    "session-start": "A customer session opened at the terminal (journal or application).",
    "card": "A card, or a cardless token, was read in the session.",
    "pin": "A PIN was entered.",
    "request-sent": "The application sent a transaction request to the host.",
    "reply-received": "The application received the host's reply.",
    "denominated": "A mix of notes was computed; nothing moved.",
    "dispense-requested": "The dispenser was ordered to pick notes.",
    "dispensed": "Notes were picked to the stacker or transport.",
    "dispense-failed": "The order failed; notes may have moved all the same.",
    "incomplete": "Fewer notes than ordered were picked.",
    "presented": "Notes were put where the customer can reach them.",
    "taken": "The notes left the machine with somebody.",
    "retracted": "Presented notes were drawn back into the machine.",
    "rejected": "Picked notes were moved to the reject unit without being presented.",
    "reset": "The dispenser was reset; notes in the transport may have moved to a unit.",
    "tested": "Cash units were tested: notes moved from units to the reject unit.",
    "counted": "Cash units were emptied and counted into another unit.",
    "session-end": "The customer session ended.",
    "status": "The dispenser's own state was reported; see `state`.",
    "nonce": "A command nonce was issued or cleared (XFS4IoT end-to-end security).",
    "token-refused": "The dispenser refused an end-to-end token or asked for one.",
    "security-level": "The enforcement of end-to-end dispense security changed; see `state`.",
    "opened-by": "A program opened the dispenser's service; see `caller`.",
}

CASH_LAYER: Words = {
    "device": "Said by the dispenser's service provider (XFS 3.x or XFS4IoT).",
    "application": "Said by the ATM application (electronic journal).",
}

DEVICE_STATE: Words = {
    "online": "The device works.",
    "offline": "The device does not answer.",
    "power-off": "The device has no power.",
    "no-device": "No device is attached.",
    "hardware-error": "The device reports a fault.",
    "user-error": "Somebody has to mend the device by hand.",
    "busy": "The device is working.",
    "fraud-attempt": "The device reports an attempt at fraud.",
    "potential-fraud": "The device reports a possible attempt at fraud.",
    "starting": "The device is starting.",
    "fraud-device-detected": "The anti-fraud module found a foreign device.",
    "enforced": "End-to-end security is enforced.",
    "not-enforced": "End-to-end security is off.",
    "not-configured": "End-to-end security has no keys.",
    "unknown": "The state is not known.",
}

UNIT_CAUSE: Words = {
    "snapshot": "The counters were read.",
    "changed": "The device said that its counters changed.",
    "exchange-start": "The counters as an exchange began.",
    "exchange-end": "The counters as an exchange ended.",
    "set": "The counters were written by command.",
    "cleared": "The counters were cleared by an operator.",
}

UNIT_BASIS: Words = {
    "logical": "Counted by the PC's software for a logical cash unit.",
    "physical": "Counted by the device for a physical cash unit.",
    "host": "Reported to the host (NDC supply counters).",
    "journal": "Printed in the electronic journal.",
    "hand": "Counted by people (cash in transit).",
}

UNIT_KIND: Words = {
    "bill": "A cassette notes are dispensed from.",
    "recycling": "A cassette notes are dispensed from and deposited into.",
    "reject": "The bin of notes that failed on their way out.",
    "retract": "The bin of notes a customer left.",
    "deposit": "A cassette notes are deposited into.",
    "coin": "A coin unit.",
    "other": "Any other unit.",
}

UNIT_STATUS: Words = {
    "ok": "Working.",
    "full": "Full.",
    "high": "Nearly full.",
    "low": "Nearly empty.",
    "empty": "Empty.",
    "inoperative": "Out of order.",
    "missing": "Removed.",
    "no-value": "The note value is not set.",
    "no-reference": "The reference note is missing.",
    "manipulated": "Swapped or touched outside an exchange.",
    "unknown": "Not known.",
}

HOST_ACTIVITY: Words = {
    "request": "The terminal asked for an authorisation.",
    "reply": "The host answered a request.",
    "advice": "A transaction already completed was advised to the host (stand-in, completion).",
    "partial": "The amount finally dispensed is less than authorised; `amount` is what was dispensed.",
    "reversal": "The transaction is undone, whole or in part; `amount` is what is taken back.",
    "status": "The terminal told the host of its state or the last command's outcome.",
    "command": "The host ordered the terminal to change its state.",
    "network": "A network management message: echo, sign-on, key change.",
}

HOST_VIEW: Words = {
    "host": "Seen at the host or switch (ISO 8583, ISO 20022, switch export): what was decided.",
    "line": "Seen on the line to the terminal (NDC, DDC): what the terminal was told.",
}

CABINET_ACTIVITY: Words = {
    "opened": "A door or lid was opened.",
    "closed": "A door or lid was closed.",
    "tamper": "A tamper switch or anti-fraud sensor tripped.",
    "alarm": "A sensor (seismic, heat, proximity, power …) raised an alarm.",
    "restored": "A sensor returned to rest.",
}

CABINET_PART: Words = {
    "cabinet": "The PC compartment: the upper box that common keys open.",
    "fascia": "The front: fascia, top hat, vandal shield.",
    "safe": "The safe or vault with the cassettes.",
    "rear": "The rear or a side door.",
    "dispenser": "The dispenser itself or its presenter.",
    "site": "The site or the room around the machine.",
    "unknown": "A part the record does not name.",
}

CABINET_SENSOR: Words = {
    "door": "A door or lid contact.",
    "tamper": "A tamper switch.",
    "seismic": "A vibration sensor.",
    "heat": "A heat sensor.",
    "proximity": "A presence sensor.",
    "shield": "The vandal shield.",
    "anti-fraud": "An anti-fraud (skimming, foreign device) module.",
    "power": "Mains or battery supervision.",
    "other": "Any other sensor.",
}

OPERATOR_ACTIVITY: Words = {
    "supervisor-entered": "Supervisor (maintenance) mode was entered.",
    "supervisor-left": "Supervisor mode was left.",
    "vendor-entered": "Vendor dependent mode was entered.",
    "vendor-left": "Vendor dependent mode was left.",
    "login": "Somebody logged in at the maintenance menu.",
    "login-failed": "A login at the maintenance menu failed.",
    "menu": "A maintenance function was called; see `detail`.",
    "exchange-started": "An exchange of cash units began.",
    "exchange-ended": "An exchange of cash units ended.",
    "counters-set": "Counters were written by command.",
    "counters-cleared": "Counters were cleared.",
    "cash-added": "Cash was declared as added.",
    "cassette-removed": "A cassette was removed.",
    "cassette-inserted": "A cassette was inserted.",
    "in-service": "The terminal went into service.",
    "out-of-service": "The terminal went out of service.",
    "host-online": "The line to the host came up.",
    "host-offline": "The line to the host went down.",
    "started": "The application or the machine started.",
    "power-up": "The machine powered up or was reset.",
}

FEED_ACTIVITY: Words = {
    "gap": "Sequence numbers are missing: `count` of them between `before` and `after`.",
    "restarted": "Sequence numbers began anew.",
    "duplicates": "`count` records were seen before and dropped.",
    "refused": "A record could not be read; it stays as evidence.",
    "clock-step": "The clock was set: from `before` to `after`, both µs since 1970 UTC.",
    "log-cleared": "A log was cleared.",
    "time-ambiguous": "A local time could mean two instants (daylight saving); `detail` says which was taken.",
    "heartbeat": "The source said that it is alive (link test, test report).",
}

VISIT_KIND: Words = {
    "cit": "Cash in transit: cash is loaded or collected.",
    "first-line": "First-line maintenance.",
    "second-line": "Second-line maintenance by the vendor.",
    "audit": "An audit.",
    "software": "Software distribution.",
}

PERMITS: Words = {
    "open-cabinet": "The PC compartment may be opened.",
    "open-safe": "The safe may be opened.",
    "exchange": "Cash units may be exchanged and counters set.",
    "supervisor": "Supervisor or vendor mode may be used.",
    "test-dispense": "Notes may be dispensed into the reject unit.",
    "reboot": "The machine may be restarted.",
    "usb": "USB devices may be plugged.",
    "software": "Programs, services and drivers may change.",
}

VERDICT: Words = {
    "explained": "An authorisation covers every note, or no note left.",
    "explained-by-visit": "An authorised visit covers it and the notes stayed inside.",
    "ambiguous": "More than one explanation fits nearly as well.",
    "pending": "The records that decide have not had time to arrive.",
    "unexplained": "The sources were there and nothing explains the cash.",
    "contradicted": "The evidence says no: declined, reversed, over the authorised amount, or out of service.",
    "insufficient-evidence": "A source that would decide is missing.",
}

SEVERITY: Words = {
    "info": "For the record.",
    "low": "Worth a look in a review.",
    "medium": "Worth a look today.",
    "high": "Pages a person.",
    "critical": "Pages a person: cash is leaving or about to.",
}

STAGE: Words = {
    "access": "Somebody is at or in the machine, or logs on to it, who should not be.",
    "media": "Something was connected to it or exchanged in it: a device, a disk.",
    "persistence": "Something was installed that stays: a service, a driver, a task, an autostart entry.",
    "impairment": "What guards or records was weakened: a log cleared, protection stopped, a clock set, the dispenser cut off.",
    "cash": "Cash was ordered, moved or is missing in a way that nothing explains.",
}

QUALITY: Mapping[str, tuple[int, str]] = {
    "partial": (1, "The record was cut or says that data is missing."),
    "date-inferred": (2, "The record carries no date; it was carried over from a header or file name."),
    "time-ambiguous": (4, "The local time exists twice (daylight saving), and was taken as the first."),
    "masked": (8, "Card data was masked."),
    "bad-bytes": (16, "Bytes outside the declared encoding were replaced."),
    "resynchronised": (32, "The record follows damage that was skipped."),
}
