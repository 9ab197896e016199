"""Whether a value that stands somewhere in a text stands there as itself: a whole hash, a whole name, a key and what is under it.

Texts and values are in small letters. Every rule looks at the neighbours of a place only.
"""

import re
from collections.abc import Iterator

from jackstop.advisories._model import Indicator

_NAME = frozenset("_-")
_SERVICE_FIELDS = frozenset({"servicename", "service_name", "param1"})
_ACCOUNT_FIELDS = frozenset(
    {"targetusername", "subjectusername", "samaccountname", "accountname", "membername", "username", "user", "person"}
)
_CONTROL_SET = re.compile(r"\\controlset00\d\\")
_HIVES: dict[str, tuple[str, ...]] = {
    "hklm": ("hkey_local_machine\\", "hklm\\", "hklm:\\", "\\registry\\machine\\"),
    "hkcu": ("hkey_current_user\\", "hkcu\\", "hkcu:\\"),
    "hku": ("hkey_users\\", "hku\\", "hku:\\", "\\registry\\user\\"),
    "hkcr": ("hkey_classes_root\\", "hkcr\\", "hkcr:\\", "\\registry\\machine\\software\\classes\\"),
    "hkcc": ("hkey_current_config\\", "hkcc\\", "hkcc:\\"),
}
_SET = "system\\currentcontrolset\\"


def needle(indicator: Indicator) -> str:
    """The part of a value that stands in every text it is found in."""
    if indicator.kind != "registry-key":
        return indicator.value
    rest = indicator.value.partition("\\")[2]
    return rest.removeprefix(_SET) if len(rest) >= len(_SET) + 3 else rest


def found(indicator: Indicator, field: str, text: str) -> bool:
    """Whether a text of a field (its name in small letters) holds the indicator's value as itself."""
    value = indicator.value
    match indicator.kind:
        case "service-name":
            return field in _SERVICE_FIELDS and text.strip() == value
        case "account":
            return _account(value, field, text)
        case "registry-key":
            return _registry(value, _CONTROL_SET.sub(r"\\currentcontrolset\\", text))
        case kind:
            return any(_whole(kind, value, *place) for place in _places(value, text))


def _whole(kind: str, value: str, before: str, after: str, next_after: str) -> bool:
    """Whether a value is not a part of something longer, by the characters around it."""
    match kind:
        case "hash":
            return not _alnum(before) and not _alnum(after)
        case "file-name":
            return not _named(before) and before != "." and _ends(after, next_after)
        case "domain":
            return not _named(before) and _ends(after, next_after)
        case _:
            return _alone(value, before, after, next_after)


def _places(value: str, text: str) -> Iterator[tuple[str, str, str]]:
    """The character before each place a value stands at, and the two after; empty at the ends."""
    at = text.find(value)
    while at >= 0:
        end = at + len(value)
        yield text[at - 1 : at] if at else "", text[end : end + 1], text[end + 1 : end + 2]
        at = text.find(value, at + 1)


def _alnum(char: str) -> bool:
    return char.isalnum()


def _named(char: str) -> bool:
    return char.isalnum() or char in _NAME if char else False


def _ends(after: str, next_after: str) -> bool:
    """Whether a name ends here: a full stop may follow, but not another part of the name."""
    return not _named(after) and not (after == "." and _alnum(next_after))


def _alone(value: str, before: str, after: str, next_after: str) -> bool:
    if _alnum(before) or _alnum(after) or (after == "." and _alnum(next_after)):
        return False
    return before not in {".", ":"} and after != ":" if ":" in value else before != "."


def _account(value: str, field: str, text: str) -> bool:
    told = text.strip()
    if value.startswith("s-1-"):
        return told == value
    return field in _ACCOUNT_FIELDS and value in {told, told.rpartition("\\")[2], told.partition("@")[0]}


def _registry(value: str, text: str) -> bool:
    """Whether a text names the key or one under it, by any name of its hive."""
    hive, _, rest = value.partition("\\")
    at = text.find(rest)
    while at >= 0:
        end = at + len(rest)
        if _under(hive, text[:at]) and (end == len(text) or text[end] in "\\\"',;)]" or text[end].isspace()):
            return True
        at = text.find(rest, at + 1)
    return False


def _under(hive: str, before: str) -> bool:
    """Whether what stands before a key is its hive; the hive of one user may be named by its SID."""
    if before.endswith(_HIVES[hive]):
        return True
    if hive != "hkcu" or not before.endswith("\\"):
        return False
    head, _, user = before[:-1].rpartition("\\")
    return user.startswith("s-1-") and f"{head}\\".endswith(_HIVES["hku"])
