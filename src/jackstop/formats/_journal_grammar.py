"""The grammar of electronic journals as data: phrases, each with the row it stands for.

A grammar is one or more packs of rules. A rule is found by the first word of a line, then by its pattern, which has to fit
from the line's beginning; patterns are in capitals. Groups named `detail`, `amount`, `counts`, `card`, `name` and `unit` are
what a row can take from a line. Source: formats.md §4.1, §4.2, §4.5.
"""

import re
from typing import NamedTuple

_WORD = re.compile(r"[A-Z0-9_]+")
_EDGES = " *<>-="


class Rule(NamedTuple):
    """One phrase.

    Attributes:
        words: the first words it may begin with. pattern: what the line looks like.
        table: the table of its row; empty for a line that only adds to the session, or says nothing we keep.
        activity: the row's activity; for lines without a row what they add: `amount`, `fact`, or nothing.
        values: fixed columns of the row.
    """

    words: str
    pattern: str
    table: str = ""
    activity: str = ""
    values: tuple[tuple[str, str], ...] = ()


class Found(NamedTuple):
    """A rule that fits a line, the line in capitals without decoration, and what its groups hold."""

    rule: Rule
    text: str
    groups: dict[str, str | None]


class Grammar:
    """Rules by first word; of several that fit the first given wins."""

    def __init__(self, *packs: tuple[Rule, ...]) -> None:
        self._rules: dict[str, list[tuple[re.Pattern[str], Rule]]] = {}
        for rule in (r for pack in packs for r in pack):
            compiled = re.compile(rule.pattern, re.ASCII)
            for word in rule.words.split():
                self._rules.setdefault(word, []).append((compiled, rule))

    def find(self, line: str) -> Found | None:
        """The rule a line fits."""
        text = line.strip(_EDGES).upper()
        word = _WORD.match(text)
        if word is None:
            return None
        for pattern, rule in self._rules.get(word.group(), ()):
            found = pattern.match(text)
            if found:
                return Found(rule, text, found.groupdict())
        return None


def _doors() -> tuple[Rule, ...]:
    names = (
        ("CASH SAFE VAULT", r"(?:CASH DISPENSER )?(?:SAFE|VAULT)(?: DOOR)?", "safe"),
        ("OPERATOR CABINET UPPER TOP", r"(?:OPERATOR|CABINET|UPPER|TOP) DOOR", "cabinet"),
        ("FASCIA FRONT", r"(?:FASCIA|FRONT)(?: DOOR)?", "fascia"),
        ("REAR", r"REAR DOOR", "rear"),
        ("DOOR SCD", r"(?:SCD )?DOOR", "unknown"),
    )
    ends = ((r"[: ]+OPEN(?:ED)?\b", "opened"), (r"[: ]+CLOSED?\b", "closed"))
    return tuple(
        Rule(words, name + end, "cabinet", activity, (("part", part), ("sensor", "door")))
        for words, name, part in names
        for end, activity in ends
    )


_PLACES = "TOP|SECOND|THIRD|FOURTH|FIFTH|SIXTH|SEVENTH|BOTTOM|REJECT|RETRACT|DEPOSIT"
_FACT = (
    r"(?:RRN|UTRNNO|AUTH(?:ORI[SZ]ATION)?|RESP(?:ONSE)?[ _]CODE|CODE REPONSE|TXN SN NO|TXN NO|TRANSACTION SERIAL NUMBER)"
    r"(?: |[.:=]|CODE|NO)"
)

SESSION: tuple[Rule, ...] = (
    Rule("TRANSACTION", r"TRANSACTION START", "cash", "session-start"),
    Rule("TRANSACTION", r"TRANSACTION END", "cash", "session-end"),
    Rule("CARD", r"CARD INSERTED", "cash", "card"),
    Rule("CARDLESS", r"CARDLESS", "cash", "card", (("detail", "cardless"),)),
    Rule("CARD PAN TRACK", r"(?:CARD(?: NUMBER| NO)?|PAN|TRACK 2 DATA)[ :.]+(?P<card>[0-9X*]{8,19})", "cash", "card"),
    Rule("PIN", r"PIN ENTERED", "cash", "pin"),
    Rule("AMOUNT", r"AMOUNT (?P<amount>\d[\d.,]{0,17}) ENTERED", "", "amount"),
    Rule("UNABLE", r"UNABLE TO DISPENSE", "cash", "dispense-failed"),
    Rule("NOTES CASH", r"(?:NOTES|CASH) TAKEN", "cash", "taken"),
    Rule("NOTES CASH RETRACT", r"(?:NOTES|CASH) RETRACTED|RETRACT OPERATION", "cash", "retracted"),
    Rule("NOTES CASH", r"(?:NOTES|CASH) REJECTED", "cash", "rejected"),
    Rule("RRN UTRNNO AUTH AUTHORIZATION AUTHORISATION RESPONSE RESP RESP_CODE CODE TXN TRANSACTION", _FACT, "", "fact"),
    Rule("CARD", r"CARD(?:\([0-9*X]+\))? (?:TAKEN|RETAINED|EJECTED|NOT TAKEN)"),
    Rule("RECEIPT EMV GENAC ATR CASHIN", r"RECEIPT |EMV |GENAC |ATR |CASHIN "),
)
"""What both families of journals say of a customer's session."""

OPERATIONS: tuple[Rule, ...] = (
    Rule(_PLACES.replace("|", " "), rf"(?P<detail>{_PLACES}) (?:CASSETTE|BIN) REMOVED", "operator", "cassette-removed"),
    Rule(_PLACES.replace("|", " "), rf"(?P<detail>{_PLACES}) (?:CASSETTE|BIN) INSERTED", "operator", "cassette-inserted"),
    Rule("REPLENISHMENT ACCESS", r"REPLENISHMENT MODE ENTERED|ACCESS MODE ENTERED", "operator", "supervisor-entered"),
    Rule("REPLENISHMENT ACCESS", r"(?:REPLENISHMENT|ACCESS) MODE (?:EXITED|LEFT)", "operator", "supervisor-left"),
    Rule("POWER", r"POWER[- ]?(?:UP|ON)\b", "operator", "power-up"),
    Rule("CASH", r"CASH ADDED", "units", "added"),
    *_doors(),
)
"""What both families say of people at the machine."""
