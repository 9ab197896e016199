"""JSON lines a second through the HTTP intake on one processor, before a gate that takes everything at once.

    python -m benchmarks.intake

The server has one processor to itself; requests, made beforehand, come over eight connections from another process.
"""

import asyncio
import gzip
import multiprocessing
import os
import time
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from jackstop.intake import Gate, Place, http
from jackstop.model.fleet import Fleet, FleetInfo
from jackstop.model.service import Feed

SECONDS = 3.0
CONNECTIONS = 8
LINE = (
    b'{"@timestamp":"2026-03-01T02:11:07.120Z","event":{"code":"4688","kind":"event"},"winlog":{"channel":"Security",'
    b'"provider_name":"Microsoft-Windows-Security-Auditing","event_id":"4688","record_id":%d,"computer_name":"ATM0001",'
    b'"event_data":{"NewProcessName":"C:\\\\Windows\\\\System32\\\\svchost.exe","CommandLine":"svchost.exe -k netsvcs"}}}'
)


class NullGate:
    """Takes everything and keeps nothing."""

    def __init__(self) -> None:
        self.bytes = 0

    async def accept(self, feed: Feed, data: bytes, *, mark: bytes = b"", peer: str = "") -> int:
        self.bytes += len(data)
        return 1

    async def register(self, feed: Feed) -> None:
        return

    async def refuse(self, feed: Feed, data: bytes, reason: str, *, peer: str = "") -> None:
        return

    def mark(self, name: str) -> bytes:
        return b""

    def marks(self, prefix: str) -> dict[str, bytes]:
        return {}


def _place(told: Connection) -> Place:
    async def verify(token: str, intake: str) -> str | None:
        return "bench"

    def tell(key: str, value: object) -> None:
        if key == "listening":
            told.send(value)

    return Place(Path(), Fleet(fleet=FleetInfo(timezone="UTC", currency="USD")), verify, tell, lambda s: s)


def _serve(told: Connection, loop: str) -> None:
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
    config = http.Config(kind="http", name="bench", format="winlogbeat", listen="127.0.0.1:0")
    gate: Gate = NullGate()
    if loop == "uvloop":
        import uvloop

        uvloop.run(http.run(config, gate, _place(told)))
    else:
        asyncio.run(http.run(config, gate, _place(told)))


def request(path: str, lines: int, packed: bool) -> bytes:
    """A whole request of so many lines."""
    made = [LINE % (n + 1) for n in range(lines)]
    match path:
        case "/_bulk":
            body = b"".join(b'{"create":{"_index":"winlogbeat-8.19.0"}}\n' + m + b"\n" for m in made)
        case "/services/collector/event":
            body = b"".join(b'{"time":1772330000.1,"host":"ATM0001","event":' + m + b"}" for m in made)
        case _:
            body = b"\n".join(made) + b"\n"
    if packed:
        body = gzip.compress(body, 6)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + (b"Content-Encoding: gzip\r\n" if packed else b"") + b"\r\n" + body


async def _drive(address: str, wire: bytes) -> int:
    """Requests answered in the time."""
    host, port = address.split(":")
    until, done = time.monotonic() + SECONDS, 0

    async def one() -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 22)
        while time.monotonic() < until:
            writer.write(wire)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            done += 1
        writer.close()

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return done


def _spent(process: int | None) -> float:
    """CPU seconds of a process."""
    times = psutil.Process(process).cpu_times()
    return times.user + times.system


def run() -> None:
    """Print the rates."""
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})
    print(f"{'loop':8} {'path':26} {'lines':>5} {'body':5} {'lines/s':>11} {'/CPU s':>11}")
    for loop in ("asyncio", "uvloop"):
        here, there = multiprocessing.Pipe()
        server = multiprocessing.get_context("spawn").Process(target=_serve, args=(there, loop), daemon=True)
        server.start()
        address = here.recv()
        for path in ("/v1/logs/bench", "/_bulk", "/services/collector/event"):
            for lines in (100, 1000):
                for packed in (False, True):
                    begun, spent = time.monotonic(), _spent(server.pid)
                    done = lines * asyncio.run(_drive(address, request(path, lines, packed)))
                    rates = f"{done / (time.monotonic() - begun):11,.0f} {done / (_spent(server.pid) - spent):11,.0f}"
                    print(f"{loop:8} {path:26} {lines:5} {'gzip' if packed else 'plain':5} {rates}")
        server.terminate()
        server.join()


if __name__ == "__main__":
    run()
