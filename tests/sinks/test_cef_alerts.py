"""CEF, read back by a slow reader that follows the standard's own words."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from some_alerts import ALERT, RECORD, hostile

from jackstop.model.results import SEVERITIES
from jackstop.sinks import Telling, cef

GOLDEN = (
    "CEF:0|jackstop|jackstop|0.1.0|dispense.unexplained|Cash left with no authorisation|10|"
    "externalId=0123456789abcdef rt=1772330479120 start=1772330467120 end=1772330479120 cat=dispense.unexplained cnt=2 "
    "dhost=ATM-0001 deviceExternalId=ATM-0001 "
    "msg=Cash left with no authorisation (ATM-0001): 800.00 USD unexplained "
)
KEYS = (
    "externalId rt start end cat cnt dhost deviceExternalId msg reason cs1Label cs1 cs2Label cs2 cs3Label cs3 cs4Label cs4 "
    "cs5Label cs5 cs6Label cs6 cn1Label cn1 cn2Label cn2 flexString1Label flexString1"
).split()


def read(line: str) -> tuple[list[str], dict[str, str]]:
    """Header fields and extension of a line of CEF, character by character."""
    fields, part, at = [], "", 0
    while len(fields) < 7:
        if line[at] == "\\":
            assert line[at + 1] in "\\|", "only backslash and pipe are escaped in a header"
            part, at = part + line[at + 1], at + 2
        elif line[at] == "|":
            fields, part, at = [*fields, part], "", at + 1
        else:
            part, at = part + line[at], at + 1
    return fields, extension(line[at:])


def extension(text: str) -> dict[str, str]:
    """Keys and values: a bare `=` ends a key, which begins after the last space before it."""
    marks = [i for i, c in enumerate(text) if c == "=" and backslashes(text, i) % 2 == 0]
    starts = [text.rfind(" ", 0, i) + 1 for i in marks]
    ends = [s - 1 for s in starts[1:]] + [len(text)]
    found = [(text[s:m], plain(text[m + 1 : e])) for s, m, e in zip(starts, marks, ends, strict=True)]
    assert len({k for k, _ in found}) == len(found), "a key stands twice"
    return dict(found)


def backslashes(text: str, at: int) -> int:
    """How many backslashes stand right before a place."""
    return len(text[:at]) - len(text[:at].rstrip("\\"))


def plain(text: str) -> str:
    """A value without its escapes."""
    out, at = "", 0
    while at < len(text):
        if text[at] == "\\":
            out += {"n": "\n", "r": "\r"}.get(text[at + 1], text[at + 1])
            at += 2
        else:
            out, at = out + text[at], at + 1
    return out


def test_an_alert_is_this_line():
    line = cef.line(ALERT)
    assert line.startswith(GOLDEN)
    header, values = read(line)
    assert header[:4] == ["CEF:0", "jackstop", "jackstop", "0.1.0"]
    assert list(values) == KEYS
    assert (values["cn1"], values["cn2"], values["cs3"]) == ("80000", "1600000", "USD")
    assert values["cs5"].split()[1] == f"{RECORD.path}@1234+210:{RECORD.sha256}"


def test_severities_fall_into_the_words_of_the_standard():
    shown = {s: int(read(cef.line(replace(ALERT, severity=s)))[0][6]) for s in SEVERITIES}
    assert shown["info"] <= 3 and shown["low"] <= 3
    assert 4 <= shown["medium"] <= 6
    assert 7 <= shown["high"] <= 8
    assert 9 <= shown["critical"] <= 10


TEXT = st.text(st.one_of(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), st.sampled_from("|=\\\n\r ")), max_size=80)


@given(text=TEXT)
@settings(max_examples=300, deadline=None)
def test_hostile_words_end_no_field_and_come_back_whole(text):
    header, values = read(cef.line(hostile(text)))
    assert header[5] == text.replace("\n", " ").replace("\r", " ")
    assert set(values) <= set(KEYS)
    if text:
        assert values["dhost"] == text
        assert values["cs4"] == text
        assert values["cs5"] == f"{text}{RECORD.path}@0+1:{'ef' * 32}"


def test_values_are_cut_to_the_lengths_of_the_standard_before_they_are_escaped():
    _, values = read(cef.line(hostile("=" * 5000)))
    assert len(values["dhost"]) == 1023
    assert len(values["deviceExternalId"]) == 255
    assert len(values["cs4"]) == 4000


def test_what_is_empty_is_left_out():
    _, values = read(cef.line(replace(ALERT, visits=(), verdicts=())))
    assert "cs4" not in values and "cs4Label" not in values and "flexString1Label" not in values


def test_live_the_revision_and_what_is_new_stand_beside_their_labels():
    later = replace(ALERT, updated_at=ALERT.updated_at + 5_000_000)
    _, values = read(cef.line(later, "en", Telling(7, updated=True)))
    assert (values["cn3Label"], values["cn3"]) == ("revision", "7")
    assert (values["flexString2Label"], values["flexString2"]) == ("status", "updated")
    assert values["externalId"] == ALERT.id
    assert int(values["rt"]) == ALERT.updated_at // 1000 + 5000
