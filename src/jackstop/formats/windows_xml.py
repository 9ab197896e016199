"""Windows events as XML: one or many `<Event>` elements, as `wevtutil`, Event Viewer and event forwarding write them.

    <Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System><Provider Name="EventLog"/>
    <EventID>6005</EventID><TimeCreated SystemTime="2026-03-01T02:11:07.1200000Z"/><EventRecordID>4711</EventRecordID>
    <Channel>System</Channel><Computer>ATM0001</Computer><Security UserID="S-1-5-18"/></System><EventData/></Event>

Source: formats.md §5.2; Microsoft's event schema. Fills windows, operator, feeds as `winlogbeat` does. Elements are framed by
their tags; a document type or an entity declaration is refused, so no entity is ever expanded.
"""

import re
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from jackstop.formats._iso_stamp import write
from jackstop.formats._reading import Frame, Reader, Unreadable
from jackstop.formats._windows_data import FIELDS, free
from jackstop.formats._windows_events import Event
from jackstop.formats._windows_lines import WindowsReader, Written, instant, joined, number, written
from jackstop.formats._windows_words import keywords, small
from jackstop.model.fleet import Reading
from jackstop.model.tables import Tables

FILLS = ("windows", "operator", "feeds")
CLOCK = "pc"

_START = re.compile(rb"<Event[\s>]")
_END = b"</Event>"
_FORBIDDEN = (b"<!DOCTYPE", b"<!ENTITY")
_SPACE = re.compile(r"\{[^}]{0,200}\}")
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML 1.0 cannot hold."""
_NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"


class _XmlReader(WindowsReader):
    def frames(self, buffer: bytes, *, final: bool) -> Iterator[Frame]:
        """Elements from `<Event` to `</Event>`; of several beginnings before one end, the last."""
        at = 0
        while (end := buffer.find(_END, at)) >= 0:
            starts = [m.start() for m in _START.finditer(buffer, at, end)]
            if starts:
                yield Frame(starts[-1], end + len(_END))
            at = end + len(_END)

    def decode(self, record: bytes) -> bool:
        if any(word in record for word in _FORBIDDEN):
            raise Unreadable("a document type or entity, expected plain event XML")
        try:
            root = ElementTree.fromstring(record)  # noqa: S314 - no DTD can reach it: refused above
        except (ElementTree.ParseError, ValueError, LookupError):
            raise Unreadable("not well formed, expected event XML") from None
        event = _event(root)
        self.note_time(event.time)
        self.meanings.add(event)
        return True


def _event(root: ElementTree.Element) -> Event:
    """The event of an `Event` element.

    Raises:
        Unreadable: it has no time or no number.
    """
    system: dict[str, str | None] = {}
    data: dict[str, str] = {}
    for part in root:
        name = _local(part)
        if name == "System":
            for child in part:
                _system(child, system)
        elif name == "EventData":
            for n, child in enumerate(part, 1):
                data[_data_name(child, n)] = child.text or ""
        elif name == "UserData":
            for leaf in part.iter():
                if len(leaf) == 0 and len(data) < FIELDS:
                    data[free(data, _local(leaf))] = leaf.text or ""
    record = (system.get("EventRecordID") or "").strip()
    return Event(
        instant(system.get("time")),
        system.get("Channel"),
        system.get("provider"),
        number(system.get("EventID"), "EventID"),
        system.get("Computer"),
        int(record) if record.isascii() and record.isdigit() and len(record) < 19 else None,
        system.get("user"),
        data,
        small(system.get("Level")),
        keywords(system.get("Keywords")),
        small(system.get("process")),
    )


def _local(element: ElementTree.Element) -> str:
    return _SPACE.sub("", element.tag) if isinstance(element.tag, str) else ""


def _data_name(child: ElementTree.Element, number: int) -> str:
    """An element's `Name`; `Binary` and the like have their own; what has none is counted."""
    tag = _local(child)
    return child.get("Name") or (f"param{number}" if tag in {"Data", "ComplexData"} else tag)


_ATTRIBUTES = {
    "Provider": (("Name", "provider"), ("EventSourceName", "source")),
    "TimeCreated": (("SystemTime", "time"),),
    "Security": (("UserID", "user"),),
    "Execution": (("ProcessID", "process"),),
}


def _system(child: ElementTree.Element, system: dict[str, str | None]) -> None:
    """Take one element of `System`."""
    name = _local(child)
    for attribute, ours in _ATTRIBUTES.get(name, ()):
        system[ours] = child.get(attribute)
    if name == "Provider" and not system["provider"]:
        system["provider"] = system["source"]
    elif name in {"EventID", "EventRecordID", "Channel", "Computer", "Level", "Keywords"}:
        system[name] = (child.text or "").strip()


def sniff(head: bytes, name: str) -> int:
    """Whether an `<Event` of Microsoft's schema stands near the beginning."""
    start = head[:4096]
    if not _START.search(start):
        return 0
    return 97 if b"schemas.microsoft.com/win" in start else 50


def reader(reading: Reading) -> Reader:
    """A reader at the beginning of a source."""
    return _XmlReader(reading)


def encode(tables: Tables, reading: Reading) -> bytes:
    """Rows of `windows` as elements, one a line, in time order."""
    return joined([_element(row) for row in written(tables)])


def _element(row: Written) -> bytes:
    system = [f"<Provider Name={quoteattr(row.provider or '')}/><EventID>{row.code}</EventID>"]
    system.append(f"<TimeCreated SystemTime={quoteattr(write(row.time, 6))}/>")
    system.append(f"<EventRecordID>{row.record_id}</EventRecordID>" if row.record_id is not None else "")
    system.append(f"<Level>{row.level}</Level>" if row.level is not None else "")
    system.append(f"<Keywords>{_escaped(row.keywords)}</Keywords>" if row.keywords else "")
    system.append(f'<Execution ProcessID="{row.process}" ThreadID="0"/>' if row.process is not None else "")
    system.append(f"<Channel>{_escaped(row.channel)}</Channel><Computer>{_escaped(row.computer)}</Computer>")
    system.append(f"<Security UserID={quoteattr(row.user)}/>" if row.user else "")
    items = "".join(f"<Data Name={quoteattr(k)}>{_escaped(v)}</Data>" for k, v in row.data.items())
    return f'<Event xmlns="{_NAMESPACE}"><System>{"".join(system)}</System><EventData>{items}</EventData></Event>'.encode()


def _escaped(text: str | None) -> str:
    """Text as an element holds it; carriage returns by number, for XML reads a bare one as a line feed."""
    return escape(_UNFIT.sub("", text or ""), {"\r": "&#13;"})
