"""Card data never leaves a reader, however it is spelt; what is no card number stays as it is."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jackstop import formats
from jackstop.formats._iso_stamp import _WHOLE, _quick, parse
from jackstop.formats._masking import luhn, mask, pan
from jackstop.formats._windows_masking import clean, hidden
from jackstop.model.fleet import Reading

READING = Reading(name="w")
KEPT = (
    "S-1-5-21-1587066498-1489273250-1035260531-1108",
    "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
    "{00000000-0000-0000-0000-000000000000}",
    "{0CCE9210-69AE-11D9-BED3-505054503030}",
    "{B3C285A4-3CDA-5DC0-0000-001077270B00}",
)


def slow_luhn(digits: str) -> bool:
    total = 0
    for i, d in enumerate(reversed(digits)):
        n = int(d) * (2 if i % 2 else 1)
        total += n - 9 if n > 9 else n
    return total % 10 == 0


@given(st.text("0123456789٤४", max_size=24))
def test_the_check_of_card_numbers_is_the_standards(digits):
    assert luhn(digits) == slow_luhn(digits)


@st.composite
def cards(draw) -> str:
    body = draw(st.text("0123456789", min_size=12, max_size=17).filter(lambda b: b.strip("0")))
    return next(body + d for d in "0123456789" if slow_luhn(body + d))


SPELLINGS = (
    lambda c: c,
    lambda c: " ".join(c[i : i + 4] for i in range(0, len(c), 4)),
    lambda c: "-".join(c[i : i + 4] for i in range(0, len(c), 4)),
    lambda c: f"{c[:4]}-{c[4:10]}-{c[10:]}",
    lambda c: f";{c}=2512101123400001230?",
    lambda c: f"card {c}, S-1-5-18",
    lambda c: f"x{c}x{{0CCE9210-69AE-11D9-BED3-505054503030}}",
    lambda c: f"S-1-5-21-{c}",
    lambda c: f"S-1-5-{c[:4]}-{c[4:8]}-{c[8:12]}-{c[12:]}",
)


def bare(card: str, text: str) -> bool:
    """Whether the card's digits stand in the text, whatever is between them."""
    return card in "".join(c for c in text if c not in " -")


AROUND = ("{}", "a{}b", "\x01{}", "é{}", '"{}"', "\\{}", "\n{}\t", "20 {}", "2026-03-01 {} 12")
TIME = "2026-03-01T02:11:07Z"


def lines(text: str, number: int) -> dict[str, object]:
    """An event that has the text everywhere, as each shipper writes it."""
    names = {"channel": text, "provider_name": text, "computer_name": text, "user": {"identifier": text}}
    data = {"A": text, text: "x", "N": number, "L": [text, {"k": text}]}
    win = {"system": {"eventID": "1", "channel": text, "computer": text, "systemTime": TIME}, "eventdata": {"a": text}}
    return {
        "winlogbeat": {"@timestamp": TIME, "winlog": names | {"event_id": 1, "event_data": data}},
        "wazuh": {"data": {"win": win}},
        "nxlog": {"EventID": 1, "Channel": text, "Hostname": text, "EventTime": TIME, **data},
    }


@given(card=cards(), spelling=st.sampled_from(SPELLINGS), around=st.sampled_from(AROUND), ascii_only=st.booleans())
@settings(max_examples=300, deadline=None)
@example(card="4111111111111111", spelling=SPELLINGS[0], around="\x00{}", ascii_only=True)
def test_a_card_number_in_any_field_name_or_spelling_never_gets_out(card, spelling, around, ascii_only):
    for name, line in lines(around.format(spelling(card)), int(card)).items():
        got = formats.find(name).reader(READING).feed(json.dumps(line, ensure_ascii=ascii_only).encode(), final=True)
        assert got.tables.windows.height == 1
        for column in got.tables.windows.select("terminal", "channel", "provider", "computer", "user"):
            assert not any(bare(card, v or "") for v in column), (name, column.name)
        for data in got.tables.windows["data"]:
            told = json.loads(data)
            assert not any(bare(card, piece) for pair in told.items() for piece in pair), (name, told)


@given(card=cards())
@settings(max_examples=200)
def test_escaped_digits_are_found_like_plain_ones(card):
    escaped = "".join(f"\\u{ord(c):04x}" for c in card)
    line = (
        b'{"@timestamp":"2026-03-01T02:11:07Z","winlog":{"channel":"S","event_id":1,"event_data":{"A":"%s"}}}' % escaped.encode()
    )
    got = formats.find("winlogbeat").reader(READING).feed(line, final=True)
    data = json.loads(got.tables.windows["data"][0])
    assert data["A"] == pan(card)


@pytest.mark.parametrize("text", KEPT)
def test_identifiers_are_no_card_numbers(text):
    assert hidden(f"{text} {text}") == f"{text} {text}"
    line = {"@timestamp": "2026-03-01T02:11:07Z", "winlog": {"channel": "S", "event_id": 1, "event_data": {"A": text}}}
    got = formats.find("winlogbeat").reader(READING).feed(json.dumps(line).encode(), final=True)
    assert json.loads(got.tables.windows["data"][0]) == {"A": text}


@given(st.text('0123456789-S {}abcdefABC=;%^?.\\"u', max_size=80))
@settings(max_examples=300)
def test_what_is_said_to_be_clean_is_left_alone_by_the_mask(text):
    if clean(text.encode()) and "S-1-" not in text and "{" not in text:
        assert mask(text) == text


@given(st.one_of(st.from_regex(_WHOLE, fullmatch=True), st.from_regex(r"[0-9]{4}-[0-9:T.-]{6,24}Z", fullmatch=True)))
@settings(max_examples=400)
def test_the_quick_way_with_stamps_says_what_the_pattern_says(text):
    if text[4:17:3] == "--T::" and text[-1:] == "Z" and (quick := _quick(text)) is not None:
        assert quick == parse(text[:-1] + "+00:00")
