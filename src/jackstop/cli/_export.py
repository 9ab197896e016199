"""`jackstop detections export`: our Sigma rules as queries of another system."""

import json
import subprocess
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

_PATIENCE = 600
"""Seconds a conversion may take."""
_CODE = "reconciles movements, counters or several sources in code, which no query can"


def command(
    to: Annotated[str, typer.Option(help=f"The system: {', '.join(export.TARGETS)}.")],
    out: Annotated[Path, typer.Option(help="A folder to write to.")],
    rules: Annotated[list[Path] | None, typer.Option(help="Rule files of yours instead of ours.")] = None,
    python: Annotated[
        Path | None,
        typer.Option("--with", help="The Python of an environment that has requirements/siem.txt; this one by default."),
    ] = None,
    folded: Annotated[bool, typer.Option("--folded", help="The index folds letters to one case (a normalizer).")] = False,
) -> None:
    """Write our Sigma rules as queries of another system, one file a rule, and say which it cannot express, and why.

    A rule the system cannot honour is left out, never bent. pySigma's backends need an environment of their own:
    python3 -m venv siem && siem/bin/pip install -r requirements/siem.txt

    Example: jackstop detections export --to splunk --with siem/bin/python --out ./splunk
    """
    if to not in export.TARGETS:
        raise BundleError([f"--to {to!r} is unknown, expected one of: {', '.join(export.TARGETS)}"])
    try:
        queries, refused = _asked(_texts(rules), to, folded=folded, python=python)
    except NotInstalled as fault:
        raise BundleError([f"--with: {fault}"]) from None
    if not rules:
        refused += [Refused(n, _CODE) for n in detections.names() if not isinstance(detections.find(n), SigmaDetection)]
    suffix = export.TARGETS[to].suffix
    out.mkdir(parents=True, exist_ok=True)
    for query in queries:
        shared.whole(out / f"{query.rule}.{suffix}", [query.text])
    told = {"target": to, "queries": [_about(q, suffix) for q in queries], "refused": [_why(r) for r in refused]}
    shared.whole(out / "export.json", [json.dumps(told, ensure_ascii=False, indent=1)])
    _say(queries, refused, out)


def _asked(texts: dict[str, str], to: str, *, folded: bool, python: Path | None) -> tuple[list[Query], list[Refused]]:
    """The answer of this interpreter, or of another that has the backends.

    Raises:
        NotInstalled: the interpreter cannot be run, or has no backends.
    """
    if python is None:
        return export.export(texts, to, folded=folded)
    request = json.dumps({"texts": texts, "target": to, "folded": folded})
    try:
        done = subprocess.run(  # noqa: S603 - the interpreter the user names, on our own file
            [python, "-I", str(export.__file__)], input=request, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise NotInstalled(f"{python}: {fault}, expected a Python interpreter") from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it ended by itself"])[-1]
        raise NotInstalled(f"{python}: {said}, expected an environment that has requirements/siem.txt")
    told = json.loads(done.stdout)
    queries = [Query(**{**q, "differences": tuple(q["differences"])}) for q in told["queries"]]
    return queries, [Refused(**r) for r in told["refused"]]


def _texts(rules: list[Path] | None) -> dict[str, str]:
    """Rule files by id: ours by the detection's, others by their name."""
    if not rules:
        known = {n.replace(".", "_").replace("-", "_"): n for n in detections.names()}
        return {known[stem]: text for stem, text in _sigma.shipped().items()}
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
