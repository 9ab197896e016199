"""Logs of a small simulated fleet, by format, for tests of intakes."""

from functools import cache

from jackstop import formats
from jackstop.model.fleet import Reading
from jackstop.simulator import render, service
from jackstop.simulator.scene import build, routine

READING = Reading(name="log", timezone="UTC", date_order="mdy")
_RESTART, _LOAD = 1_772_510_000_000_000, 1_772_500_000_000_000
_WINDOWS = ("winlogbeat", "windows-xml", "nxlog", "wazuh")


@cache
def logs() -> dict[str, bytes]:
    """A log of each format that shippers bring."""
    scene, made = build(3, 4, 7), {}
    routine(scene)
    for machine in scene.machines:
        scene.perform(machine)
        service.load_cash(machine, _LOAD)
        service.restart(machine, _RESTART)
        for feed, name in (("device", machine.device), ("journal", machine.journal)):
            made[name] = formats.find(name).encode(render.tables(machine.feeds[feed], terminal="ATM-1", naming="id"), READING)
        for name in _WINDOWS:
            rows = render.tables(machine.feeds["windows"], terminal="PC-ATM-1", naming="hostname")
            made[name] = formats.find(name).encode(rows, READING)
        if machine.feeds.get("host"):
            rows = render.tables(machine.feeds["host"], terminal="ATM-1", naming="terminal_id")
            made["switch-csv"] = formats.find("switch-csv").encode(rows, READING)
    return {name: data for name, data in made.items() if data}


def understood(name: str, pieces: list[bytes], reading: Reading = READING) -> tuple[int, int, list[bytes]]:
    """Records understood and refused by a real reader of these pieces, as they came one after the other, and their digests."""
    reader = formats.find(name).reader(reading)
    parts = [reader.feed(p).tables for p in pieces]
    digests = [d for tables in parts for _, frame in tables.items() for d in frame["record_digest"].to_list()]
    return reader.tally.understood, reader.tally.refused, sorted(digests)
