"""Bytes as the gate wants them: whole lines, in pieces it takes at once."""

from collections.abc import Iterator

import msgspec
from pydantic import Field, field_validator

from jackstop.intake import Common

PIECE = (4 << 20) - (8 << 10)
"""Bytes put before the gate at once: what it takes, less room for a header line."""

_VALUE = msgspec.json.Decoder(msgspec.Raw)
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])


class Lined(Common):
    """Keys of intakes that are handed whole messages.

    Attributes:
        lines: whether what comes is lines, so that a message without a line feed at its end is given one; false for what is
            framed otherwise (`ndc` and `iso8583` with length frames, `hyosung-journal`, `evtx`).
        header: a line put before each message, for `switch-csv` rows that come without their header row (a reader passes
            over a header that comes again).
    """

    lines: bool = True
    header: str | None = Field(default=None, max_length=4096, pattern=r"^[^\r\n]+$")

    @field_validator("format")
    @classmethod
    def _said(cls, name: str) -> str:
        if name == "auto":
            raise ValueError("format auto, expected one by name: a stream has no beginning to tell it by")
        return name


class TooLong(ValueError):
    """A line is longer than the gate takes at once."""


def whole(config: Lined, data: bytes) -> bytes:
    """A message with a line feed at its end, where it is lines."""
    return data if not config.lines or data.endswith(b"\n") else data + b"\n"


def headed(config: Lined, piece: bytes) -> bytes:
    """A piece with the header line before it, where there is one."""
    return f"{config.header}\n".encode() + piece if config.header else piece


def pieces(data: bytes, *, lines: bool) -> Iterator[bytes]:
    """Data cut into what the gate takes at once; lines are cut at their ends.

    Raises:
        TooLong: there is no end of a line in as many bytes.
    """
    start = 0
    while len(data) - start > PIECE:
        end = data.rfind(b"\n", start, start + PIECE) + 1 if lines else start + PIECE
        if end <= start:
            raise TooLong(f"a line longer than {PIECE} bytes, expected line feeds")
        yield data[start:end]
        start = end
    if start < len(data):
        yield data[start:] if start else data


def pieces_of_any(data: bytes) -> list[bytes]:
    """Data of whatever framing, cut at ends of lines where it has them."""
    try:
        return list(pieces(data, lines=True))
    except TooLong:
        return list(pieces(data, lines=False))


def one_line(document: bytes) -> bytes:
    """A JSON document as one line: its own bytes but for line breaks, which JSON has between its tokens only (RFC 8259 §2, §7).

    Raises:
        ValueError: it is not JSON.
    """
    try:
        _VALUE.decode(document)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return document.translate(None, b"\r\n")


def unfolded(body: bytes) -> bytes:
    """JSON that is an array, or one document over several lines, as a document a line; anything else as it is.

    Raises:
        ValueError: it begins as an array and is not JSON.
    """
    begin = body.lstrip()[:1]
    if begin == b"[":
        try:
            return b"".join([bytes(d).translate(None, b"\r\n") + b"\n" for d in _ARRAY.decode(body)])
        except RecursionError:
            raise ValueError("nested too deeply") from None
    if begin == b"{" and body.find(b"\n", 0, body.rfind(b"}")) >= 0:
        try:
            return one_line(body) + b"\n"
        except ValueError:
            return body
    return body
