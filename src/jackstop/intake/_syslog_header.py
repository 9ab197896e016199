"""The message behind a syslog header (RFC 5424, RFC 3164), for senders that put whole records of another format there.

    <13>1 2026-03-01T02:11:07Z PC1 nxlog 12 - [x@1 a="b"] {"EventID":7045}     →  {"EventID":7045}
    <13>Mar  1 02:11:07 PC1 winlogbeat[12]: {"@timestamp":"…"}                 →  {"@timestamp":"…"}

Every pattern is linear in the line.
"""

import re

_PRIORITY = re.compile(rb"<\d{1,3}>")
_NEW = re.compile(rb"1 \S{1,64} \S{1,255} \S{1,48} \S{1,128} \S{1,32} ")
_OLD = re.compile(rb"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (?:\S{1,255} )?")
_STAMPED = re.compile(rb"\d{4}-\d\d-\d\dT\S{8,30} \S{1,255} ")
_TAG = re.compile(rb"[^\s\[\]:{<]{1,64}(?:\[[^\]\s]{0,64}\])?: ?")
_ELEMENT = re.compile(rb'\[(?:[^"\\\]]|"(?:[^"\\]|\\.)*+"|\\.)*+\]')
_BOM = b"\xef\xbb\xbf"


def body(line: bytes) -> bytes:
    """What a line says behind its header; the whole line where it has none."""
    head = _PRIORITY.match(line)
    if head is None:
        return line
    new = _NEW.match(line, head.end())
    if new is not None:
        return _after_data(line, new.end()).removeprefix(_BOM)
    old = _OLD.match(line, head.end()) or _STAMPED.match(line, head.end())
    at = old.end() if old else head.end()
    tag = _TAG.match(line, at)
    return line[tag.end() if tag else at :].removeprefix(_BOM)


def _after_data(line: bytes, at: int) -> bytes:
    """The message after structured data: nothing (`-`) or elements in brackets."""
    if line.startswith(b"-", at):
        return line[at + 1 :].removeprefix(b" ")
    while found := _ELEMENT.match(line, at):
        at = found.end()
    return line[at:].removeprefix(b" ")
