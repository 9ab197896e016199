"""Records given to others show no card data, however it is spelt; what holds none stays as it was, byte for byte."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop import formats
from jackstop.formats._redacting import redact

CARD = "4111111111111111"
SPELLINGS = (
    lambda c: c.encode(),
    lambda c: f"PAN {c[:4]} {c[4:8]} {c[8:12]} {c[12:]} ok".encode(),
    lambda c: f";{c}=25121011234?".encode(),
    lambda c: json.dumps({"card": c}).encode(),
    lambda c: b'{"card":"' + b"".join(b"\\u%04x" % ord(d) for d in c) + b'"}',
    lambda c: b'{"card":"' + c[:3].encode() + b"\\u%04x" % ord(c[3]) + c[4:].encode() + b'"}',
    lambda c: b'{"data":"' + base64.b64encode(f";{c}=25121011234?".encode()) + b'"}',
    lambda c: c.encode("utf-16-le"),
    lambda c: c.encode("utf-16"),
    lambda c: "".join(chr(ord(d) - 48 + 0xFF10) for d in c).encode(),
)


def digits(raw: bytes) -> str:
    """All digits of a text, however they are spelt."""
    text = raw.decode("utf-8", "replace")
    for n in range(10):
        text = text.replace(f"\\u{48 + n:04x}", str(n)).replace(chr(0xFF10 + n), str(n)).replace("\0", "")
    return "".join(c for c in text if c.isdigit())


@pytest.mark.parametrize("spelt", SPELLINGS)
@given(card=st.text("0123456789", min_size=15, max_size=15), around=st.sampled_from([b"", b"\r\n", b" CASH TAKEN\n"]))
@settings(max_examples=30, deadline=None)
def test_no_card_number_is_shown_however_it_is_spelt(spelt, card: str, around: bytes) -> None:
    full = next(card + d for d in "0123456789" if _luhn(card + d))
    raw = around + spelt(full) + around
    found = redact(raw)
    assert found is None or full not in digits(found)
    if found is not None:
        assert full.encode() not in b"".join(base64.b64decode(t + b"==") for t in found.split(b'"') if len(t) in {36, 40})


def _luhn(card: str) -> bool:
    return sum(sum(divmod(int(d) * (1 + i % 2), 10)) for i, d in enumerate(reversed(card))) % 10 == 0


@pytest.mark.parametrize(
    "raw",
    [
        b"*123*03/01/2026*02:11*CASH TAKEN\r\n",
        b"\x1b(I\x1c200\x1d counters 12,34,56,78\r\n",
        '{"text":"現金 取引"}\n'.encode(),
        "現金 取引\r\n".encode("cp932"),
        b'{"sha256":"' + b"ab12" * 16 + b'","b64":"aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ="}\n',
        b"",
    ],
)
def test_what_holds_no_card_data_stays_as_it_was(raw: bytes) -> None:
    assert redact(raw) == raw
    assert redact(raw, "cp932") == raw


def test_text_keeps_the_encoding_it_was_in() -> None:
    raw = f"カード {CARD} 取引".encode("cp932")
    assert redact(raw, "cp932") == "カード 411111******1111 取引".encode("cp932")
    assert redact(raw, "no such encoding") == raw.replace(CARD.encode(), b"411111******1111")


@pytest.mark.parametrize("name", ["iso8583", "ndc"])
def test_formats_whose_card_data_no_mask_reaches_are_withheld(name: str) -> None:
    assert formats.shown(b'{"hex":"0200"}\n', name) is None


def test_other_formats_are_shown_with_card_data_masked() -> None:
    assert formats.shown(b"4111111111111111\n", "ncr-journal") == b"411111******1111\n"
    assert formats.shown(b"4111111111111111\n", None) == b"411111******1111\n"
    assert formats.shown(b"ElfFile\x00\x00", "evtx") is None


@given(st.binary(max_size=400), st.sampled_from([None, "utf-8", "cp932", "utf-16", "cp037", "idna", "rot13", "zlib"]))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_shown_or_withheld(raw: bytes, encoding: str | None) -> None:
    found = redact(raw, encoding)
    assert found is None or isinstance(found, bytes)
