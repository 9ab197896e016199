"""XFS4IoT messages: both dialects, tokens, counters, doors; and what a tap writes is read again."""

import json

import polars as pl

from jackstop import formats
from jackstop.model.fleet import Reading
from jackstop.simulator import customers, render, service
from jackstop.simulator.scene import build

READING = Reading(name="x", terminal="ATM-1")


def line(kind: str, name: str, payload: dict[str, object], second: int = 0, **header: object) -> bytes:
    message = {"header": {"type": kind, "name": name, **header}, "payload": payload}
    return json.dumps({"time": f"2026-03-01T02:00:{second:02d}.500Z", "message": message}).encode() + b"\n"


def read(data: bytes):
    reader = formats.find("xfs4iot").reader(READING)
    return reader, reader.feed(data, final=True)


MONEY = {"currencies": {"USD": 80}, "values": {"C1": 0, "C2": 4}}


def test_both_dialects_say_the_same():
    new = line("command", "CashDispenser.Dispense", {"denomination": {"denomination": {"app": MONEY}}}, requestId=5)
    new += line("completion", "CashDispenser.Dispense", MONEY, 3, requestId=5, completionCode="success")
    old = line("command", "CashDispenser.Dispense", {"timeout": 1, "denomination": MONEY}, requestId=5)
    old += line("completion", "CashDispenser.Dispense", {"completionCode": "success", **MONEY}, 3, requestId=5)
    for data in (new, old):
        cash = read(data)[1].tables.cash
        assert cash.select("activity", "amount", "counts", "request_id").rows() == [
            ("dispense-requested", 8000, [0, 4], 5),
            ("dispensed", 8000, [0, 4], 5),
        ]


def test_a_failed_dispense_keeps_its_error():
    data = line(
        "completion", "CashDispenser.Dispense", {"errorCode": "notDispensable"}, requestId=5, completionCode="commandErrorCode"
    )
    (row,) = read(data)[1].tables.cash.iter_rows(named=True)
    assert (row["activity"], row["result_name"], row["amount"]) == ("dispense-failed", "notDispensable", None)


def test_a_token_is_kept_as_a_short_hash_with_its_value():
    secret = "NONCE=1,TOKENFORMAT=1,TOKENLENGTH=0164,DISPENSE1=80.00USD,HMACSHA256=" + "AB" * 32
    data = line(
        "command", "CashDispenser.Dispense", {"denomination": {"denomination": {"app": MONEY}}, "token": secret}, requestId=1
    )
    got = read(data)[1].tables.cash
    assert got["token_amount"].to_list() == [8000]
    assert len(got["token"][0]) < 40
    assert "ABABAB" not in got.select(pl.selectors.string()).write_ndjson()


def test_a_dispense_accepted_without_a_token_says_so():
    data = line("command", "CashDispenser.Dispense", {"denomination": {"denomination": {"app": MONEY}}}, requestId=1)
    data += line("completion", "CashDispenser.Dispense", MONEY, 3, requestId=1, completionCode="success")
    assert "token=none" in read(data)[1].tables.cash["detail"][1]


def test_doors_and_the_operator_switch_are_told():
    data = line(
        "unsolicited", "Common.StatusChangedEvent", {"auxiliaries": {"cabinetDoor": "open", "operatorSwitch": "supervisor"}}
    )
    tables = read(data)[1].tables
    assert tables.cabinet.select("activity", "part").rows() == [("opened", "cabinet")]
    assert tables.operator["activity"].to_list() == ["supervisor-entered"]


def test_a_message_without_a_time_is_refused_and_visible():
    data = json.dumps({"header": {"type": "command", "name": "CashDispenser.Dispense"}, "payload": {}}).encode() + b"\n"
    reader, got = read(data)
    assert reader.tally.refused == 1
    assert got.tables.feeds["activity"].to_list() == ["refused"]


def test_what_a_tap_writes_is_read_again():
    scene = build(2, 6, 5)
    machine = scene.machines[1]
    machine.rate = 300
    scene.perform(machine)
    service.load_cash(machine, scene.end)
    customers.withdraw(machine, scene.end + 3_600_000_000, outcome="retracted")
    tables = render.tables(machine.feeds["device"], terminal=machine.id, naming="id")
    back = read(formats.find("xfs4iot").encode(tables, READING))[1].tables
    then = pl.col("time").dt.truncate("1ms")
    for table, columns in (
        ("cash", ("activity", "amount", "counts", "state")),
        ("units", ("unit", "unit_id", "value", "initial", "count", "rejected", "dispensed", "presented")),
        ("cabinet", ("activity", "part", "sensor")),
        ("operator", ("activity",)),
    ):
        wrote = tables[table].with_columns(then).sort("time", maintain_order=True)
        wrote = wrote.filter(pl.col("activity") != "opened-by") if table == "cash" else wrote
        got = back[table].with_columns(then)
        assert got.select("time", *columns).equals(wrote.select("time", *columns)), table
