"""What the API shows, what it changes, and that every change is on record."""

import pytest
from a_bank import START, bank

from jackstop.model.written import stamp
from jackstop.store import audit, people
from jackstop.store.database import Database

HOUR = 3_600_000_000


@pytest.fixture
def home(tmp_path):
    made = bank(tmp_path)
    made.person("mori", "analyst")
    yield made
    made.context.database.close()


def trail(database: Database, n: int = 5):
    with database.read() as connection:
        return [(e.actor, e.action, e.subject) for e in audit.entries(connection, limit=n)]


async def test_an_alert_is_shown_with_its_evidence_and_in_words(home):
    async with home.logged_in("viewer") as client:
        line = (await client.get("/v1/alerts")).json()["items"][0]
        assert (line["id"], line["unexplained"], line["status"]) == ("a1", 80_000, "new")
        assert line["first_event"] == "2026-03-01T02:00:00Z"
        whole = (await client.get("/v1/alerts/a1?lang=ja")).json()
        assert whole["records"][0]["sha256"] == "ab" * 32
        assert whole["findings"][0]["detail"] == [["detail", "no-authorisation"]]
        assert whole["told"]["title"] == "承認のない現金の払い出し"
        assert (await client.get("/v1/alerts/a1")).json()["told"]["title"] == "Cash left with no authorisation"
        assert [t["events"][0]["standing"] for t in (await client.get("/v1/alerts/a1/timeline")).json()] == ["unexplained"]


@pytest.mark.parametrize(
    ("query", "n"),
    [
        ("least=critical", 1),
        ("status=new", 1),
        ("status=resolved", 0),
        ("terminal=ATM-0002", 0),
        ("since=2026-03-01T02:00:01Z", 1),
        ("since=2026-03-01T11:00:02%2B09:00", 0),
        ("until=2026-03-01T02:00:01Z", 0),
    ],
)
async def test_alerts_are_found_by_what_is_asked(home, query, n):
    async with home.logged_in("viewer") as client:
        assert len((await client.get(f"/v1/alerts?{query}")).json()["items"]) == n


async def test_an_alert_is_taken_acknowledged_and_closed_and_each_step_is_on_record(home):
    async with home.logged_in("analyst") as client:
        said = (await client.patch("/v1/alerts/a1", json={"status": "acknowledged", "assignee": "mori"})).json()
        assert (said["status"], said["assignee"], said["changed_by"]) == ("acknowledged", "mori", "analyst-1")
        said = (await client.patch("/v1/alerts/a1", json={"assignee": ""})).json()
        assert (said["status"], said["assignee"]) == ("acknowledged", None)
        assert (await client.patch("/v1/alerts/a1", json={"assignee": "nobody"})).status_code == 404
        assert (await client.patch("/v1/alerts/a1", json={})).status_code == 409
        assert (await client.patch("/v1/alerts/a1", json={"status": "closed"})).status_code == 422
        assert (await client.post("/v1/alerts/a1/remarks", json={"body": "called the branch"})).status_code == 201
        assert (await client.get("/v1/alerts/a1")).json()["remarks"][0]["body"] == "called the branch"
    assert trail(home.context.database, 3) == [
        ("analyst-1", "alert.remark", "a1"),
        ("analyst-1", "alert.handle", "a1"),
        ("analyst-1", "alert.handle", "a1"),
    ]
    assert audit.verify(home.context.database).fault == ""


async def test_a_case_gathers_alerts_remarks_and_holds_and_is_closed_once(home):
    async with home.logged_in("approver") as client, home.logged_in("administrator") as boss:
        case = (await client.post("/v1/cases", json={"title": "March", "alerts": ["a1"]})).json()
        assert case["alerts"] == ["a1"]
        assert (await client.post("/v1/cases", json={"title": "x", "alerts": ["nope"]})).status_code == 404
        path = f"/v1/cases/{case['id']}"
        assert (await client.delete(f"{path}/alerts/a1")).json()["alerts"] == []
        assert (await client.post(f"{path}/alerts", json={"alerts": ["a1"]})).json()["alerts"] == ["a1"]
        span = {"begins": stamp(START), "ends": stamp(START + HOUR), "reason": "police"}
        hold = (await client.post(f"{path}/holds", json=span)).json()
        assert (await client.post(f"{path}/holds", json=span | {"ends": stamp(START)})).status_code == 409
        assert (await client.delete(f"/v1/holds/{hold['id']}")).status_code == 403
        assert (await boss.delete(f"/v1/holds/{hold['id']}")).status_code == 200
        assert (await boss.delete(f"/v1/holds/{hold['id']}")).status_code == 404
        await client.post(f"{path}/remarks", json={"body": "done"})
        closed = (await client.post(f"{path}/close", json={"summary": "a technician"})).json()
        assert (closed["status"], closed["summary"], len(closed["remarks"])) == ("closed", "a technician", 1)
        assert (await client.post(f"{path}/close", json={"summary": "again"})).status_code == 409
        assert (await client.post(f"{path}/alerts", json={"alerts": ["a1"]})).status_code == 409
        assert (await client.get("/v1/holds")).json()["items"][0]["released_by"] == "administrator-1"


async def test_lists_go_on_where_the_page_before_ended(home):
    async with home.logged_in("administrator") as client:
        for i in range(7):
            home.clock.turn(1)
            await client.post("/v1/cases", json={"title": f"case {i}"})
        for path, most in (("/v1/cases", 3), ("/v1/audit", 4), ("/v1/terminals", 1)):
            whole = [next(iter(x.items())) for x in (await client.get(path)).json()["items"]]
            found, after = [], ""
            while after is not None:
                page = (await client.get(f"{path}?limit={most}" + (f"&after={after}" if after else ""))).json()
                assert 0 < len(page["items"]) <= most
                found += [next(iter(x.items())) for x in page["items"]]
                after = page["next"]
            assert found == whole


async def test_a_terminal_is_shown_with_what_is_known_of_it(home):
    async with home.logged_in("viewer") as client:
        troubled = (await client.get("/v1/terminals?troubled=true")).json()["items"]
        assert [(t["id"], t["severity"], t["open_alerts"]) for t in troubled] == [("ATM-0001", "critical", 1)]
        whole = (await client.get("/v1/terminals/ATM-0001")).json()
        assert whole["names"] == {"luno": "001", "hostname": "ATM0001"}
        assert whole["facts"] == [{"fact": "opened:safe", "at": "2026-03-01T02:00:00Z", "value": "door"}]
        assert [a["id"] for a in whole["alerts"]] == ["a1"]
        assert (await client.get("/v1/terminals/ATM-0009")).status_code == 404
        events = (await client.get("/v1/terminals/ATM-0001/timeline")).json()["events"]
        assert [e["word"] for e in events] == ["dispensed"]
        long = f"since={stamp(START - 8 * 24 * HOUR)}&until={stamp(START)}"
        assert (await client.get(f"/v1/terminals/ATM-0001/timeline?{long}")).status_code == 422


async def test_verdicts_have_a_history_and_measures_come_out_of_them(home):
    async with home.logged_in("viewer") as client:
        assert (await client.get("/v1/verdicts?verdict=unexplained")).json()["items"][0]["id"] == "m1"
        assert [h["cause"] for h in (await client.get("/v1/verdicts/m1")).json()["history"]] == ["first"]
        kpis = (await client.get("/v1/kpis")).json()
        assert (kpis["currency"], kpis["dispensed"]) == ("USD", 80_000)
        assert (await client.get("/v1/kpis?since=2020-01-01T00:00:00Z")).status_code == 422


async def test_what_is_detected_and_briefed_is_told_in_words(home):
    async with home.logged_in("viewer") as client:
        listed = (await client.get("/v1/detections?lang=ja")).json()["items"]
        assert len(listed) > 50
        one = (await client.get("/v1/detections/dispense.unexplained")).json()
        assert one["titles"]["ja"] == "承認のない現金の払い出し"
        assert one["tests"]
        assert (await client.get("/v1/detections/nope")).status_code == 404
        brief = (await client.get("/v1/advisories")).json()["items"][0]
        assert brief["id"] == "FLASH-20260219-001"
        seen = (await client.get(f"/v1/advisories/{brief['id']}/coverage")).json()
        assert 0 < seen["seen"] <= seen["all"] == len(seen["entries"])
        assert (await client.get(f"/v1/advisories/{brief['id']}")).json()["actions"]


VISIT = {
    "terminal": "ATM-0001", "work_order": "WO-17", "kind": "cit",
    "begins": "2026-03-01T03:00:00Z", "ends": "2026-03-01T04:00:00Z",
    "people": ["crew, 07"], "permits": ["open-safe", "exchange"], "expected_in": [[2000, 1500]],
}  # fmt: skip


async def test_a_visit_is_announced_changed_and_cancelled_as_lines_of_its_format(home):
    change = {k: v for k, v in VISIT.items() if k not in {"terminal", "work_order"}}
    async with home.logged_in("approver") as client:
        assert (await client.post("/v1/visits", json=VISIT)).status_code == 201
        assert (await client.post("/v1/visits", json=VISIT)).status_code == 409
        path = "/v1/visits/ATM-0001/WO-17"
        assert (await client.put(path, json=change | {"ends": "2026-03-01T05:00:00Z"})).status_code == 200
        listed = (await client.get("/v1/visits")).json()["items"]
        assert [(v["work_order"], v["ends"], v["cancelled"]) for v in listed] == [("WO-17", "2026-03-01T05:00:00Z", False)]
        assert (await client.delete(path)).json()["cancelled"] is True
        assert (await client.delete(path)).status_code == 404
    who = b",approver-1 2026-03-01T02:01:00Z\n"
    assert [line.removesuffix(who) for line in home.line.taken] == [
        b'ATM-0001,cit,WO-17,2026-03-01T03:00:00Z,2026-03-01T04:00:00Z,"crew, 07",open-safe;exchange,2000:1500,',
        b'ATM-0001,cit,WO-17,2026-03-01T03:00:00Z,2026-03-01T05:00:00Z,"crew, 07",open-safe;exchange,2000:1500,',
        b'ATM-0001,cit,WO-17,2026-03-01T03:00:00Z,2026-03-01T03:00:00Z,"crew, 07",,,',
    ]
    assert [a for _, a, _ in trail(home.context.database, 3)] == ["visit.cancel", "visit.change", "visit.announce"]


async def test_a_visit_cancelled_a_second_time_is_read_as_cancelled(home):
    from jackstop import formats
    from jackstop.model.fleet import Reading

    change = {k: v for k, v in VISIT.items() if k not in {"terminal", "work_order"}}
    async with home.logged_in("approver") as client:
        path = "/v1/visits/ATM-0001/WO-17"
        await client.post("/v1/visits", json=VISIT)
        for _ in range(2):
            home.clock.turn(1)
            assert (await client.delete(path)).status_code == 200
            home.clock.turn(1)
            assert (await client.put(path, json=change)).status_code == 200
        home.clock.turn(1)
        await client.delete(path)
    header = b"terminal,kind,work_order,start,end,people,permits,expected_in,expected_out\n"
    read = formats.find("visits").reader(Reading(name="visits")).feed(header + b"".join(home.line.taken), final=True)
    assert not read.refusals
    assert [len(p) for p in read.tables.visits["permits"].to_list()] == [2, 0, 2, 0, 2, 0]


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"terminal": "ATM-0009"}, 404),
        ({"ends": "2026-03-01T03:00:00Z"}, 422),
        ({"ends": "2026-05-01T03:00:00Z"}, 422),
        ({"begins": "2026-03-01T03:00:00"}, 422),
        ({"permits": ["everything"]}, 422),
        ({"people": ["a\nATM-0001,cit,WO-99"]}, 422),
        ({"people": ["a;b"]}, 422),
        ({"work_order": 'x"\n'}, 422),
        ({"kind": "thief"}, 422),
        ({"expected_in": [[0, 1]]}, 422),
    ],
)
async def test_a_visit_that_is_none_is_refused_and_nothing_is_written(home, wrong, status):
    async with home.logged_in("approver") as client:
        assert (await client.post("/v1/visits", json=VISIT | wrong)).status_code == status
        assert (await client.get("/v1/visits")).json()["items"] == []
    assert home.line.taken == []


async def test_a_visit_that_the_service_does_not_take_does_not_stand_and_its_try_is_on_record(home):
    home.line.down = True
    async with home.logged_in("approver") as client:
        answer = await client.post("/v1/visits", json=VISIT)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        assert [v["cancelled"] for v in (await client.get("/v1/visits")).json()["items"]] == [True]
    assert [a for _, a, _ in trail(home.context.database, 2)] == ["visit.not-taken", "visit.announce"]


async def test_visits_of_the_file_are_listed_and_can_be_changed(tmp_path):
    from jackstop import formats
    from jackstop.model.fleet import Reading

    text = b"terminal,kind,work_order,start,end,permits\nATM-0002,audit,WO-1,2026-03-01T05:00:00Z,2026-03-01T06:00:00Z,usb\n"
    known = formats.find("visits").reader(Reading(name="visits.csv")).feed(text, final=True).tables.visits
    home = bank(tmp_path, visits=known)
    async with home.logged_in("approver") as client:
        listed = (await client.get("/v1/visits")).json()["items"]
        assert [(v["terminal"], v["permits"], v["announced"]) for v in listed] == [("ATM-0002", ["usb"], False)]
        assert (await client.delete("/v1/visits/ATM-0002/WO-1")).json()["cancelled"] is True
        assert [v["announced"] for v in (await client.get("/v1/visits")).json()["items"]] == [True]
    home.context.database.close()


async def test_an_action_needs_two_people_who_did_not_propose_it(home):
    home.person("second", "approver")
    home.person("third", "approver")
    async with home.logged_in("approver") as first, home.logged_in("analyst") as analyst:
        body = {"kind": "dispatch-guard", "alert": "a1", "terminal": "ATM-0001", "note": "nobody answers"}
        made = (await first.post("/v1/actions", json=body)).json()
        assert (made["state"], made["needed"], made["dry"], made["note"]) == ("proposed", 2, True, "nobody answers")
        path = f"/v1/actions/{made['id']}"
        assert (await first.post(f"{path}/approve", json={})).status_code == 403
        assert (await analyst.post(f"{path}/approve", json={})).status_code == 403
        states = []
        for name in ("second", "second", "third"):
            cookie, csrf = home.session(name)
            async with home.client(**{"x-csrf-token": csrf}) as client:
                client.cookies.set("jackstop", cookie)
                answer = await client.post(f"{path}/approve", json={})
                states.append((answer.status_code, answer.json().get("state")))
        assert states == [(200, "proposed"), (403, None), (200, "approved")]
        steps = (await analyst.get(path)).json()["steps"]
        assert [s["actor"] for s in steps] == ["approver-1", "second", "third"]


async def test_a_token_is_no_second_pair_of_eyes(home):
    async with home.holding("administrator") as program, home.logged_in("approver") as person:
        for verb in ("approve", "reject"):
            assert (await program.post(f"/v1/actions/act1/{verb}", json={})).status_code == 403
        assert (await person.post("/v1/actions/act1/reject", json={"note": "a test"})).json()["state"] == "rejected"
        assert (await person.post("/v1/actions/act1/approve", json={})).status_code == 409
        assert (await person.post("/v1/actions/nope/approve", json={})).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "dispatch-guard", "alert": "a1"}, 422),
        ({"kind": "open-ticket"}, 422),
        ({"kind": "open-ticket", "alert": "a1", "terminal": "ATM-0001"}, 422),
        ({"kind": "open-ticket", "alert": "nope"}, 404),
        ({"kind": "out-of-service", "terminal": "ATM-0009"}, 404),
        ({"kind": "open-ticket", "alert": "a1"}, 201),
        ({"kind": "out-of-service", "terminal": "ATM-0002"}, 201),
    ],
)
async def test_an_action_is_for_an_alert_or_at_a_terminal(home, body, status):
    async with home.logged_in("analyst") as client:
        assert (await client.post("/v1/actions", json=body)).status_code == status


async def test_only_what_was_sent_can_be_confirmed_or_taken_back(home):
    async with home.logged_in("analyst") as client:
        for verb in ("confirm", "fail", "roll-back"):
            assert (await client.post(f"/v1/actions/act1/{verb}", json={})).status_code == 409


async def test_every_analyst_may_stop_everything_and_only_an_administrator_starts_it_again(home):
    async with home.logged_in("analyst") as analyst, home.logged_in("administrator") as boss:
        assert (await analyst.get("/v1/switches")).json() == {"live": False, "live_by_policy": True, "stopped": False}
        assert (await analyst.put("/v1/switches/stopped", json={"on": True})).json()["stopped"] is True
        assert (await analyst.put("/v1/switches/stopped", json={"on": False})).status_code == 403
        assert (await boss.put("/v1/switches/stopped", json={"on": False})).json()["stopped"] is False
        assert (await analyst.put("/v1/switches/live", json={"on": True})).status_code == 403
        assert (await boss.put("/v1/switches/live", json={"on": True})).json()["live"] is True
    assert [a for _, a, _ in trail(home.context.database, 3)] == ["response.switch"] * 3


async def test_dead_letters_are_shown_and_asked_for_again(home):
    async with home.logged_in("administrator") as boss:
        letter = (await boss.get("/v1/sinks/dead-letters?sink=siem")).json()["items"][0]
        assert (letter["key"], letter["bytes"], letter["asked_at"]) == ("a1:1", 2, None)
        assert (await boss.post(f"/v1/sinks/dead-letters/{letter['id']}/resend")).status_code == 200
        assert (await boss.get("/v1/sinks/dead-letters")).json()["items"][0]["asked_at"] is not None
        assert (await boss.post("/v1/sinks/dead-letters/999/resend")).status_code == 404
        assert (await boss.get("/v1/sinks")).status_code == 200


async def test_feeds_tell_how_they_are_read(home):
    async with home.logged_in("viewer") as client:
        feed = (await client.get("/v1/feeds")).json()["items"][0]
        assert (feed["name"], feed["refused"], feed["reasons"]) == ("edge/ATM-0001", 1, {"not UTF-8": 1})


async def test_the_audit_log_is_read_and_verified_through_the_api(home):
    async with home.logged_in("administrator") as boss:
        await boss.post("/v1/users", json={"name": "new", "role": "viewer"})
        found = (await boss.get("/v1/audit?action=user")).json()["items"]
        assert [(e["action"], e["subject"]) for e in found] == [("user.add", "new")]
        said = (await boss.get("/v1/audit/verification")).json()
        assert said["whole"] is True
        assert said["rows"] == len((await boss.get("/v1/audit?limit=500")).json()["items"])


async def test_users_are_added_once_and_their_names_are_plain(home):
    async with home.logged_in("administrator") as boss:
        assert (await boss.post("/v1/users", json={"name": "mori", "role": "viewer"})).status_code == 409
        for name in ("Mori", "", "a b", "x" * 65, "../x", "-x"):
            assert (await boss.post("/v1/users", json={"name": name, "role": "viewer"})).status_code == 422
        assert (await boss.patch("/v1/users/nobody", json={"role": "viewer"})).status_code == 404
        assert (await boss.patch("/v1/users/mori", json={})).status_code == 409
        assert (await boss.patch("/v1/users/mori", json={"role": "approver"})).json()["role"] == "approver"
    with home.context.database.read() as connection:
        assert people.find(connection, "mori").role == "approver"


async def test_a_change_that_fails_leaves_neither_a_deed_nor_a_row(home):
    before = trail(home.context.database, 500)
    async with home.logged_in("analyst") as client:
        await client.post("/v1/cases", json={"title": "x", "alerts": ["a1", "nope"]})
        assert (await client.get("/v1/alerts/a1")).json()["case_id"] is None
        assert len((await client.get("/v1/cases")).json()["items"]) == 1
    assert trail(home.context.database, 500) == before
