"""The interlock's route: whose word it takes, what it passes on, and what it does not wait for."""

import pytest
from a_bank import FLEET, START, bank

from jackstop.policy.interlock import Request
from jackstop.policy.model import Policy
from jackstop.runners.interlock import Interlock

PATH = "/v1/terminals/ATM-0001/dispense-check"


@pytest.fixture
def home(tmp_path):
    made = bank(tmp_path)
    yield made
    made.context.database.close()


async def test_a_question_is_passed_on_whole_and_the_answer_comes_back(home):
    async with home.holding("interlock") as switch:
        body = {"id": "rrn-1", "amount": 20000, "currency": "USD", "channel": "card"}
        answer = await switch.post(PATH, json=body)
        assert answer.status_code == 200
        assert answer.json() == {
            "decision": "allow", "would": "allow", "terminal": "ATM-0001", "id": "rrn-1", "reasons": [], "until": None,
            "unknown": [], "policy": "policy-1", "at": "2026-03-01T02:00:00Z",
        }  # fmt: skip
        assert (await switch.post(PATH)).status_code == 200
    assert home.lock.asked == [
        ("ATM-0001", Request("rrn-1", 20000, "USD", "card"), "192.0.2.7"),
        ("ATM-0001", Request(), "192.0.2.7"),
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[]", 422),
        (b"{", 422),
        (b"\xff", 422),
        (b'{"amount":-1}', 422),
        (b'{"amount":1.5}', 422),
        (b'{"currency":"usd"}', 422),
        (b'{"colour":"red"}', 422),
        (b'{"id":"' + b"x" * 5000 + b'"}', 413),
    ],
)
async def test_a_question_that_is_none_is_refused_and_not_passed_on(home, body, status):
    async with home.holding("interlock") as switch:
        assert (await switch.post(PATH, content=body)).status_code == status
    assert home.lock.asked == []


async def test_only_a_token_with_that_scope_asks(home):
    for client in (home.holding("administrator"), home.logged_in("administrator")):
        async with client:
            assert (await client.post(PATH)).status_code == 403
    async with home.client() as nobody:
        assert (await nobody.post(PATH)).status_code == 401


async def test_where_no_interlock_runs_it_says_so(tmp_path):
    home = bank(tmp_path, interlock=None)
    async with home.holding("interlock") as switch:
        answer = await switch.post(PATH)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
    home.context.database.close()


async def test_the_answer_does_not_wait_for_the_store_once_the_token_is_known(home, monkeypatch):
    async with home.holding("interlock") as switch:
        assert (await switch.post(PATH)).status_code == 200

        def broken(*_):
            raise AssertionError("the store was asked")

        monkeypatch.setattr(type(home.context.database), "read", broken)
        monkeypatch.setattr(type(home.context.database), "write", broken)
        for _ in range(20):
            assert (await switch.post(PATH)).status_code == 200


async def test_the_policys_own_interlock_answers_with_reasons_in_words(tmp_path):
    home = bank(tmp_path)
    policy = Policy.model_validate({"interlock": {"mode": "enforce", "payout_hours": {"answer": "deny"}}})
    lock = Interlock(home.context.database, FLEET, policy, lambda _: None, home.clock)
    lock.refresh()
    object.__setattr__(home.context, "interlock", lock)
    async with home.holding("interlock") as switch:
        said = (await switch.post(PATH, json={"amount": 1})).json()
        assert said["decision"] == "deny"
        codes = {r["code"]: r for r in said["reasons"]}
        assert codes["out-of-hours"]["until"] == "2026-03-01T14:00:00Z"
        assert codes["alert-open"]["ja"]
        stranger = (await switch.post("/v1/terminals/ATM-0009/dispense-check")).json()
        assert stranger["unknown"] == ["terminal"]
    home.context.database.close()


async def test_people_say_that_a_machine_is_in_order_again(home):
    async with home.logged_in("approver") as client:
        assert (await client.post("/v1/terminals/ATM-0001/reset", json={"note": "seen by the technician"})).status_code == 200
        assert (await client.post("/v1/terminals/ATM-0009/reset", json={"note": "x"})).status_code == 404
        assert (await client.post("/v1/terminals/ATM-0001/reset", json={})).status_code == 422
    assert START
