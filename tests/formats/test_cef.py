"""Doors and alarms in the words of many panels."""

import pytest

from jackstop import formats
from jackstop.formats._cef_words import said
from jackstop.model.fleet import Reading

WORDS = [
    ("cabinet_door_open", ("opened", "cabinet", "door")),
    ("Cabinet door OPEN", ("opened", "cabinet", "door")),
    ("CabinetDoorClosed", ("closed", "cabinet", "door")),
    ("Top hat opened", ("opened", "fascia", "door")),
    ("SAFE DOOR CLOSED", ("closed", "safe", "door")),
    ("vault open", ("opened", "safe", "door")),
    ("Tamper ALARM", ("tamper", "unknown", "tamper")),
    ("seismic sensor alarm", ("alarm", "unknown", "seismic")),
    ("Safe seismic restored", ("restored", "safe", "seismic")),
    ("User logged in", None),
]


@pytest.mark.parametrize(("text", "meaning"), WORDS)
def test_a_message_means_the_same_in_any_spelling(text, meaning):
    found = said(text, {})
    assert (found and tuple(found)) == meaning


def read(line: str, **options):
    return formats.find("cef").reader(Reading(name="p", **options)).feed(line.encode(), final=True)


def test_a_sites_own_words_come_first():
    row = read("<13>1 2026-03-01T02:00:00Z ATM1 x - - - DOOR17 event", events={"DOOR17": "safe.opened"}).tables.cabinet
    assert row.select("activity", "part", "sensor", "terminal", "naming").row(0) == ("opened", "safe", "door", "ATM1", "hostname")


def test_a_wrong_override_is_refused_with_what_was_expected():
    (refusal,) = read("<13>1 2026-03-01T02:00:00Z ATM1 x - - - DOOR17", events={"DOOR17": "moon.landed"}).refusals
    assert "expected part.activity" in refusal.reason


@pytest.mark.parametrize(
    ("line", "time"),
    [
        ("<13>1 2026-03-01T02:00:00+01:00 h a - - - cabinet door open", "2026-03-01T01:00:00+00:00"),
        ("<13>Mar  1 02:00:00 h CEF:0|V|P|1|x|cabinet door open|5|rt=1772330400000", "2026-03-01T02:00:00+00:00"),
    ],
)
def test_a_stamp_is_read_where_it_tells_its_year(line, time):
    assert read(line).tables.cabinet["time"][0].isoformat() == time


def test_a_stamp_without_a_year_is_refused_not_guessed():
    (refusal,) = read("<13>Mar  1 02:00:00 h cabinet door open").refusals
    assert "year" in refusal.reason


def test_the_account_names_the_terminal_before_the_host():
    row = read(
        "<13>1 2026-03-01T02:00:00Z panel a - - - CEF:0|V|P|1|x|safe door open|5|cs1=4711 cs1Label=account dhost=PC9"
    ).tables.cabinet
    assert row.select("terminal", "naming").row(0) == ("4711", "alarm_account")
