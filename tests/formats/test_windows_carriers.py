"""One Windows event, five carriers: what each writes, and that all give the same row."""

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jackstop import formats
from jackstop.formats._windows_data import strings
from jackstop.model.fleet import Reading
from jackstop.model.tables import Tables
from jackstop.simulator import render

REAL = Path(__file__).parents[3] / "shared" / "evtx"
SAM = "Microsoft-Windows-Directory-Services-SAM"
SYSMON = "Microsoft-Windows-Sysmon"
TEXT = ("winlogbeat", "windows-xml", "nxlog", "wazuh")
TOLD = ("time", "terminal", "naming", "channel", "provider", "code", "computer", "record_id", "user", "sequence")
READING = Reading(name="w", timezone="America/Chicago")


def read(name: str, data: bytes, reading: Reading = READING):
    return formats.find(name).reader(reading).feed(data, final=True)


def one(name: str, data: bytes, reading: Reading = READING):
    got = read(name, data, reading)
    assert got.refusals == []
    (row,) = got.tables.windows.iter_rows(named=True)
    return row, json.loads(row["data"])


NXLOG = {
    "EventTime": "2026-03-01 02:11:07",
    "Hostname": "ATM0001",
    "Keywords": "9259400833873739776",
    "EventType": "INFO",
    "SeverityValue": 2,
    "Severity": "INFO",
    "EventID": 13,
    "SourceName": "Microsoft-Windows-Sysmon",
    "ProviderGuid": "{5770385F-C22A-43E0-BF4C-06F5698FFBD9}",
    "Version": 2,
    "Task": 13,
    "OpcodeValue": 0,
    "RecordNumber": 9532,
    "ProcessID": 1996,
    "ThreadID": 2616,
    "Channel": "Microsoft-Windows-Sysmon/Operational",
    "Domain": "NT AUTHORITY",
    "AccountName": "SYSTEM",
    "UserID": "S-1-5-18",
    "AccountType": "User",
    "Message": "Registry value set",
    "Category": "Registry value set",
    "Opcode": "Info",
    "ProcessGuid": "B3C285A4-3CDA-5DC0-0000-001077270B00",
    "TargetObject": r"HKLM\SOFTWARE\XFS\LOGICAL_SERVICES",
    "LogonType": 3,
    "Empty": "",
    "EventReceivedTime": "2026-03-01 02:11:08",
    "SourceModuleName": "in",
    "SourceModuleType": "im_msvistalog",
}


def test_nxlog_parts_system_fields_from_the_events_data():
    row, data = one("nxlog", json.dumps(NXLOG).encode())
    assert (row["channel"], row["code"], row["provider"]) == (
        "Microsoft-Windows-Sysmon/Operational",
        13,
        "Microsoft-Windows-Sysmon",
    )
    assert (row["computer"], row["record_id"], row["user"]) == ("ATM0001", 9532, "S-1-5-18")
    assert row["time"].isoformat() == "2026-03-01T08:11:07+00:00"
    assert data == {
        "ProcessGuid": "{B3C285A4-3CDA-5DC0-0000-001077270B00}",
        "TargetObject": r"HKLM\SOFTWARE\XFS\LOGICAL_SERVICES",
        "LogonType": "3",
    }


def test_nxlog_behind_a_syslog_header_and_with_an_offset_is_the_same():
    line = json.dumps(NXLOG | {"EventTime": "2026-03-01T02:11:07.120000-06:00"}).encode()
    row, data = one("nxlog", b"<14>Mar  1 02:11:07 ATM0001 nxWinEvt[892]: " + line)
    assert row["time"].isoformat() == "2026-03-01T08:11:07.120000+00:00"
    assert data["LogonType"] == "3"
    assert next(formats.guess(b"<14>Mar  1 02:11:07 ATM0001 nxWinEvt: " + line, "x"))[1] == "nxlog"


def test_nxlog_names_that_both_sides_have_are_the_events():
    line = {k: v for k, v in NXLOG.items() if k not in {"ProcessID", "Task"}} | {
        "EventType": "SetValue",
        "TaskValue": 1,
        "Task": "mine",
    }
    _, data = one("nxlog", json.dumps(line).encode())
    assert (data["EventType"], data["Task"]) == ("SetValue", "mine")
    service = NXLOG | {"SourceName": "Service Control Manager", "EventID": 7045, "AccountName": "LocalSystem"}
    row, data = one("nxlog", json.dumps(service).encode())
    assert (data["AccountName"], row["user"]) == ("LocalSystem", "S-1-5-18")
    cleared = NXLOG | {"SourceName": "Microsoft-Windows-Eventlog", "EventID": 104, "Channel": "Security"}
    tables = read("nxlog", json.dumps(cleared).encode()).tables
    assert tables.windows["channel"].to_list() == ["System"]
    assert tables.feeds.filter(pl.col("activity") == "log-cleared")["detail"].to_list() == ["Security"]


def test_lines_of_nxlog_itself_are_ignored_and_broken_ones_refused():
    own = {
        "EventTime": "2026-03-01 02:11:07",
        "Hostname": "A",
        "Severity": "INFO",
        "SourceModuleType": "im_internal",
        "Message": "up",
    }
    reader = formats.find("nxlog").reader(READING)
    reader.feed(json.dumps(own).encode() + b"\n<13>no object\n" + b'{"EventID":"x","Channel":"System"}\n', final=True)
    assert (reader.tally.ignored, reader.tally.refused) == (1, 2)


WAZUH = rb"""{"timestamp":"2026-03-01T02:11:08.004+0000","agent":{"id":"001","name":"ATM0001"},"manager":{"name":"m"},"id":"1",
"decoder":{"name":"windows_eventchannel"},"data":{"win":{"system":{"providerName":"Microsoft-Windows-Sysmon",
"providerGuid":"{5770385f-c22a-43e0-bf4c-06f5698ffbd9}","eventID":"1","version":"5","level":"4","task":"1","opcode":"0",
"keywords":"0x8000000000000000","systemTime":"2026-03-01T02:11:07.120000100Z","eventRecordID":"4711","processID":"1996",
"threadID":"2616","channel":"Microsoft-Windows-Sysmon/Operational","computer":"ATM0001","severityValue":"INFORMATION",
"message":"\"Process Create\""},"eventdata":{"image":"C:\\\\Windows\\\\Temp\\\\new.exe",
"commandLine":"\\\"C:\\\\Windows\\\\Temp\\\\new.exe\\\" -n",
"processId":"4444","user":"ATM0001\\\\x"}}},"location":"EventChannel"}""".replace(b"\n", b"")


def test_wazuh_names_are_microsofts_and_values_as_they_were():
    row, data = one("wazuh", WAZUH)
    assert (row["channel"], row["code"], row["record_id"], row["computer"]) == (
        "Microsoft-Windows-Sysmon/Operational",
        1,
        4711,
        "ATM0001",
    )
    assert data == {
        "Image": r"C:\Windows\Temp\new.exe",
        "CommandLine": r'"C:\Windows\Temp\new.exe" -n',
        "ProcessId": "4444",
        "User": r"ATM0001\x",
    }


def test_wazuh_values_that_were_not_escaped_twice_are_left_alone():
    line = json.loads(WAZUH)
    line["data"]["win"]["eventdata"] = {"image": r"C:\Windows\Temp\new.exe", "target": r"\\server\share"}
    _, data = one("wazuh", json.dumps(line).encode())
    assert data == {"Image": r"C:\Windows\Temp\new.exe", "Target": r"\\server\share"}


def test_wazuh_user_data_unnamed_values_and_words_of_its_own():
    line = json.loads(WAZUH)
    win = line["data"]["win"]
    win["system"] |= {"providerName": "Microsoft-Windows-Eventlog", "eventID": "1102", "channel": "Security"}
    win["logFileCleared"] = {"subjectUserName": "Admin"}
    del win["eventdata"]
    row, data = one("wazuh", json.dumps(line).encode())
    assert (row["code"], data) == (1102, {"SubjectUserName": "Admin"})
    win["eventdata"] = {"data": "a, b", "binary": "00"}
    assert one("wazuh", json.dumps(line).encode())[1]["Data"] == "a, b"
    policy = {
        "categoryId": "%%8272",
        "subcategoryId": "%%12288",
        "auditPolicyChangesId": "%%8448",
        "auditPolicyChanges": "Success removed",
    }
    win["eventdata"] = policy | {"category": "System", "subcategory": "Security State Change"}
    del win["logFileCleared"]
    data = one("wazuh", json.dumps(line).encode())[1]
    assert data == {"CategoryId": "%%8272", "SubcategoryId": "%%12288", "AuditPolicyChanges": "%%8448"}


def test_wazuh_names_that_microsoft_writes_small_stay_small():
    line = json.loads(WAZUH)
    win = line["data"]["win"]
    win["system"]["providerName"] = "Microsoft-Windows-Bits-Client"
    win["eventdata"] = {"processPath": "C:", "processId": "1", "id": "2", "peer": "x"}
    assert set(one("wazuh", json.dumps(line).encode())[1]) == {"processPath", "processId", "Id", "peer"}
    win["system"]["providerName"] = "Service Control Manager"
    win["eventdata"] = {"param1": "Windows Defender", "param2": "stopped"}
    assert one("wazuh", json.dumps(line).encode())[1] == {
        "param1": "Windows Defender",
        "param2": "stopped",
    }


def test_lines_of_other_wazuh_decoders_are_ignored():
    reader = formats.find("wazuh").reader(READING)
    reader.feed(
        b'{"timestamp":"2026-03-01T02:11:08.004+0000","decoder":{"name":"sshd"},"data":{"srcip":"1.2.3.4"}}\n', final=True
    )
    assert (reader.tally.ignored, reader.tally.refused) == (1, 0)


def test_values_without_names_are_counted_and_joined():
    xml = b'<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System><Provider Name="P"/>'
    xml += b"<EventID>6008</EventID>"
    xml += b'<TimeCreated SystemTime="2026-03-01T02:11:07.120Z"/><Channel>System</Channel><Computer>PC1</Computer></System>'
    xml += b"<EventData><Data>one</Data><Data></Data><Data>three</Data><Binary>00AB</Binary></EventData></Event>"
    assert one("windows-xml", xml)[1] == {"param1": "one", "param3": "three", "Binary": "00AB"}


NAME = st.from_regex(r"[A-Z][A-Za-z]{1,12}", fullmatch=True).filter(
    lambda n: n not in formats.find("nxlog")._SYSTEM | {"Data", "Task", "Category", "Subcategory", "UserID"}
)
VALUE = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=40).filter(
    lambda v: v.strip() == v and v != "-" and len(v) != 36
)


@given(data=st.dictionaries(NAME, VALUE, max_size=6), code=st.integers(1, 65535), time=st.integers(10**15, 2 * 10**15))
@settings(max_examples=60, deadline=None)
@example(data={"ImagePath": r"C:\new\temp\"x", "Unc": r"\\a\b"}, code=7045, time=10**15)
@example(data={"A": "a\\", "B": '"'}, code=1, time=10**15)
def test_what_is_written_is_read_back_by_each_carrier(data, code, time):
    row = {
        "time": time // 1000 * 1000,
        "terminal": "PC1",
        "naming": "hostname",
        "channel": "System",
        "provider": "P",
        "code": code,
    }
    row |= {"computer": "PC1", "record_id": 7, "user": "S-1-5-18", "sequence": 7, "data": json.dumps(data, ensure_ascii=False)}
    tables = render.tables({"windows": [row]})
    for name in TEXT:
        back, told = one(name, formats.find(name).encode(tables, READING))
        assert told == data, name
        assert {k: back[k] for k in TOLD if k != "time"} == {k: row[k] for k in TOLD if k != "time"}, name


def _expected(name: str, provider: str, data: dict[str, str]) -> dict[str, str]:
    """What is left of an event's data after its carrier: Wazuh leaves out `-`, cuts ends; NXLog has no room for some names."""
    kept = dict(data)
    if name == "wazuh":
        kept = {k: v.rstrip() for k, v in kept.items() if v.rstrip() not in {"", "-"}}
    if name == "nxlog":
        taken = formats.find("nxlog")._SYSTEM | {"UserID", "Domain"}
        taken -= {"Channel"} if provider == "Microsoft-Windows-Eventlog" else set()
        kept = {k: v for k, v in kept.items() if k not in taken and (k, provider) != ("AccountName", SAM)}
    return strings(kept)


@pytest.mark.skipif(not REAL.is_dir(), reason="the shared event logs are not here")
@pytest.mark.parametrize("name", TEXT)
def test_the_events_of_real_logs_give_the_same_rows_by_every_carrier(name):
    files = [REAL / "benign" / "plaso__System.evtx", *sorted((REAL / "attack").rglob("*.evtx"))[::2]]
    parts = [read("evtx", path.read_bytes()).tables.windows.head(1500) for path in files]
    rows = pl.concat(parts).with_columns(pl.col("time").dt.truncate("1ms")).sort("time", maintain_order=True)
    rows = rows.unique([*TOLD, "data"], keep="first", maintain_order=True)
    back = read(name, formats.find(name).encode(Tables.of(windows=rows), READING)).tables.windows
    assert back.height == rows.height > 2000
    assert back.select(TOLD).equals(rows.select(TOLD))
    for provider, was, now in zip(rows["provider"], rows["data"], back["data"], strict=True):
        assert json.loads(now) == _expected(name, provider, json.loads(was))
