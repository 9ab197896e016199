"""An alert in words for people: the subject, the text, and the values that a mapping of fields may name."""

import re
from collections.abc import Mapping
from functools import cache

from jackstop import sinks
from jackstop.model import money, written
from jackstop.outlets import Message

MOST = 20
"""Terminals, detections and records that are named."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_WORDS = {
    "en": {
        "graver": "Now graver: ", "why": "Why", "step": "First step", "terminals": "Terminals", "unexplained": "Unexplained",
        "risk": "At risk", "first": "First event", "raised": "Raised", "detections": "Detections", "link": "More",
        "alert": "Alert", "revision": "revision",
    },
    "ja": {
        "graver": "深刻度上昇: ", "why": "理由", "step": "最初の対応", "terminals": "端末", "unexplained": "説明のつかない金額",
        "risk": "リスク金額", "first": "最初の事象", "raised": "発報", "detections": "検知", "link": "詳細", "alert": "アラート",
        "revision": "版",
    },
}  # fmt: skip


def plain(text: str, most: int = 4000) -> str:
    """Text from a log, safe to show: one line, no control characters, no marks that turn its direction."""
    return _CONTROL.sub(" ", written.whole(text))[:most]


def subject(message: Message, lang: str) -> str:
    """One short line: how grave, what, where."""
    alert = message.alert
    where = ", ".join(alert.terminals[:3]) + (" …" if len(alert.terminals) > 3 else "")
    graver = _WORDS[lang]["graver"] if message.updated else ""
    return plain(f"[{alert.severity.upper()}] {graver}{sinks.lead(alert, lang).title} – {where}", 200)


def text(message: Message, lang: str, link: str) -> str:
    """The whole letter, a fact a line."""
    alert, words, led = message.alert, _WORDS[lang], sinks.lead(message.alert, lang)
    told = values(message, lang, link)
    facts = [
        (words["why"], led.why),
        (words["step"], led.first_step),
        (words["terminals"], told["terminals"]),
        (words["unexplained"], told["unexplained"] if alert.unexplained else ""),
        (words["risk"], told["money_at_risk"] if alert.money_at_risk else ""),
        (words["first"], told["first_event"]),
        (words["raised"], told["raised_at"]),
        (words["detections"], told["detections"]),
        (words["link"], link),
        (words["alert"], f"{alert.id} ({words['revision']} {message.revision})"),
    ]
    return "\n".join([told["message"], "", *(f"{name}: {plain(said)}" for name, said in facts if said)])


def values(message: Message, lang: str, link: str) -> Mapping[str, str]:
    """What a mapping of fields may name, as text on one line each; times in ISO 8601, money as people write it."""
    alert, led = message.alert, sinks.lead(message.alert, lang)
    records = " ".join(f"{r.path}@{r.offset}+{r.length}:{r.sha256}" for r in alert.records[:MOST])
    told = {
        "alert": alert.id, "key": message.key, "revision": str(message.revision), "status": message.status,
        "severity": alert.severity, "title": led.title, "subject": subject(message, lang), "message": sinks.message(alert, lang),
        "why": led.why, "first_step": led.first_step, "terminal": next(iter(alert.terminals), ""),
        "terminals": _listed(alert.terminals), "detections": _listed(alert.detections), "attack": _listed(alert.attack),
        "visits": _listed(alert.visits), "unexplained": money.show(alert.unexplained, alert.currency),
        "money_at_risk": money.show(alert.money_at_risk, alert.currency), "currency": alert.currency,
        "first_event": written.stamp(alert.first_event), "raised_at": written.stamp(alert.raised_at),
        "updated_at": written.stamp(alert.updated_at), "records": records, "link": link,
    }  # fmt: skip
    return {name: plain(said) for name, said in told.items()}


@cache
def known() -> frozenset[str]:
    """The names `values` gives, and `text`, the whole letter."""
    return frozenset(
        "alert key revision status severity title subject message why first_step terminal terminals detections attack visits "
        "unexplained money_at_risk currency first_event raised_at updated_at records link text".split()
    )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:MOST]) + (f" … ({len(names)})" if len(names) > MOST else "")
