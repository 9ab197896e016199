"""Messages of XFS4IoT services, as JSON lines (`xfs4iot`), in both dialects, with or without a wrapper.

    {"time":"2026-03-01T02:11:07.120Z","terminal":"ATM-0001","direction":"out","message":{"header":{"type":"command",
     "name":"CashDispenser.Dispense","version":"2.0","requestId":123},"payload":{"denomination":{"denomination":
     {"app":{"currencies":{"EUR":50},"counts":{"unit1":1}}}},"token":"NONCE=…,HMACSHA256=…"}}}                       (one line)
    {"header":{"type":"unsolicited","name":"CashManagement.ItemsTakenEvent","version":"2.0"},"payload":{"position":"outDefault"}}

Source: XFS4IoT specification (CWA 17852), "Message Format" and the chapters CashDispenser, CashManagement, Storage, Common,
Auxiliaries, VendorMode, VendorApplication and "End to End Security"; contract.md for the wrapper; formats.md §2. In 2021-1
`completionCode` and the acknowledgement's `status` lie in the payload, later in the header; a missing code is success.

Fills
- `cash` (layer device): dispense-requested, dispensed, dispense-failed, incomplete, denominated, presented (one row for event and
  completion), taken, retracted, rejected, reset, tested, counted; status, security-level, nonce, token-refused. `result` is the
  XFS 3.x twin of an error's name where it has one, `session` the running transaction (SetTransactionState), `token` a short hash.
  `detail` of a `dispensed` says `token=none` where the order had none. A failed command on notes is a `status` without state.
- `units` (basis logical): GetStorage, change events, SetStorage. `unit` is the unit's `index`, else the number its name ends in.
- `cabinet`: doors and sensors; `operator`: operator switch, vendor mode, exchanges, SetStorage, local applications.
- `feeds`: refused lines; gaps and restarts where the wrapper has a running `sequence`.

The wrapper's `terminal` names the fleet's id. A line without `time` takes that of the line before (quality `date-inferred`).
"""

import re

from jackstop.formats._xfs4iot_reader import XfsReader
from jackstop.formats._xfs4iot_writing import write
from jackstop.model.fleet import Reading
from jackstop.model.tables import Tables

FILLS = ("cash", "units", "cabinet", "operator", "feeds")
CLOCK = "trace"

_HEADER = re.compile(rb'"header"\s{0,8}:')
_NAME = re.compile(
    rb'"name"\s{0,8}:\s{0,8}"(?:Cash[A-Z][a-zA-Z]{1,24}|Storage|Common|Auxiliaries|VendorMode|VendorApplication|CardReader|PinPad|'
    rb"Key[A-Z][a-zA-Z]{1,24}|Printer|ServicePublisher|TextTerminal|Lights|BarcodeReader|Camera|Crypto|Check|Biometric)\.[A-Z]"
)


def sniff(head: bytes, name: str) -> int:
    """How surely these first bytes are XFS4IoT messages: JSON objects with a header that names a message of the standard."""
    if not head.lstrip(b"\xef\xbb\xbf\0 \t\r\n").startswith(b"{") or not _HEADER.search(head):
        return 0
    if _NAME.search(head):
        return 95
    return 30 if b'"requestId"' in head else 0


def reader(reading: Reading) -> XfsReader:
    """A reader of one log."""
    return XfsReader(reading)


def encode(tables: Tables, reading: Reading) -> bytes:
    """Rows as wrapped messages in time order: cash rows of the device, logical counters, cabinet and operator rows.

    Left out, because XFS4IoT has no word for them: application rows, `opened-by`, parts and sensors Auxiliaries does not know,
    operator rows but for modes, exchanges, counters and menus.
    """
    return write(tables, reading)
