"""`jackstop detections export`: our Sigma rules as queries of another system."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from jackstop import detections, export
from jackstop.cli import shared
from jackstop.detections import SigmaDetection, _sigma
from jackstop.export import NotInstalled, Query, Refused
from jackstop.report.plain import line
from jackstop.sources.fleet_file import BundleError

_CODE = "reconciles movements, counters or several sources in code, which no query can"


def command(
    to: Annotated[str, typer.Option(help=f"The system: {', '.join(export.TARGETS)}.")],
    out: Annotated[Path, typer.Option(help="A folder to write to.")],
    rules: Annotated[list[Path] | None, typer.Option(help="Rule files of yours instead of ours.")] = None,
    folded: Annotated[bool, typer.Option("--folded", help="The index folds letters to one case (a normalizer).")] = False,
) -> None:
    """Write our Sigma rules as queries of another system, one file a rule, and say which it cannot express, and why.

    A rule the system cannot honour is left out, never bent. Needs the extra: pip install 'jackstop[siem]'.

    Example: jackstop detections export --to splunk --out ./splunk
    """
    try:
        queries, refused = export.export(_texts(rules), to, folded=folded)
    except (LookupError, NotInstalled) as fault:
        raise BundleError([f"--to: {fault}"]) from None
    if not rules:
        refused += [Refused(n, _CODE) for n in detections.names() if not isinstance(detections.find(n), SigmaDetection)]
    suffix = export.TARGETS[to].suffix
    out.mkdir(parents=True, exist_ok=True)
    for query in queries:
        shared.whole(out / f"{query.rule}.{suffix}", [query.text])
    told = {"target": to, "queries": [_about(q, suffix) for q in queries], "refused": [_why(r) for r in refused]}
    shared.whole(out / "export.json", [json.dumps(told, ensure_ascii=False, indent=1)])
    _say(queries, refused, out)


def _texts(rules: list[Path] | None) -> dict[str, str]:
    """Rule files by id: ours by the detection's, others by their name."""
    if not rules:
        known = {n.replace(".", "_").replace("-", "_"): n for n in detections.names()}
        return {known[stem]: text for stem, text in _sigma.texts().items()}
    found = {}
    for path in rules:
        try:
            found[path.stem] = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as fault:
            raise BundleError([f"{path}: {fault}, expected a readable rule file"]) from None
    return found


def _about(query: Query, suffix: str) -> dict[str, Any]:
    return {
        "rule": query.rule,
        "title": query.title,
        "level": query.level,
        "file": f"{query.rule}.{suffix}",
        "differences": list(query.differences),
    }


def _why(refused: Refused) -> dict[str, str]:
    return {"rule": refused.rule, "reason": refused.reason}


def _say(queries: list[Query], refused: list[Refused], out: Path) -> None:
    say = shared.out.print
    for query in queries:
        say(Text(f"{query.rule}  written" + (" (differs: visits)" if query.differences else ""), "green"))
    for r in refused:
        say(Text(f"{r.rule}  refused: {line(r.reason, 400)}", "yellow"), soft_wrap=True)
    say(
        f"{len(queries)} written to {out}, {len(refused)} refused; {out / 'export.json'} lists both", markup=False, soft_wrap=True
    )
