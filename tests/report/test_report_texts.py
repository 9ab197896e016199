"""Texts: complete in both languages, and in step with the source that uses them."""

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

import jackstop
from jackstop import detections
from jackstop.model import tables
from jackstop.model import vocabulary as v
from jackstop.report import texts
from jackstop.report.lanes import LANES

SOURCE = Path(jackstop.__file__).parent
VOCABULARY = {
    "verdict": v.VERDICT,
    "verdict_means": v.VERDICT,
    "severity": v.SEVERITY,
    "severity_means": v.SEVERITY,
    "cash": v.CASH_ACTIVITY,
    "host": v.HOST_ACTIVITY,
    "door": v.CABINET_ACTIVITY,
    "part": v.CABINET_PART,
    "sensor": v.CABINET_SENSOR,
    "state": v.DEVICE_STATE,
    "operator": v.OPERATOR_ACTIVITY,
    "feed": v.FEED_ACTIVITY,
    "basis": v.UNIT_BASIS,
    "lane": LANES,
    "table": [t.name for t in tables.ALL],
    "kind": ["episode", "balance", "authorisation"],
    "site": ["indoor", "outdoor", "drive-up"],
}


def _constants(node: ast.AST) -> list[str]:
    return [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def _literals(node: ast.AST) -> list[str]:
    """Strings given to `pl.lit` inside a node."""
    calls = [n for n in ast.walk(node) if isinstance(n, ast.Call) and ast.unparse(n.func) == "pl.lit" and n.args]
    return [c for n in calls for c in _constants(n.args[0])]


def reasons_in(source: str) -> set[str]:
    """The reasons a module can give: `reason=…`, `reason = …`, and rows (condition, verdict, reason) of a chain."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.keyword(arg="reason"):
                found += _literals(node.value)
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                at = [i for i, n in enumerate(names) if ast.unparse(n) == "reason"]
                found += [c for i in at for c in _literals(values[i])]
            case ast.Tuple(elts=[_, ast.Constant(value=verdict), ast.Constant(value=str(reason))]) if verdict in v.VERDICT:
                found.append(reason)
            case _:
                pass
    return set(found)


def reasons_of_the_source() -> set[str]:
    modules = [*(SOURCE / "ledger").glob("*.py"), SOURCE / "engine.py", SOURCE / "runners" / "hindsight.py"]
    return {r for m in modules for r in reasons_in(m.read_text("utf-8"))}


def test_the_reasons_of_the_source_are_found_where_they_stand():
    assert {"matched-key", "no-authorisation", "no-cash-moved", "awaiting-sources", "counters-fell"} <= reasons_of_the_source()


@pytest.mark.parametrize("lang", texts.LANGUAGES)
def test_every_reason_the_ledger_gives_has_a_text_and_no_text_is_for_a_reason_nobody_gives(lang):
    written = {k.removeprefix("reason.") for k in texts.of(lang).entries if k.startswith("reason.")}
    assert written == reasons_of_the_source()


def test_both_languages_have_the_same_keys_with_the_same_values_to_fill_in():
    english, japanese = texts.of("en").entries, texts.of("ja").entries
    assert english.keys() == japanese.keys()

    def wanted(text: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    assert {k: wanted(t) for k, t in english.items()} == {k: wanted(t) for k, t in japanese.items()}


@pytest.mark.parametrize("lang", texts.LANGUAGES)
def test_every_word_of_the_vocabulary_has_a_text(lang):
    entries = texts.of(lang).entries
    missing = [f"{group}.{word}" for group, words in VOCABULARY.items() for word in words if f"{group}.{word}" not in entries]
    assert missing == []


@pytest.mark.parametrize("lang", texts.LANGUAGES)
def test_no_text_is_empty_or_left_in_the_other_language(lang):
    entries = texts.of(lang).entries
    assert all(t.strip() for t in entries.values())
    japanese = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
    if lang == "en":
        assert not [k for k, t in entries.items() if japanese.search(t)]
    else:
        names = {"page.attack", "page.digest"}
        assert {k for k, t in entries.items() if not japanese.search(t)} == names | {"text.heading"}


def test_every_text_a_template_or_module_asks_for_is_written_and_every_text_is_asked_for():
    files = [*(SOURCE / "report").glob("*.py"), *(SOURCE / "report" / "templates").glob("*.j2")]
    said = "\n".join(f.read_text("utf-8") for f in files)
    entries = texts.of("en").entries
    asked = set(re.findall(r"""\bt\(\s*["']([a-z_]+\.[a-z_-]+)["']""", said))
    counted = set(re.findall(r"""\bt\.count\(\s*["']([a-z_]+)["']""", said))
    assert asked <= entries.keys()
    assert {f"count.{c}.one" for c in counted} <= entries.keys()
    assert {k for k in entries if k.startswith(("page.", "text."))} == {a for a in asked if a.startswith(("page.", "text."))}
    assert {k.split(".")[1] for k in entries if k.startswith("count.")} == counted


@pytest.mark.parametrize("lang", texts.LANGUAGES)
@pytest.mark.parametrize("name", detections.names())
def test_every_detection_says_what_it_is_why_and_what_to_do_first(lang, name):
    saying = texts.of(lang).detection(name)
    assert saying.title and saying.title != name
    assert saying.why
    assert saying.first_step


def test_texts_for_details_belong_to_detections_there_are():
    named = {k.removeprefix("detail.") for k in texts.of("en").entries if k.startswith("detail.")}
    assert named <= set(detections.names())


def test_an_unknown_word_is_shown_as_it_is():
    t = texts.of("ja")
    assert t.word("reason", "made-up") == "made-up"
    assert t.detection("none.such").title == "none.such"
    assert t.event("boot", "windows-99999") == "Windowsイベント (99999)"


def test_an_unknown_language_is_refused_with_those_there_are():
    with pytest.raises(LookupError, match="expected one of: en, ja"):
        texts.of("fr")


def test_money_counts_and_lengths_read_as_people_write_them():
    en, ja = texts.of("en"), texts.of("ja")
    assert en.money(123_456, "USD") == "1,234.56 USD"
    assert ja.money(120_000, "JPY") == "120,000 円"
    assert (en.count("gaps", 1), en.count("gaps", 1200)) == ("1 gap", "1,200 gaps")
    assert (en.length(200_000_000), ja.length(200_000_000)) == ("3 min 20 s", "3 分 20 秒")
    assert en.length(0) == "0 s"
    assert en.length(3_600_000_000) == "1 h"


def test_a_bare_number_of_a_finding_is_shown_only_where_a_text_says_what_it_counts():
    t = texts.of("en")
    assert t.finding_detail("dispense.after-door", "240") == "240 s after the opening"
    assert t.finding_detail("dispense.unexplained", "no-authorisation") == "no approved authorisation within window"
    assert t.finding_detail("feed.gap", "41") == ""
