"""The report at a terminal: the facts are there, and what logs say steers nothing."""

import io

import pytest
from fake_report import large, report
from hostile import with_text
from rich.console import Console

from jackstop.report import texts
from jackstop.report.text import render


def shown(of=None, lang="en", *, colour=False, width=120, **more) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=colour, color_system="standard" if colour else None)
    render(of or report(), console, lang, **more)
    return console.file.getvalue()


def test_the_facts_of_the_worst_alert_are_on_the_screen():
    said = shown()
    for fact in (
        "2 alerts page a person. 16,000.00 USD left the machines without an explanation.",
        "Explained 98.84 % (of 1,041 decided)",
        "critical  Cash left with no authorisation – ATM-0004",
        "Take the terminal out of service and look at its camera now.",
        "4,000.00 USD",
        "32,140.00 USD",
        "2026-03-01 03:19:23 -05:00 (16 min 12 s after the first event)",
        "T1106, T1200",
        "logs/alarms.log@88412  sha256 de460c4b31d9f76c",
        "Notes picked ×5 · 4,000.00 USD · unexplained",
        "Opened · PC compartment",
    ):
        assert fact in said, fact


def test_each_terminal_has_its_line_with_its_verdicts_and_worst_alert():
    line = next(x for x in shown().splitlines() if x.startswith("ATM-0004"))
    assert line.split() == ["ATM-0004", "critical", "337", "331", "–", "–", "–", "5", "1", "4,000.00", "USD"]


def test_alerts_are_told_gravest_first():
    said = shown()
    places = [said.index(f"– ATM-000{n}\n") for n in (2, 4, 6)]
    assert places == sorted(places)


def test_it_speaks_japanese():
    said = shown(lang="ja")
    for fact in ("担当者の対応が必要な警報が 2 件あります。", "承認のない現金の払い出し – ATM-0004", "安全な初動", "説明なし"):
        assert fact in said, fact


def test_a_pipe_gets_no_colours_and_a_terminal_does():
    assert "\x1b" not in shown()
    assert "\x1b[" in shown(colour=True)


@pytest.mark.parametrize("lang", texts.LANGUAGES)
@pytest.mark.parametrize(
    "payload", ["\x1b[2J\x1b]0;owned\x07", "[red]gone[/red]", "[link=file:///x]y[/link]", "\u202eexe.gnp", "\ud800", "\r\n"]
)
def test_hostile_words_neither_steer_the_terminal_nor_act_as_markup(payload, lang):
    said = shown(with_text(report(), payload), lang)
    assert not set(said) & set("\x1b\x07\r\u202e\ud800")
    if payload.startswith("["):
        assert payload.split("]")[0] in said


def test_many_alerts_are_counted_after_the_first_and_quiet_terminals_too():
    said = shown(large(), most=3)
    assert said.count("First safe step") == 3
    assert "… and 47 more alerts in alerts.jsonl" in said
    assert "150 terminals without an alert" in said


def test_a_narrow_screen_keeps_every_figure():
    assert "12,000.00" in shown(width=60)
