"""Rule files to rules that can run, and every fault at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sigma.correlations import SigmaCorrelationRule
from sigma.rule import SigmaRule

from jackstop.rules import _pysigma as sigma
from jackstop.rules import extension
from jackstop.rules.documents import Document, read
from jackstop.rules.fault import Fault, Unsupported
from jackstop.rules.link import Draft, link
from jackstop.rules.rule import About, Loaded
from jackstop.rules.sources import known, places

_EXPECTED = {
    "logsource": "a log source",
    "detection": "a detection as Sigma 2.1 has it",
    "correlation": "a correlation as Sigma 2.1 has it",
}
_LONGEST_CONDITION = 4096
_NO_SELECTION = ("condition", "timeframe")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What the user gives beside rules. `placeholders`: values of `%name%` for the modifier `expand`."""

    placeholders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


PUBLISHED = Pipeline()


def load(texts: Mapping[str, str], *, pipeline: Pipeline = PUBLISHED) -> Loaded:
    """Rules from the text of files by path. Nothing is skipped: a document becomes a rule or has a fault."""
    faults: list[Fault] = []
    drafts: list[Draft] = []
    starts: dict[str, tuple[int, ...]] = {}
    for path in sorted(texts):
        documents, wrong = read(path, texts[path])
        faults += wrong
        starts[path] = tuple(sorted({d.line() for d in documents} | {f.line for f in wrong}))
        for document in documents:
            try:
                drafts.append(_draft(document, pipeline))
            except Unsupported as said:
                faults += [_fault(document, s) for s in said.all()]
            except _Wrong as said:
                faults += said.faults
    rules, correlations, wrong = link(drafts)
    return Loaded(rules, correlations, tuple(sorted({*faults, *wrong})), starts)


class _Wrong(Exception):
    def __init__(self, faults: list[Fault]) -> None:
        super().__init__()
        self.faults = faults


def _draft(document: Document, pipeline: Pipeline) -> Draft:
    """A document as far as it can be read by itself."""
    body = document.body
    _shape(document)
    plain = {k: v for k, v in body.items() if k != extension.KEY}
    parsed, wrong = sigma.parse(plain)
    if wrong or parsed is None:
        raise _Wrong([_sigma_fault(document, w) for w in wrong] + _others(document, plain, pipeline))
    said = extension.block(body)
    about = _about(document, said)
    if isinstance(parsed, SigmaCorrelationRule):
        return Draft(document, about, correlation=parsed)
    return _rule_draft(document, about, parsed, said, pipeline)


def _others(document: Document, plain: Mapping[str, Any], pipeline: Pipeline) -> list[Fault]:
    """What else is wrong with a rule that pySigma refuses: each selection by itself, then the condition, then the source.

    Selections that are wrong stand for any other while the condition is looked at.
    """
    detection, logsource = plain.get("detection"), plain.get("logsource")
    faults: list[Fault] = []
    if isinstance(detection, dict):
        sound = {}
        for name, said in detection.items():
            if name not in _NO_SELECTION:
                wrong = _probed(document, {name: said, "condition": name}, pipeline)
                faults += wrong
                sound[name] = {"EventID": 1} if wrong else said
        if sound and "condition" in detection:
            faults += _probed(document, {**sound, "condition": detection["condition"]}, pipeline)
    if isinstance(logsource, dict) and all(isinstance(v, str) for v in logsource.values()):
        named = {k: logsource.get(k) for k in ("product", "category", "service")}
        if not places(**named):
            faults.append(_unknown_source(document, named))
    return faults


def _probed(document: Document, detection: Mapping[str, Any], pipeline: Pipeline) -> list[Fault]:
    """What is wrong with a detection of some source."""
    parsed, wrong = sigma.parse({"title": "probe", "logsource": {"product": "windows"}, "detection": dict(detection)})
    if wrong or not isinstance(parsed, SigmaRule):
        return [_sigma_fault(document, w) for w in wrong]
    try:
        sigma.tree(parsed, pipeline.placeholders)
    except Unsupported as said:
        return [_fault(document, s) for s in said.all()]
    return []


def _unknown_source(document: Document, named: Mapping[str, str | None]) -> Fault:
    source = " ".join(f"{k} {v}" for k, v in named.items() if v)
    return Fault(document.path, document.line("logsource"), "source", f"log source {source or 'empty'} is not known", known())


def _rule_draft(document: Document, about: About, parsed: SigmaRule, said: Mapping[str, Any], pipeline: Pipeline) -> Draft:
    logsource = parsed.logsource
    found = places(logsource.product, logsource.category, logsource.service)
    named = {"product": logsource.product, "category": logsource.category, "service": logsource.service}
    if not found:
        raise _Wrong([_unknown_source(document, named)])
    source = " ".join(f"{k} {v}" for k, v in named.items() if v)
    tree = sigma.tree(parsed, pipeline.placeholders)
    return Draft(document, about, tree=tree, source=source, places=found, when=extension.schedule(said))


def _shape(document: Document) -> None:
    """What must hold before pySigma sees a document."""
    body = document.body
    if body.get("action") is not None or "filter" in body:
        what = "action" if body.get("action") is not None else "filter"
        raise Unsupported("unsupported", f"document with `{what}`", "one whole rule a document")
    if "correlation" not in body and "detection" not in body:
        raise Unsupported("sigma", "neither detection nor correlation", "a Sigma rule")
    detection = body.get("detection")
    said = detection.get("condition") if isinstance(detection, dict) else None
    if len(str(said)) > _LONGEST_CONDITION:
        raise Unsupported("sigma", f"condition longer than {_LONGEST_CONDITION} characters", "a shorter one")


def _about(document: Document, said: Mapping[str, Any]) -> About:
    body = document.body
    tags = _words(body.get("tags"))
    name = str(body.get("name") or "")
    return About(
        id=str(body.get("id") or name or f"{document.path}#{document.place}"),
        name=name,
        title=str(body.get("title") or ""),
        path=document.path,
        line=document.line(),
        level=str(body.get("level") or ""),
        status=str(body.get("status") or ""),
        description=str(body.get("description") or ""),
        author=str(body.get("author") or ""),
        licence=str(body.get("license") or ""),
        attack=tuple(t[7:].upper() for t in tags if t.lower().startswith("attack.t") and t[8:9].isdigit()),
        tags=tags,
        references=_words(body.get("references")),
        falsepositives=_words(body.get("falsepositives")),
        fields=_words(body.get("fields")),
        extension=said,
    )


def _words(said: object) -> tuple[str, ...]:
    return tuple(str(w) for w in said) if isinstance(said, list) else (str(said),) if said else ()


def _fault(document: Document, said: Unsupported) -> Fault:
    if said.field is not None:
        line = document.line_of_field(said.field)
    elif said.kind == "absence":
        line = (
            document.line(extension.KEY, "absence")
            if extension.KEY in document.body
            else document.line("correlation", "condition")
        )
    else:
        line = document.line("detection", "condition") if said.kind == "sigma" else document.line()
    return Fault(document.path, line, said.kind, said.what, said.expected)


def _sigma_fault(document: Document, what: str) -> Fault:
    """pySigma's words with the line of the part they are about."""
    lower = what.lower()
    part = next(
        (k for k in ("logsource", "correlation", "detection") if k in lower or k.replace("source", " source") in lower),
        "detection",
    )
    line = document.line(part)
    for at, found in document.lines.items():
        if at and isinstance(at[-1], str) and "|" in at[-1] and any(f"'{m}'" in what for m in at[-1].split("|")[1:]):
            line = found
            break
    return Fault(document.path, line, "sigma", what.strip().replace("\n", " ")[:300], _EXPECTED[part])
