"""Hits of published rules against a peer's on the same event logs, with a reason for every difference.

    python -m benchmarks.sigma_peer RULES EVENTS PEER.json

RULES is a folder of Sigma rules, EVENTS a folder of `.evtx`, PEER.json `{"hits": {file: {rule id: count}}}` (Zircolite's, for
one). None of these belong to the project. Leaves with 1 where a difference has no reason.
"""

import json
import sys
from collections import Counter
from pathlib import Path

import orjson
import polars as pl

from jackstop import formats, rules
from jackstop.model.fleet import Reading
from jackstop.rules import tree as t
from jackstop.rules.compat import report
from jackstop.rules.sources import SYSTEM

REASONS = {
    "audit": "found in Windows' own audit event of that category, which the peer does not ask",
    "column": "names a field that no event of the file has: the peer's SQL fails on the unknown column and the rule is dropped",
    "keywords": "asks all values of an event, which the peer's SQL cannot",
    "deletion": "category registry_delete is deletions only here (SigmaHQ's taxonomy); the peer takes key creations too",
    "list": "several unnamed values in one event; the peer keeps one",
    "typed": "a value that the parser gives the peer as a boolean or a GUID without braces",
    "code": "an event id of the category that the peer does not ask",
}


def reason(rule, rows, names, missing):
    """Why the peer and we differ on one rule in one file; None where that is not known."""
    asked = list(t.tests(rule.tree))
    outside = [r for r in rows if "category" in rule.source and r["channel"].lower() == "security"]
    reasons = {
        "deletion": missing and "registry_delete" in rule.source,
        "typed": any(a.field in {"Initiated", "Signed"} or a.field.endswith("Guid") for a in asked),
        "keywords": not missing and any(a.field == t.KEYWORDS for a in asked),
        "audit": not missing and rows and len(outside) == len(rows),
        "column": not missing and not t.fields(rule.tree) <= names,
        "list": not missing and any(a.field == "Data" for a in asked) and all('"param2"' in r["data"] for r in rows),
        "code": not missing and "sysmon_status" in rule.source,
    }
    return next((key for key, so in reasons.items() if so), None)


def named(rows):
    """The names of all fields of some events."""
    return set(SYSTEM) | {name for text in rows["data"].to_list() for name in orjson.loads(text)}


def read(path):
    """The events of one file."""
    reader = formats.find("evtx").reader(Reading(name=path.name))
    return reader.feed(path.read_bytes(), final=True).tables.windows


def main(folder, events, peer):
    said = report({str(p): p.read_text("utf-8") for p in Path(folder).rglob("*.yml")})
    print(f"rules {said.documents}  of known sources {said.valid}  running {said.running} ({said.share:.1%})")
    for kind, what, count in said.reasons:
        print(f"  {count:4} {kind}: {what[:150]}")
    by_id = {r.about.id: r for r in said.loaded.rules}
    ruleset = rules.RuleSet.of(said.loaded.rules)
    theirs = json.loads(Path(peer).read_text("utf-8"))["hits"]
    agreed, why, open_ = 0, Counter(), []
    positives = [0, 0]
    for path in sorted(Path(events).rglob("*.evtx")):
        rows = read(path)
        name = path.relative_to(events).as_posix()
        hits = ruleset.match({"windows": rows}).join(rows.select("event_id", "channel", "data"), on="event_id")
        names = named(rows)
        ours = dict(hits.group_by("rule").len().iter_rows())
        if path.name.startswith("sigmahq__"):
            positives[0] += path.stem.rsplit("__", 1)[1] in ours
            positives[1] += 1
        for rule in sorted(ours.keys() | theirs.get(name, {}).keys()):
            mine, peers = ours.get(rule, 0), theirs.get(name, {}).get(rule, 0)
            if mine == peers:
                agreed += 1
                continue
            found = rule in by_id and reason(by_id[rule], hits.filter(pl.col("rule") == rule).to_dicts(), names, mine < peers)
            why[found] += 1
            if not found:
                open_.append(f"{name}: {by_id[rule].about.title if rule in by_id else rule}: ours {mine}, the peer's {peers}")
    print(f"SigmaHQ's own positives found: {positives[0]} of {positives[1]}")
    print(f"(file, rule) pairs that agree: {agreed}; that differ: {sum(why.values())}")
    for key, count in why.most_common():
        print(f"  {count:4} {REASONS.get(key, 'no reason known')}")
    print(*open_, sep="\n")
    sys.exit(1 if open_ else 0)


if __name__ == "__main__":
    main(*sys.argv[1:4])
