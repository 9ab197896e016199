"""Sigma rules over Windows events, against the same rules as SQL over the same events (the method of Zircolite), hits compared.

Without more: 200 rules made here over rows as Winlogbeat ships them, against pySigma's SQLite backend, where that is installed.

    python -m benchmarks.sigma RULES EVENTS.jsonl ZIRCOLITE PYTHON

takes a folder of published rules, flat JSON events a line, Zircolite's folder and the Python that runs it: whole runs of both.
"""

import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson
import polars as pl

from jackstop import rules
from jackstop.model.tables import BY_NAME

ROWS, SOME = 200_000, 20_000
SYSMON = "Microsoft-Windows-Sysmon/Operational"
WORDS = """backup setup update agent driver cash atm xfs dispenser service helper report monitor sync install remote print scan
cleanup diag trace journal vendor supervisor""".split()
KINDS = [
    ("Security", 4624, "security", ("TargetUserName", "LogonType", "IpAddress")),
    ("Security", 4663, "security", ("ObjectName", "ProcessName", "AccessMask")),
    ("Security", 4688, "security", ("NewProcessName", "CommandLine", "ParentProcessName")),
    ("System", 7036, "system", ("param1", "param2")),
    ("System", 7045, "system", ("ServiceName", "ImagePath")),
    (SYSMON, 1, "sysmon", ("Image", "CommandLine", "ParentImage")),
    (SYSMON, 11, "sysmon", ("Image", "TargetFilename")),
    (SYSMON, 13, "sysmon", ("Image", "TargetObject", "Details")),
]


def value(field, draw):
    name = f"{draw.choice(WORDS)}{draw.randrange(300)}"
    if field == "LogonType":
        return str(draw.choice((2, 3, 5, 10)))
    if field == "CommandLine":
        return f'"C:\\Program Files\\{draw.choice(WORDS)}\\{name}.exe" -run {draw.randrange(10**6)} /{draw.choice(WORDS)}'
    if field.endswith(("Image", "Name", "Path", "Filename")):
        return f"C:\\{draw.choice(('Windows', 'Program Files', 'Users'))}\\{draw.choice(WORDS)}\\{name}.exe"
    return f"{name}\\{draw.choice(WORDS)}"


def events(count):
    """Rows of `windows` after decoding: what a kiosk's logs hold, most of it dull."""
    draw = random.Random(7)
    found = []
    for i in range(count):
        channel, code, _, fields = draw.choice(KINDS)
        found.append((i, channel, code, f"ATM{i % 200:04}", json.dumps({f: value(f, draw) for f in fields})))
    schema = {k: BY_NAME["windows"].schema[k] for k in ("event_id", "channel", "code", "computer", "data")}
    frame = pl.DataFrame(found, schema=schema, orient="row")
    return frame.with_columns(provider=pl.lit(None, pl.String), user=pl.lit(None, pl.String), record_id=pl.lit(None, pl.Int64))


def made(count):
    """Rules as published ones are: two selections and a filter."""
    draw = random.Random(8)
    found = {}
    for i in range(count):
        _, code, service, fields = draw.choice(KINDS)
        first, last = fields[0], fields[-1]
        detection = {
            "sel": {"EventID": code, f"{first}|endswith": [f"\\{w}{draw.randrange(300)}.exe" for w in draw.sample(WORDS, 3)]},
            "cli": {f"{last}|contains": draw.sample(WORDS, 4)},
            "flt": {f"{first}|startswith": "C:\\Windows\\"},
            "condition": "sel and cli and not flt",
        }
        title = f"made {i}"
        found[f"{i}.yml"] = json.dumps(
            {"title": title, "name": f"m{i}", "logsource": {"product": "windows", "service": service}, "detection": detection}
        )
    return found


def ours(loaded, frame, times=3):
    """The best of several runs in seconds, the first run's, and the hits."""
    ruleset = rules.RuleSet.of(loaded.rules)
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        hits = ruleset.match({"windows": frame})
        spent.append(time.perf_counter() - start)
    return min(spent), spent[0], set(hits.select("rule", "event_id").rows())


def sql(texts, frame):
    """The same rules as SQL over the same events in SQLite: seconds for the queries, and the hits."""
    from sigma.backends.sqlite import sqliteBackend
    from sigma.collection import SigmaCollection

    names = sorted({n for d in frame["data"].to_list() for n in orjson.loads(d)})
    base = sqlite3.connect(":memory:")
    columns = ",".join(f'"{n}" TEXT COLLATE NOCASE' for n in names)
    base.execute(f"CREATE TABLE logs (event_id INTEGER, Channel TEXT, EventID INTEGER, {columns})")
    marks = ",".join("?" * (len(names) + 3))
    said = (
        (i, c, n, *map(orjson.loads(d).get, names)) for i, c, n, d in frame.select("event_id", "channel", "code", "data").rows()
    )
    base.executemany(f"INSERT INTO logs VALUES ({marks})", said)
    queries = []
    for text in texts.values():
        document = json.loads(text)
        channel = {k[2]: k[0] for k in KINDS}[document["logsource"]["service"]]
        where = sqliteBackend().convert(SigmaCollection.from_yaml(text))[0].split("WHERE", 1)[1]
        queries.append((document["name"], f"SELECT event_id FROM logs WHERE Channel='{channel}' AND ({where})"))
    start = time.perf_counter()
    hits = {(name, row[0]) for name, query in queries for row in base.execute(query)}
    return time.perf_counter() - start, hits


def run():
    texts = made(200)
    start = time.perf_counter()
    loaded = rules.load(texts)
    assert not loaded.faults
    print(f"load 200 rules {time.perf_counter() - start:.2f} s")
    frame = events(ROWS)
    best, first, hits = ours(loaded, frame)
    print(f"match {ROWS:,} rows: {ROWS / best:,.0f} rows/s (first run {ROWS / first:,.0f}), {len(hits):,} hits")
    few = frame.head(SOME)
    mine, _, found = ours(loaded, few)
    try:
        spent, theirs = sql(texts, few)
    except ImportError:
        print("SQLite backend of pySigma not installed: no peer")
        return
    print(f"SQLite, {SOME:,} rows: {SOME / spent:,.0f} rows/s; we {SOME / mine:,.0f}: x{spent / mine:.0f}")
    print(f"same hits: {found == theirs}")


HEAD = set(
    """Message @timestamp @version tags host port EventReceivedTime EventTime Channel EventID Hostname SourceName ProviderGuid
RecordNumber SeverityValue Severity SourceModuleName SourceModuleType Keywords Opcode OpcodeValue Version Task Category ThreadID
ExecutionProcessID""".split()
)


def flat(path):
    """Flat JSON events as rows of `windows`."""
    found = []
    with Path(path).open("rb") as lines:
        for i, line in enumerate(lines):
            said = orjson.loads(line)
            data = {k: v if isinstance(v, str) else json.dumps(v) for k, v in said.items() if k not in HEAD and v is not None}
            found.append(
                (i, said.get("Channel"), said.get("SourceName"), said.get("EventID"), said.get("Hostname"), json.dumps(data))
            )
    schema = {k: BY_NAME["windows"].schema[k] for k in ("event_id", "channel", "provider", "code", "computer", "data")}
    frame = pl.DataFrame(found, schema=schema, orient="row")
    return frame.with_columns(user=pl.lit(None, pl.String), record_id=pl.lit(None, pl.Int64))


def zircolite(python, folder, path, chosen, *more):
    """A whole run of Zircolite in seconds, and rule id to hits."""
    with tempfile.TemporaryDirectory() as out:
        told = Path(out) / "z.json"
        command = [python, "zircolite.py", "-e", path, "-j", "-r", chosen, "--no-auto-mode", "-o", told, *more]
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        return time.perf_counter() - start, {r["id"]: r["count"] for r in json.loads(told.read_text("utf-8"))}


def against(folder, path, peer, python):
    """Both over the same events and published rules, whole runs; the peer's rules are converted beforehand."""
    known = set(Path(peer).glob("ruleset-*.json"))
    zircolite(python, peer, path, folder, "-p", "sysmon", "-p", "windows-logsources", "-sr")
    saved = next(iter(set(Path(peer).glob("ruleset-*.json")) - known))
    spent, theirs = zircolite(python, peer, path, str(saved.resolve()))
    saved.unlink()
    start = time.perf_counter()
    loaded = rules.load({str(p): p.read_text("utf-8") for p in Path(folder).rglob("*.yml")})
    loading = time.perf_counter() - start
    start = time.perf_counter()
    frame = flat(path)
    reading = time.perf_counter() - start
    best, first, hits = ours(loaded, frame)
    rows = frame.height
    print(f"load {len(loaded.rules):,} rules {loading:.1f} s; read {rows:,} events {reading:.1f} s")
    print(f"match {rows / best:,.0f} events/s (first run {rows / first:,.0f}); with reading {rows / (best + reading):,.0f}")
    print(f"Zircolite {rows / spent:,.0f} events/s: x{spent / (best + reading):.0f} (first run x{spent / (first + reading):.0f})")
    mine = {}
    for rule, _ in hits:
        mine[rule] = mine.get(rule, 0) + 1
    print(f"rules with hits: ours {len(mine)}, the peer's {len(theirs)}; fewer hits than the peer in: ", end="")
    print(sorted(r for r in theirs if mine.get(r, 0) < theirs[r]) or "none")


if __name__ == "__main__":
    against(*sys.argv[1:5]) if len(sys.argv) == 5 else run()
