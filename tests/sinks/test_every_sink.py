"""What every sink promises: one line an alert, whatever the logs say, in both languages, with the words of the alert."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from some_alerts import ALERT, hostile

from jackstop import sinks
from jackstop.sinks import Telling

BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
TEXT = st.text(st.one_of(st.characters(), st.sampled_from(BREAKS + '|=\\"{}\x00\x1b\ud800')), max_size=60)


def test_the_sinks_are_found_by_their_files():
    assert sinks.names() == ("cef", "ecs", "leef", "ocsf")


def test_an_unknown_sink_is_told_with_those_there_are():
    with pytest.raises(LookupError, match="cef, ecs, leef, ocsf"):
        sinks.find("leaf")


@pytest.mark.parametrize("name", sinks.names())
@pytest.mark.parametrize("lang", ["en", "ja"])
@given(text=TEXT)
@settings(max_examples=150, deadline=None)
def test_whatever_a_log_says_an_alert_stays_one_line_of_utf_8(name, lang, text):
    line = sinks.find(name).line(hostile(text), lang)
    assert line.splitlines() == [line]
    assert "\x00" not in line and "\x1b" not in line
    line.encode("utf-8")


@pytest.mark.parametrize("name", sinks.names())
@pytest.mark.parametrize("updated", [False, True])
@given(text=TEXT, revision=st.integers(1, 2**31), most=st.integers(0, 300))
@settings(max_examples=50, deadline=None)
def test_told_live_an_alert_stays_one_line_too_and_names_its_revision(name, updated, text, revision, most):
    line = sinks.find(name).line(hostile(text), "en", Telling(revision, updated=updated, most=most))
    assert line.splitlines() == [line]
    assert str(revision) in line


@pytest.mark.parametrize("name", sinks.names())
def test_an_updated_alert_is_told_as_an_update_and_a_new_one_is_not(name):
    sink = sinks.find(name)
    new, updated = (sink.line(ALERT, "en", Telling(3, updated=u)) for u in (False, True))
    assert re.search(r"\bupdate", updated.lower()) and not re.search(r"\bupdate", new.lower())


@pytest.mark.parametrize("name", sinks.names())
def test_outside_the_live_service_no_revision_is_told(name):
    assert "revision" not in sinks.find(name).line(ALERT)


@pytest.mark.parametrize("name", ["ecs", "ocsf"])
@given(text=TEXT)
@settings(max_examples=150, deadline=None)
def test_hostile_words_come_back_from_json_as_they_were_and_change_no_key(name, text):
    told, calm = (json.loads(sinks.find(name).line(a)) for a in (hostile(text), hostile("x")))
    assert shape(told) == shape(calm)
    assert text.encode("utf-8", "backslashreplace").decode() in everything(told)


@pytest.mark.parametrize("name", sinks.names())
def test_japanese_lines_have_the_japanese_title_and_english_ones_the_english(name):
    sink = sinks.find(name)
    assert ALERT.title in sink.line(ALERT, "en")
    assert ALERT.title not in sink.line(ALERT, "ja")
    assert "説明のつかない金額 800.00 USD" in sink.line(ALERT, "ja")


def shape(value: object) -> object:
    """The keys of a document and the kinds of its values; keys of `detail` come from logs and are left out."""
    match value:
        case dict():
            return {k: shape(v) for k, v in value.items() if k != "detail"}
        case list():
            return [shape(v) for v in value]
        case _:
            return type(value).__name__


def everything(value: object) -> set[object]:
    """Every string in a document."""
    match value:
        case dict():
            return {*value, *(s for v in value.values() for s in everything(v))}
        case list():
            return {s for v in value for s in everything(v)}
        case _:
            return {value}
