"""What an ISO 8583 message says of cash: one row of table `host`, or none.

ISO 8583:1987 §4: message types 0100/0200 ask, 0110/0210 decide, 0120/0220 advise, 0400/0420 take back, 0800 manage the network.
Field 3 begins with 01 for a withdrawal; field 39 00 approves; field 95 begins with the amount finally dispensed; field 90
names the original message: its type (4 digits) and trace number (6).
"""

from typing import Any

from jackstop.formats import _currencies
from jackstop.formats._iso8583_spec import Spec
from jackstop.formats._masking import pan
from jackstop.formats._reading import Unreadable

Doc = dict[str, str]
_KINDS = {
    "10": "request", "20": "request", "11": "reply", "21": "reply", "12": "advice", "22": "advice",
    "40": "reversal", "42": "reversal", "80": "network", "81": "network", "82": "network",
}  # fmt: skip
_ACKNOWLEDGEMENTS = frozenset({"13", "23", "41", "43", "83"})
STAND_IN = "12"


def meaning(doc: Doc, spec: Spec, currency: str) -> dict[str, Any] | None:
    """Columns of the row of a decoded message; None for one that says nothing of cash.

    Args:
        doc: from pyiso8583. spec: of the link. currency: where field 49 is absent.

    Raises:
        Unreadable: a field that the row needs is missing or no number.
    """
    kind = doc["t"][1:3]
    activity = _KINDS.get(kind)
    if activity is None:
        if kind in _ACKNOWLEDGEMENTS:
            return None
        raise Unreadable("message type unknown, expected 01xx, 02xx, 04xx or 08xx")
    row: dict[str, Any] = {"activity": activity, "mti": doc["t"], "repeat": doc["t"][3] in "135"}
    if activity == "network":
        code = _text(doc, "70")
        return {**row, "stan": _text(doc, "11"), "response": _text(doc, "39"), "detail": code and f"code={code}"}
    if not doc.get("3", "").startswith(spec.cash) and not (activity == "reversal" and not doc.get("3")):
        return None
    for name, column in (("11", "stan"), ("37", "rrn"), ("38", "auth_code"), ("39", "response")):
        row[column] = _text(doc, name)
    row["currency"] = _currencies.letters(_text(doc, "49"), currency)
    if row["currency"] is None:
        raise Unreadable("field 49 (currency) unknown, expected an ISO 4217 code")
    row["amount"] = _amount(doc, "4", 0, 12)
    if doc.get("2"):
        row["detail"] = f"pan={_hidden(doc['2'])}"
    return _ADD[activity](doc, row, spec)


def _request(doc: Doc, row: dict[str, Any], spec: Spec) -> dict[str, Any]:
    return row


def _reply(doc: Doc, row: dict[str, Any], spec: Spec) -> dict[str, Any]:
    if row["response"] is None:
        raise Unreadable("field 39 (response) missing")
    row["approved"] = row["response"] in spec.approved
    if row["approved"] and row["amount"] is None:
        raise Unreadable("field 4 (amount) missing")
    return row


def _advice(doc: Doc, row: dict[str, Any], spec: Spec) -> dict[str, Any]:
    final = _amount(doc, "95", 0, 12)
    if final is not None:
        return {**row, "activity": "partial", "amount": final, "reference": _original(doc)}
    if row["amount"] is None:
        raise Unreadable("field 4 (amount) missing")
    row["approved"] = row["response"] is None or row["response"] in spec.approved
    row["stand_in"] = True if row["mti"][1:3] == STAND_IN else None
    return row


def _reversal(doc: Doc, row: dict[str, Any], spec: Spec) -> dict[str, Any]:
    row["reference"] = _original(doc)
    final = _amount(doc, "95", 0, 12)
    if final:
        return {**row, "activity": "partial", "amount": final}
    return row


_ADD = {"request": _request, "reply": _reply, "advice": _advice, "reversal": _reversal}


def _text(doc: Doc, name: str) -> str | None:
    return doc.get(name, "").strip(" \0") or None


def _amount(doc: Doc, name: str, start: int, end: int) -> int | None:
    """Minor units in these places of a field; None where it is absent.

    Raises:
        Unreadable: no digits.
    """
    digits = doc.get(name, "")[start:end]
    if not digits.strip():
        return None
    if not (digits.isascii() and digits.isdigit()):
        raise Unreadable(f"field {name} (amount) is not digits")
    return int(digits)


def _original(doc: Doc) -> str | None:
    """The trace number of the message a reversal belongs to."""
    stan = doc.get("90", "")[4:10]
    return stan if len(stan) == 6 and stan.strip("0 ") else None


def _hidden(number: str) -> str:
    return pan(number) if len(number) >= 13 else "*" * len(number)
