"""Where rules look: Sigma log sources as tables, channels, event ids and the names fields have there.

`product: windows` follows SigmaHQ's taxonomy (appendix "taxonomy", and the events each category stands for); a category is also
looked for in the events of Windows' own audit that say the same, as far as those say it. `product: atm` is ours: `service` is a
table and fields are its columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jackstop.rules.channels import CHANNELS, NAMED_WITH_SPACES
from jackstop.rules.tree import Node, Or, Text

SYSTEM: Mapping[str, str] = {
    "EventID": "@code",
    "Channel": "@channel",
    "Provider_Name": "@provider",
    "ProviderName": "@provider",
    "Computer": "@computer",
    "EventRecordID": "@record_id",
    "UserID": "@user",
    "Security_UserID": "@user",
    "Message": "=all-data",
    "Level": "@level",
    "Keywords": "@keywords",
    "Execution_ProcessID": "@process",
    "terminal": "@terminal",
}
"""Names of the System part of an event, and the columns they are. The rendered message is in no event: its values are asked."""
NOT_KEPT: Mapping[str, str] = {
    "Opcode": "the event's opcode is not kept",
}
ATM = ("cash", "units", "host", "cabinet", "operator", "feeds", "windows", "visits")

Names = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Place:
    """One place a log source stands for.

    Attributes:
        table: name. channel: lower case; None is any. codes: event ids; None is any.
        names: fields that are called otherwise there: names in `data`, the first that is there; or `=word`, see `derived`.
        has: all fields it can have, where that is known: a test of another is undecided, neither so nor not so.
        only: what else must hold of the row, in this place's own names. own: whether fields are the table's columns.
    """

    table: str
    channel: str | None = None
    codes: frozenset[int] | None = None
    names: Names = field(default_factory=dict)
    has: frozenset[str] | None = None
    only: Node | None = None
    own: bool = False


def _word(name: str, *values: str) -> Node:
    tests = tuple(Text(name, (v,)) for v in values)
    return tests[0] if len(tests) == 1 else Or(tests)


_SYSMON = CHANNELS["sysmon"][0].lower()
_KERNEL_FILE = "microsoft-windows-kernel-file/analytic"
_HASHES = {"Imphash": ("=Imphash",), "md5": ("=MD5",), "sha1": ("=SHA1",), "sha256": ("=SHA256",)}
_STARTED: Names = {
    "Image": ("NewProcessName",),
    "ParentImage": ("ParentProcessName",),
    "CommandLine": ("CommandLine",),
    "User": ("=subject",),
    "LogonId": ("SubjectLogonId",),
    "IntegrityLevel": ("=integrity",),
    "ProcessId": ("=NewProcessId",),
    "ParentProcessId": ("=ProcessId",),
}
_REGISTRY: Names = {
    "Image": ("ProcessName",),
    "TargetObject": ("=registry-object",),
    "Details": ("=registry-details",),
    "User": ("=subject",),
    "ProcessId": ("=ProcessId",),
}
_CONNECTED: Names = {
    "Image": ("=application",),
    "SourceIp": ("SourceAddress",),
    "SourcePort": ("SourcePort",),
    "DestinationIp": ("DestAddress",),
    "DestinationPort": ("DestPort",),
    "Initiated": ("=initiated",),
    "Protocol": ("=protocol",),
    "ProcessId": ("ProcessID",),
}
_ACCESSED: Names = {"Image": ("ProcessName",), "FileName": ("ObjectName",), "ProcessId": ("=ProcessId",)}
_RESOLVED: Names = {n: (n,) for n in ("QueryName", "QueryResults", "QueryStatus", "QueryType")}
_ANTIVIRUS: Names = {
    "Signature": ("Threat Name", "ThreatName", "Threat_Name"),
    "Filename": ("Path",),
    "Action": ("Action Name", "Action_Name"),
}
_DATA: Names = {"Data": ("=all-data",)}


def _sysmon(*codes: int, only: Node | None = None) -> Place:
    return Place("windows", _SYSMON, frozenset(codes), _HASHES, None, only)


def _audit(names: Names, *codes: int, only: Node | None = None) -> Place:
    return Place("windows", "security", frozenset(codes), names, frozenset(names) | SYSTEM.keys(), only)


def _service(service: str, codes: frozenset[int] | None = None) -> tuple[Place, ...]:
    names = {**_DATA, **NAMED_WITH_SPACES.get(service, {})}
    if service == "sysmon":
        names |= _HASHES
    return tuple(Place("windows", c.lower(), codes, names) for c in CHANNELS[service])


_NEW, _CHANGED, _GONE = "%%1904", "%%1905", "%%1906"
_FILE = _word("ObjectType", "File")
_CATEGORIES: Mapping[str, tuple[Place, ...]] = {
    "process_creation": (_sysmon(1), _audit(_STARTED, 4688)),
    "file_change": (_sysmon(2),),
    "network_connection": (_sysmon(3), _audit(_CONNECTED, 5156)),
    "sysmon_status": (_sysmon(4, 16),),
    "process_termination": (_sysmon(5), _audit({"Image": ("ProcessName",), "User": ("=subject",)}, 4689)),
    "driver_load": (_sysmon(6),),
    "image_load": (_sysmon(7),),
    "create_remote_thread": (_sysmon(8),),
    "raw_access_thread": (_sysmon(9),),
    "raw_access_read": (_sysmon(9),),
    "process_access": (_sysmon(10),),
    "file_event": (_sysmon(11),),
    "registry_event": (_sysmon(12, 13, 14), _audit(_REGISTRY, 4657)),
    "registry_add": (
        _sysmon(12, only=_word("EventType", "CreateKey", "CreateValue")),
        _audit(_REGISTRY, 4657, only=_word("OperationType", _NEW)),
    ),
    "registry_delete": (
        _sysmon(12, only=_word("EventType", "DeleteKey", "DeleteValue")),
        _audit(_REGISTRY, 4657, only=_word("OperationType", _GONE)),
    ),
    "registry_set": (_sysmon(13), _audit(_REGISTRY, 4657, only=_word("OperationType", _NEW, _CHANGED))),
    "registry_rename": (_sysmon(14),),
    "create_stream_hash": (_sysmon(15),),
    "pipe_created": (_sysmon(17, 18),),
    "wmi_event": (_sysmon(19, 20, 21),),
    "dns_query": (
        _sysmon(22),
        Place(
            "windows",
            "microsoft-windows-dns-client/operational",
            frozenset({3008}),
            _RESOLVED,
            frozenset(_RESOLVED) | SYSTEM.keys(),
        ),
    ),
    "file_delete": (_sysmon(23, 26),),
    "file_delete_detected": (_sysmon(26),),
    "clipboard_change": (_sysmon(24),),
    "clipboard_capture": (_sysmon(24),),
    "process_tampering": (_sysmon(25),),
    "file_block": (_sysmon(27),),
    "file_block_executable": (_sysmon(27),),
    "file_block_shredding": (_sysmon(28),),
    "file_executable_detected": (_sysmon(29),),
    "sysmon_error": (_sysmon(255),),
    "file_access": (
        Place("windows", _KERNEL_FILE, frozenset({12, 15, 16})),
        _audit(_ACCESSED, 4663, only=_FILE),
    ),
    "file_rename": (Place("windows", _KERNEL_FILE, frozenset({19, 27, 28})),),
    "ps_module": _service("powershell", frozenset({4103})),
    "ps_script": _service("powershell", frozenset({4104})),
    "ps_classic_start": _service("powershell-classic", frozenset({400})),
    "ps_classic_provider_start": _service("powershell-classic", frozenset({600})),
    "ps_classic_script": _service("powershell-classic", frozenset({800})),
}
_DEFENDER = Place(
    "windows",
    CHANNELS["windefend"][0].lower(),
    frozenset({*range(1006, 1013), 1015, 1017, 1018, 1019, 1115, 1116, 1117}),
    {**NAMED_WITH_SPACES["windefend"], **_ANTIVIRUS},
)


def places(product: str | None, category: str | None, service: str | None) -> tuple[Place, ...]:
    """The places a log source stands for; none where it is not known."""
    said = [w.lower() if w else None for w in (product, category, service)]
    if said[0] == "atm":
        return (Place(said[2], own=True),) if said[1] is None and said[2] in ATM else ()
    if said[1] == "antivirus" and said[0] in {None, "windows"}:
        return (_DEFENDER,)
    if said[0] != "windows":
        return ()
    if said[1] is not None:
        found = _CATEGORIES.get(said[1], ())
        return (
            found if said[2] is None else tuple(p for p in found if p.channel in {c.lower() for c in CHANNELS.get(said[2], ())})
        )
    if said[2] is None:
        return (Place("windows", None, None, _DATA),)
    return _service(said[2]) if said[2] in CHANNELS else ()


def known() -> str:
    """The log sources there are, in words."""
    services, categories = ", ".join(sorted(CHANNELS)), ", ".join(sorted({*_CATEGORIES, "antivirus"}))
    windows = f"product windows with a service ({services}) or a category ({categories})"
    return f"{windows}, or product atm with a service ({', '.join(ATM)})"
