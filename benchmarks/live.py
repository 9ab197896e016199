"""The live service as it runs, on loopback: intake to alert at a rate, 20,000 idle terminals, the interlock's answers.

    python -m benchmarks live                     # all three, a few minutes
    python -m benchmarks.live alerts 20000 60     # records a second, seconds; of a switch
    python -m benchmarks.live alerts 20000 60 windows
    python -m benchmarks.live idle 20000          # terminals
    python -m benchmarks.live interlock 1000 20   # questions a second, seconds
    python -m benchmarks.live interlock 1000 20 20000   # while a switch sends so many records a second

`alerts`: a switch's answers, or Windows events as Winlogbeat ships them, come over HTTP in batches of 1,000 lines, all
detections run; five times a second a log is cleared at some machine (Windows 1102), which pages. Measured: records a second
taken, how far the loop is behind at the end, and the time from sending that event to its alert in the API. What is decided by
the absence of something (an approval) has its own deadline on top.
"""

import asyncio
import contextlib
import json
import multiprocessing
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "service"))
from running import Service

SECOND = 1_000_000
CONFIG = """
[service]
fleet = "fleet.toml"
data = "data"
catch_up = "1s"
[spool]
quota = 1000000000
burst = 1000000000
[api]
listen = "127.0.0.1:{api}"
[[intake]]
kind = "http"
name = "lab"
format = "switch-csv"
listen = "127.0.0.1:{logs}"
declare = true
sources = 100000
"""


def fleet(terminals):
    head = '[fleet]\nname = "Bench"\ntimezone = "UTC"\ncurrency = "USD"\n'
    one = '[[terminal]]\nid = "ATM-{0:05d}"\nterminal_id = "T{0:07d}"\nhostname = "PC{0:05d}"\n'
    one += "cassettes = [ {{ unit = 1, type = 1, value = 2000, count = 100000 }} ]\n"
    return head + "".join(one.format(i) for i in range(terminals))


class Lab(Service):
    """A service over a made-up fleet."""

    def __init__(self, folder, terminals):
        super().__init__(folder)
        (folder / "fleet.toml").write_text(fleet(terminals))
        (folder / "jackstop.toml").write_text(CONFIG.format(api=self.api, logs=self.logs))

    def rss(self):
        """MiB of the front and of the loop."""
        sizes = {}
        for part in self.parts():
            with contextlib.suppress(psutil.Error):
                sizes["loop" if self._is_loop(part) else "front"] = part.memory_info().rss >> 20
        return sizes

    def _is_loop(self, part):
        return not any(c.laddr.port in {self.api, self.logs} for c in part.net_connections("inet"))


def stamp(at):
    return datetime.fromtimestamp(at / 1e6, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now():
    return time.time_ns() // 1000


HEADER = "time,terminal_id,type,amount,currency,response,stan,rrn\n"


def approvals(at, count, terminals, start):
    """Declined enquiries of many machines, as a switch exports them: a host feed at work."""
    return "".join(
        f"{stamp(at + n - start)},T{n % terminals:07d},withdrawal,{2000 + 2000 * (n % 10)},USD,51,{n % 10**6:06d},{n:012d}\n"
        for n in range(start, start + count)
    )


def starts(at, count, terminals, start):
    """Programs that start at many machines (Security 4688)."""
    data = {"NewProcessName": "C:\\Program Files\\Atm\\AtmApplication.exe", "SubjectUserName": "ATM$", "ProcessId": "0x1a4"}
    return "".join(_event(at + n - start, n % terminals, "4688", n, AUDITING, data) for n in range(start, start + count))


AUDITING = "Microsoft-Windows-Security-Auditing"
KINDS = {"switch": ("host", approvals), "windows": ("windows", starts)}


def _event(at, machine, code, number, provider, data):
    """A Windows event as Winlogbeat writes it."""
    event = {"channel": "Security", "provider_name": provider, "event_id": code, "record_id": number}
    event |= {"computer_name": f"PC{machine:05d}", "event_data": data}
    return json.dumps({"@timestamp": stamp(at), "event": {"code": code}, "winlog": event}) + "\n"


def journal(at, number):
    """A withdrawal of 40.00 as an NCR journal prints it, with no host behind it."""

    def clock(ms):
        return datetime.fromtimestamp((at + ms * 1000) / 1e6, UTC).strftime("%H:%M:%S")

    day = datetime.fromtimestamp(at / 1e6, UTC).strftime("%Y/%m/%d")
    lines = [f"[020t*{number}*{day}*{clock(0)}*", "     *TRANSACTION START*", f"[020t {clock(0)} REQUEST SENT [AMOUNT=00000040]"]
    lines += [
        f"[020t {clock(1000)} NOTES STACKED",
        f"[020t {clock(2000)} NOTES PRESENTED 2,0,0,0",
        f"[020t {clock(2000)} NOTES TAKEN",
    ]
    return "\n".join([*lines, f"[020t {clock(3000)} TRANSACTION END"]) + "\n"


class Traffic:
    """What machines send in a while."""

    def __init__(self, lab, token, terminals):
        self.lab, self.terminals, self.sent, self.full = lab, terminals, 0, 0
        self.client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{lab.logs}", headers={"authorization": f"Bearer {token}"}, timeout=60
        )
        self.number = 0

    async def declare(self, name, form, terminal=None, **reading):
        said = {"name": name, "timezone": "UTC", "currency": "USD", **reading} | ({"terminal": terminal} if terminal else {})
        answer = await self.client.post("/v1/feeds/lab", json=[{"format": form, "latency": 0, "reading": said}])
        answer.raise_for_status()

    async def post(self, source, text, records):
        while True:
            answer = await self.client.post("/v1/logs/lab", params={"source": source}, content=text.encode())
            if answer.status_code < 300:
                self.sent += records
                return
            self.full += 1
            await asyncio.sleep(float(answer.headers.get("retry-after", 1)))

    async def steady(self, rate, seconds, kind="switch", batch=1000):
        """So many records a second, in batches, from four senders."""
        source, made = KINDS[kind]
        begun = time.perf_counter()
        turns = round(rate * seconds / batch)
        queue = iter(range(turns))

        async def sender():
            for turn in queue:
                await asyncio.sleep(max(0, begun + turn * batch / rate - time.perf_counter()))
                start, self.number = self.number, self.number + batch
                await self.post(source, made(now(), batch, self.terminals, start), batch)

        await asyncio.gather(*(sender() for _ in range(4)))
        return time.perf_counter() - begun


def cleared(at, machine):
    """The security log of a machine was cleared."""
    return _event(at, machine, "1102", 1, "Microsoft-Windows-Eventlog", {"SubjectUserName": "Administrator"})


async def plant(traffic, seconds, planted):
    """Five cleared logs a second, at one machine after the other."""
    for n in range(int(5 * seconds)):
        await asyncio.sleep(0.2)
        planted[f"ATM-{n:05d}"] = now()
        await traffic.post("windows", cleared(now(), n), 1)


async def watch(lab, token, seen, stop):
    """When each alert was first in the API."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{lab.api}", headers={"authorization": f"Bearer {token}"}) as client:
        while not stop.is_set():
            answer = await client.get("/v1/alerts", params={"limit": 100})
            at = now()
            for alert in answer.json().get("items", []):
                for terminal in alert["terminals"]:  # the last hundred: the watch comes by twenty times a second
                    seen.setdefault((terminal, alert["id"]), at)
            await asyncio.sleep(0.05)


async def _alerts(lab, rate, seconds, terminals, kind):
    ingest, reader = lab.token("intake:lab"), lab.token("viewer")
    traffic, seen, planted, stop = Traffic(lab, ingest, terminals), {}, {}, asyncio.Event()
    await traffic.declare("host", "switch-csv")
    await traffic.declare("windows", "winlogbeat")
    await traffic.post("host", HEADER, 0)
    await traffic.steady(min(rate, 2000), 8, kind)
    before, watching = traffic.sent, asyncio.create_task(watch(lab, reader, seen, stop))
    stealing = asyncio.create_task(plant(traffic, seconds - 2, planted))
    spent = await traffic.steady(rate, seconds, kind)
    await stealing
    behind = now() - lab.standing()["received"]
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and len({t for t, _ in seen} & set(planted)) < len(planted):
        await asyncio.sleep(0.2)
    stop.set()
    await watching
    await traffic.client.aclose()
    return (traffic.sent - before) / spent, behind / SECOND, planted, seen, traffic.full


def waits(seen, planted):
    """Seconds from sending each planted event to its alert in the API, sorted."""
    first = {}
    for (terminal, _), at in seen.items():
        first[terminal] = min(at, first.get(terminal, at))
    return sorted((first[t] - at) / SECOND for t, at in planted.items() if t in first)


def alerts(rate=20_000, seconds=40.0, kind="switch", terminals=2000):
    with TemporaryDirectory() as folder:
        lab = Lab(Path(folder), terminals)
        lab.start()
        try:
            lab.ready(120)
            lab.until(lambda: lab.standing().get("steps"), 120, "the loop does not begin")
            taken, behind, planted, seen, full = asyncio.run(_alerts(lab, rate, seconds, terminals, kind))
            got = waits(seen, planted)
            sizes = lab.rss()
        finally:
            lab.end()
    middle, worst = (got[len(got) // 2], got[int(len(got) * 0.99)]) if got else (float("nan"),) * 2
    said = f"taken {taken:,.0f}/s ('later' {full}x), loop behind at the end {behind:.1f} s"
    print(f"{kind}: asked {rate:,} records/s for {seconds:.0f} s: {said}")
    said = f"from the event to the API median {middle:.2f} s, p99 {worst:.2f} s"
    print(f"  {len(got)} alerts of {len(planted)} planted: {said}; MiB {sizes}", flush=True)


def idle(terminals=20_000):
    """Every terminal with a feed of its own that has spoken once; then nothing for a while."""
    with TemporaryDirectory() as folder:
        lab = Lab(Path(folder), terminals)
        lab.start()
        try:
            lab.ready(300)
            lab.until(lambda: lab.standing().get("steps"), 300, "the loop does not begin")
            empty = lab.rss()
            asyncio.run(_everyone(lab, terminals))
            head = lab.standing()["seq"]
            lab.until(
                lambda: lab.standing()["seq"] > head + 40 and now() - lab.standing()["received"] < 3 * SECOND,
                300,
                "it stays behind",
            )
            costs = []
            for _ in range(60):
                time.sleep(0.5)
                costs.append(lab.standing()["cost"])
            full, costs = lab.rss(), sorted(costs)
        finally:
            lab.end()
    said = f"idle step median {costs[30] * 1000:.0f} ms, worst {costs[-1] * 1000:.0f} ms"
    print(f"{terminals:,} terminals: MiB before {empty}, after {full}; {said}", flush=True)


async def _everyone(lab, terminals):
    token = lab.token("intake:lab")
    traffic = Traffic(lab, token, terminals)
    await traffic.declare("host", "switch-csv")
    await traffic.post("host", HEADER, 0)
    numbers = iter(range(terminals))

    async def sender():
        for n in numbers:
            name = f"journal-{n}"
            await traffic.declare(name, "ncr-journal", f"ATM-{n:05d}", date_order="ymd")
            at = now() - 4 * SECOND
            line = f"{stamp(at)},T{n:07d},withdrawal,4000,USD,00,{n % 10**6:06d},{n:012d}\n"
            await traffic.post("host", line, 1)
            await traffic.post(name, journal(at + SECOND, 1), 7)

    await asyncio.gather(*(sender() for _ in range(8)))
    await traffic.client.aclose()


async def _ask(lab, token, rate, seconds, terminals):
    """Open-loop questions on kept connections; seconds each took, sorted."""
    took, failed, begun = [], 0, time.perf_counter()
    queue = iter(range(int(rate * seconds)))

    async def asker():
        nonlocal failed
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.api)
        for n in queue:
            due = begun + n / rate
            await asyncio.sleep(max(0, due - time.perf_counter()))
            body = json.dumps({"amount": 4000, "currency": "USD", "id": str(n)}).encode()
            head = (
                f"POST /v1/terminals/ATM-{n % terminals:05d}/dispense-check HTTP/1.1\r\nhost: 127.0.0.1:{lab.api}\r\n"
                f"authorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            sent = time.perf_counter()
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(re.search(rb"content-length: (\d+)", answer, re.I)[1])
            await reader.readexactly(length)
            took.append(time.perf_counter() - max(sent, due))
            failed += not answer.startswith(b"HTTP/1.1 200")
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(asker() for _ in range(16)))
    return sorted(took), failed


def _load(port, token, rate, seconds, terminals, begun):
    """A sender beside, in a process of its own."""

    async def go():
        traffic = Traffic(SimpleNamespace(logs=port), token, terminals)
        await traffic.declare("host", "switch-csv")
        await traffic.post("host", HEADER, 0)
        begun.set()
        await traffic.steady(rate, seconds)
        await traffic.client.aclose()

    asyncio.run(go())


@contextlib.contextmanager
def loaded(lab, rate, seconds, terminals):
    """Records come at a rate meanwhile; at rate 0 none do."""
    if not rate:
        yield
        return
    begun = multiprocessing.Event()
    given = (lab.logs, lab.token("intake:lab"), rate, seconds, terminals, begun)
    sender = multiprocessing.Process(target=_load, args=given, daemon=True)
    sender.start()
    begun.wait(60)
    yield
    sender.join()


def interlock(rate=1000, seconds=20.0, load=0, terminals=2000):
    with TemporaryDirectory() as folder:
        lab = Lab(Path(folder), terminals)
        lab.start()
        try:
            lab.ready(120)
            lab.until(lambda: lab.standing().get("steps"), 120, "the loop does not begin")
            token = lab.token("interlock")
            with loaded(lab, load, seconds + 4, terminals):
                asyncio.run(_ask(lab, token, 200, 3, terminals))
                took, failed = asyncio.run(_ask(lab, token, rate, seconds, terminals))
        finally:
            lab.end()
    marks = [took[int(len(took) * q)] * 1000 for q in (0.5, 0.99, 0.999)]
    said = f"median {marks[0]:.2f} ms, p99 {marks[1]:.2f} ms, p99.9 {marks[2]:.2f} ms, refused {failed}"
    print(f"{len(took):,} questions at {rate:,}/s, {load:,} records/s beside: {said}", flush=True)


def run():
    for rate in (5_000, 20_000, 50_000):
        for kind in KINDS:
            alerts(rate, kind=kind)
    idle()
    interlock()
    interlock(load=20_000)


if __name__ == "__main__":
    given = [a if a.isalpha() else float(a) if "." in a else int(a) for a in sys.argv[2:]]
    {"alerts": alerts, "idle": idle, "interlock": interlock}[sys.argv[1]](*given)
