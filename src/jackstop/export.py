"""Our Sigma rules as queries of other systems, through pySigma's backends; what a target cannot honour is refused, never bent.

A query that means less or other than its rule is worse than none: its silence is taken for safety. So these are refused:
correlations (targets cut time into fixed buckets, and an attack over an edge is missed; a `not` among them even inverts),
`absence` and `schedule` of our own block, log sources a target does not tell apart, and texts a target compares by the case of
letters, for Sigma does not. What remains is listed as a difference: visits silence a rule here and nowhere else.

pySigma's backends hold on to pySigma 1, and reading rules needs pySigma 2, so the two cannot live in one environment. This
module imports nothing of jackstop and is a program of its own: run by another interpreter, which has `requirements/siem.txt`,
it reads a request (JSON) from stdin and writes the answer to stdout.
"""

import importlib
import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import yaml
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.resolver import ProcessingPipelineResolver
from sigma.processing.transformations import FieldFunctionTransformation
from sigma.rule import SigmaRule

BLOCK = "x-jackstop"
_EXTENSIONS = {
    "absence": "asks for an absence with a window on both sides, which the target has no form for",
    "schedule": "asks for the opening hours of a site, which the target does not know",
}


@dataclass(frozen=True, slots=True)
class Target:
    """A system rules can go to.

    Attributes:
        backend: module and class of pySigma's backend. pipelines: (module, function) of pySigma pipelines that name its fields.
        suffix: of a query's file. head: the table a query begins with. windows: what it does with correlations.
        folds: whether texts compare whatever their case.
        negates: whether it is settled that `not` holds of an event that lacks the field.
        package: that brings the backend.
    """

    backend: tuple[str, str]
    pipelines: tuple[tuple[str, str], ...]
    suffix: str
    windows: str
    folds: bool
    package: str
    head: str = ""
    negates: bool = True


_BUCKETS = "cuts time into fixed buckets, so that what falls on both sides of an edge is missed"
_ECS = ("sigma.pipelines.elasticsearch.windows", "ecs_windows")
TARGETS: Mapping[str, Target] = {
    "splunk": Target(
        ("sigma.backends.splunk", "SplunkBackend"),
        (("sigma.pipelines.splunk", "splunk_windows_pipeline"), ("sigma.pipelines.windows", "windows_logsource_pipeline")),
        "spl",
        _BUCKETS,
        True,
        "pysigma-backend-splunk",
    ),
    "elasticsearch": Target(
        ("sigma.backends.elasticsearch.elasticsearch_eql", "EqlBackend"),
        (_ECS,),
        "eql",
        _BUCKETS,
        True,
        "pysigma-backend-elasticsearch",
        negates=False,
    ),
    "opensearch": Target(
        ("sigma.backends.opensearch", "OpensearchLuceneBackend"),
        (_ECS,),
        "lucene",
        "has no correlations in Lucene queries",
        False,
        "pysigma-backend-opensearch",
    ),
    "kusto": Target(
        ("sigma.backends.kusto", "KustoBackend"),
        (("sigma.pipelines.windows", "windows_logsource_pipeline"), ("", "windows_event_table")),
        "kql",
        "has no correlations in pySigma",
        True,
        "pysigma-backend-kusto",
        "WindowsEvent",
    ),
}
"""Where rules can go. Elasticsearch gets EQL, whose `:` compares whatever the case; its Lucene does not."""


_COLUMNS: Mapping[str | None, str | list[str]] = {
    "Channel": "Channel",
    "Provider_Name": "Provider",
    "EventID": "EventID",
    "Computer": "Computer",
}
_DATA = "EventData_"


def windows_event_table() -> ProcessingPipeline:
    """Field names of the table WindowsEvent of Azure Monitor: the System part has columns, all else is in `EventData`.

    Source: Microsoft's reference of the table WindowsEvent (Azure Monitor Logs).
    """
    naming = FieldFunctionTransformation(mapping=dict(_COLUMNS), transform_func=_event_data)
    return ProcessingPipeline(name="WindowsEvent", items=[ProcessingItem(naming)])


def _event_data(field: str | None) -> str:
    if field is None or not re.fullmatch(r"[A-Za-z_]\w*", field):
        raise ValueError(f"field {field!r} cannot be named there")
    return _DATA + field


def _with_head(target: Target, query: str) -> str:
    """A query behind its target's head; the event's data it asks is taken out first, for the backend quotes dotted names."""
    if not target.head:
        return query
    named = sorted(set(re.findall(rf"\b{_DATA}(\w+)", query)))
    taken = "".join(f"| extend {_DATA}{n} = tostring(EventData.{n})\n" for n in named)
    return f"{target.head}\n{taken}| where {query}"


class NotInstalled(Exception):
    """A target's backend is not here; the message says what to install."""


@dataclass(frozen=True, slots=True)
class Query:
    """A rule as a target's query. `differences`: what jackstop does besides that the query does not."""

    rule: str
    title: str
    level: str
    text: str
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A rule that a target cannot honour, and why."""

    rule: str
    reason: str


def export(texts: Mapping[str, str], name: str, *, folded: bool = False) -> tuple[list[Query], list[Refused]]:
    """Rule files as queries of a target.

    Args:
        texts: id of each rule to the text of its file. name: one of `TARGETS`. folded: the target's index folds letters to one
            case, so that comparing by case is right after all.

    Raises:
        NotInstalled: the target's backend is not here. LookupError: no such target.
    """
    if name not in TARGETS:
        raise LookupError(f"unknown target {name!r}, expected one of: {', '.join(TARGETS)}")
    target = TARGETS[name]
    backend = _backend(target)
    queries, refused = [], []
    for rule, text in texts.items():
        made = _one(rule, text, target, backend, folded=folded)
        if isinstance(made, Query):
            queries.append(made)
        else:
            refused.append(made)
    return queries, refused


def _backend(target: Target) -> Any:  # noqa: ANN401 - backends have no common type that is exported
    try:
        found = [_get(*p) for p in target.pipelines]
        backend = _get(*target.backend)
    except ImportError:
        raise NotInstalled(f"{target.package} is not installed, expected an interpreter that has requirements/siem.txt") from None
    pipelines: list[ProcessingPipeline] = [made() for made in found]
    resolver = ProcessingPipelineResolver({str(i): p for i, p in enumerate(pipelines)})
    return backend(resolver.resolve(list(resolver.pipelines)))


def _get(module: str, name: str) -> Any:  # noqa: ANN401 - as above
    return getattr(importlib.import_module(module), name) if module else globals()[name]


def _one(rule: str, text: str, target: Target, backend: Any, *, folded: bool) -> Query | Refused:  # noqa: ANN401 - as above
    try:
        documents = [d for d in yaml.safe_load_all(text) if d]
    except yaml.YAMLError as fault:
        return Refused(rule, f"is no YAML: {str(fault).splitlines()[0]}")
    if why := _why_not(documents, target) or _bent(documents[0], target, folded=folded):
        return Refused(rule, why)
    body = documents[0]
    plain = {k: v for k, v in body.items() if not str(k).startswith("x-")}
    try:
        query = _converted(plain, backend)
        loose = _converted({**plain, "logsource": {"product": body["logsource"].get("product")}}, backend)
    except (SigmaError, NotImplementedError, KeyError, TypeError, AttributeError, ValueError) as fault:
        return Refused(rule, f"cannot be converted: {' '.join(str(fault).split())[:300] or type(fault).__name__}")
    named = {k: v for k, v in body["logsource"].items() if k != "product" and v}
    if named and query == loose:
        told = ", ".join(f"{k} {v}" for k, v in named.items())
        return Refused(rule, f"its log source ({told}) is not told apart there, so it would ask events of every kind")
    differs = _differences(body.get(BLOCK) or {})
    return Query(rule, str(body.get("title", rule)), str(body.get("level", "")), _with_head(target, query), differs)


def _bent(body: Mapping[str, Any], target: Target, *, folded: bool) -> str:
    """What of a rule would mean something else at a target; empty where nothing would."""
    if not (target.folds or folded) and _compares_text(body["detection"]):
        return "compares texts whatever their case, which the target does only over an index that folds letters (--folded)"
    if not target.negates and re.search(r"\bnot\b", str(body["detection"].get("condition"))):
        return "asks `not`, and whether that holds of an event without the field is not settled there"
    return ""


def _why_not(documents: list[Any], target: Target) -> str:
    """Why a rule file cannot go anywhere, or not to this target; empty where it may."""
    if not documents or not all(isinstance(d, dict) for d in documents):
        return "is no Sigma rule"
    if any("correlation" in d for d in documents):
        negated = any(" not " in f" {_condition(d)} " for d in documents)
        inverted = "is a correlation with `not`, whose meaning each target inverts or drops"
        return inverted if negated else f"is a correlation, and the target {target.windows}"
    if len(documents) > 1:
        return "has several documents and no correlation, so it is not one query"
    return _why_not_alone(documents[0])


def _why_not_alone(body: Mapping[str, Any]) -> str:
    for word, why in _EXTENSIONS.items():
        if word in (body.get(BLOCK) or {}):
            return why
    if not isinstance(body.get("logsource"), dict) or not isinstance(body.get("detection"), dict):
        return "has no log source or no detection"
    if body["logsource"].get("product") == "atm":
        return "asks our own tables (product atm), which the target has no index of"
    return ""


def _condition(document: Mapping[str, Any]) -> str:
    correlation = document.get("correlation")
    return str(correlation.get("condition", "")) if isinstance(correlation, dict) else ""


def _compares_text(part: Any) -> bool:  # noqa: ANN401 - any part of a YAML document
    """Whether a detection compares a field with a text that has letters, other than by case or by an expression."""
    match part:
        case dict():
            return any(_compares_text(v) for k, v in part.items() if k != "condition" and not _exact(str(k)))
        case list():
            return any(_compares_text(v) for v in part)
        case str():
            return any(c.isalpha() for c in part)
        case _:
            return False


def _exact(key: str) -> bool:
    """Whether a field's modifiers make its letters count: `cased`, or an expression that does not say `i`."""
    modifiers = key.split("|")[1:]
    return "cased" in modifiers or ("re" in modifiers and "i" not in modifiers)


def _converted(body: Mapping[str, Any], backend: Any) -> str:  # noqa: ANN401 - as above
    rule = SigmaRule.from_dict(dict(body))
    made = backend.convert(SigmaCollection([rule]))
    if len(made) != 1 or not isinstance(made[0], str) or not made[0].strip():
        raise ValueError(f"{len(made)} queries came out, expected one")
    return made[0].strip() + "\n"


def _differences(said: Mapping[str, Any]) -> tuple[str, ...]:
    silenced: Iterable[str] = said.get("silenced_by") or ()
    words = ", ".join(str(w) for w in silenced)
    return (f"jackstop stays silent during visits that permit {words}; this query does not know visits",) if words else ()


def main() -> int:
    """Answer one request: `{"texts": …, "target": …, "folded": …}` on stdin; 2 where the backend is not here."""
    asked = json.load(sys.stdin)
    try:
        queries, refused = export(asked["texts"], asked["target"], folded=asked["folded"])
    except NotInstalled as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    sys.stdout.write(json.dumps({"queries": [asdict(q) for q in queries], "refused": [asdict(r) for r in refused]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
