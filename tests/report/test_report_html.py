"""The HTML report: complete, closed to the network, the same each time, and deaf to what logs say."""

import base64
import hashlib
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import pytest
from fake_report import large, report, trojan
from hostile import with_text
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop.model.results import Report
from jackstop.report import texts
from jackstop.report.html import html

PAYLOADS = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "</title></style></text><iframe src=//evil.example>",
    "{{ 7*7 }}{% raw %}",
    "&lt;b&gt;&#60;b&#62;",
    "javascript:alert(1)",
    "--><!--",
    "\u202egnp.exe\x1b[2J\x00\u2028",
    "\ud800",
    "]]>",
]  # fmt: skip


class Skeleton(HTMLParser):
    """The tags of a page in order, with names of attributes; texts and values apart."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.values: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, *(name for name, _ in attrs)))
        self.values += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        self.tags.append((f"/{tag}",))

    def handle_data(self, data):
        self.words.append(data)

    def handle_comment(self, data):
        self.tags.append(("comment",))

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@cache
def page(lang: str = "en") -> Skeleton:
    return Skeleton(html(report(), lang))


def shape(of: Report) -> list[tuple[str, ...]]:
    """The page's tags but for labels and details that depend on how long or known a word is."""
    return [t for t in Skeleton(html(of, "en")).tags if t[0] not in {"text", "/text", "code", "/code"}]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_words_change_no_tag_of_the_page(payload):
    assert shape(with_text(report(), payload)) == shape(with_text(report(), "plain"))


@settings(deadline=None, max_examples=25)
@given(st.text(st.characters(codec=None), min_size=1, max_size=30))
def test_no_word_at_all_changes_a_tag_of_the_page(payload):
    small = replace(report(), dossiers=(trojan(),))
    assert shape(with_text(small, payload)) == shape(with_text(small, "plain"))


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("lang", texts.LANGUAGES)
def test_the_page_is_sound_utf8_without_characters_that_hide_or_turn_text(payload, lang):
    made = html(with_text(report(), payload), lang)
    made.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]", made)


@pytest.mark.parametrize("lang", texts.LANGUAGES)
def test_the_page_loads_nothing_and_runs_nothing(lang):
    tags = {t[0] for t in page(lang).tags}
    assert not tags & {
        "script",
        "img",
        "iframe",
        "link",
        "object",
        "embed",
        "video",
        "audio",
        "base",
        "form",
        "image",
        "foreignobject",
    }
    for tag, name, value in page(lang).values:
        assert not name.startswith("on"), (tag, name)
        assert name not in {"src", "srcset", "style", "action", "poster", "xlink:href"}, (tag, name)
        if name == "href":
            assert re.fullmatch(r"#[a-z0-9-]+", value), value
    made = html(report(), lang)
    assert not re.search(r"https?:|//[a-z]|url\((?!#hatch\))|@import|@font-face|expression\(", made)


def test_the_page_forbids_itself_everything_but_its_own_style_sheet():
    made = html(report(), "en")
    (style,) = re.findall(r"<style>(.*?)</style>", made, re.S)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = next(v for t, n, v in page().values if t == "meta" and n == "content" and "default-src" in v)
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@pytest.mark.parametrize("lang", texts.LANGUAGES)
def test_every_link_leads_somewhere_and_no_place_has_two(lang):
    ids = [v for _, n, v in page(lang).values if n == "id"]
    assert len(ids) == len(set(ids))
    wanted = {v.removeprefix("#") for _, n, v in page(lang).values if n in {"href", "aria-labelledby"}}
    assert wanted <= set(ids)


@pytest.mark.parametrize("lang", texts.LANGUAGES)
def test_every_tag_that_is_opened_is_closed_in_order(lang):
    empty = {"meta", "br", "use", "line", "circle", "path", "rect"}
    open_: list[str] = []
    for tag, *_ in page(lang).tags:
        if tag.startswith("/"):
            name = tag.removeprefix("/")
            if name not in empty:
                assert open_.pop() == name
        elif tag not in empty:
            open_.append(tag)
    assert open_ == []


def test_the_same_report_gives_the_same_bytes():
    assert html(report(), "en") == html(report(), "en")


def test_the_page_tells_what_happened_where_how_much_and_what_to_do():
    said = page().text
    for fact in (
        "Example Bank",
        "2 alerts page a person.",
        "16,000.00 USD left the machines without an explanation.",
        "98.84 %",
        "Cash left with no authorisation",
        "Take the terminal out of service and look at its camera now.",
        "T1106, T1200",
        "32,140.00 USD",
        "16 min 12 s after the first event",
        "4,000.00 USD (×5)",
        "gap 4,000.00 USD",
        "no approved authorisation within window",
        trojan().alert.records[0].sha256,
        "chunk checksum is wrong (×12)",
        "+21.4 s ± 0.9 s",
        "41 records missing",
        "door and alarm contacts",
    ):
        assert fact in said, fact


def test_the_page_speaks_japanese():
    said = page("ja").text
    for fact in (
        "現金移動照合報告書",
        "承認のない現金の払い出し",
        "端末を直ちに取扱中止にし",
        "時間内に承認された取引がない",
        "16 分 12 秒",
    ):
        assert fact in said, fact
    assert ("html", "lang", "ja") in page("ja").values


def test_alerts_come_gravest_first_and_terminals_with_alerts_before_the_quiet():
    titles = re.findall(r'<h3 id="alert-\d+-title">(.*?)</h3>', html(report(), "en"))
    assert titles == ["Notes are missing from the cassettes", "Cash left with no authorisation", "Maintenance mode unannounced"]
    rows = re.findall(r'id="terminal-(\d+)"', html(report(), "en"))
    assert rows == ["1", "2", "3", "4", "5", "6"]


def test_pictures_say_in_words_what_they_show():
    labels = [v for t, n, v in page().values if t == "svg" and n == "aria-label"]
    assert any("25 events in lanes" in v for v in labels)
    assert any("a gap of 4,000.00 USD" in v for v in labels)
    pictures = [t for t in page().tags if t[0] == "svg"]
    assert all("aria-label" in t or "aria-hidden" in t for t in pictures)


def test_a_calm_night_says_so():
    quiet = replace(report(), dossiers=(), terminals=tuple(replace(g, severity="", unexplained=0) for g in report().terminals))
    said = Skeleton(html(quiet, "en")).text
    assert "No alert pages a person. No cash is missing an explanation." in said


def test_a_fleet_of_two_hundred_with_fifty_alerts_stays_a_page_one_can_open():
    made = html(large(), "en")
    assert len(made) < 6_000_000
    assert made.count('class="alert sev-') == 50
    assert made.count('id="terminal-') == 200


def test_long_tables_are_cut_and_say_how_much_more_there_is():
    one = trojan()
    many = tuple({**one.movements[8], "id": f"e{i}", "time": i} for i in range(75))
    records = tuple(replace(one.alert.records[0], offset=i) for i in range(99))
    timeline = tuple(replace(one.timeline[0], time=one.timeline[0].time + i) for i in range(200))
    long = replace(one, movements=many, timeline=timeline, alert=replace(one.alert, records=records))
    said = Skeleton(html(replace(report(), dossiers=(long,)), "en")).text
    assert "… and 35 more in verdicts.jsonl" in said
    assert "… and 69 more in alerts.jsonl" in said
    assert "… and 120 more events, not listed here" in said


def test_absurd_times_and_amounts_do_not_stop_the_report():
    one = trojan()
    strange = replace(one.alert, first_event=-(2**62), updated_at=2**62, unexplained=2**62, money_at_risk=0)
    made = html(replace(report(), dossiers=(replace(one, alert=strange),), start=-(2**62), end=2**62), "ja")
    assert "9999-12-30 19:00:00" in made


def test_an_unknown_language_is_refused():
    with pytest.raises(LookupError, match="expected one of: en, ja"):
        html(report(), "xx")


def test_the_measures_are_drawn_in_both_languages_and_left_out_where_there_are_none():
    page = html(report(), "en")
    assert 'id="measures"' in page and page.count('class="drawing plot"') == 3
    assert "1.2273" in page and "fell by 4,200.00 USD" in page
    assert "継続指標" in html(report(), "ja")
    assert 'id="measures"' not in html(replace(report(), measures=None), "en")
