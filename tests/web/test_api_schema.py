"""The OpenAPI document, and schemathesis over all of it: whatever is sent as the document allows, or near it, there is no 500."""

import contextlib
from collections import Counter

import hypothesis
import pytest
import schemathesis
from a_bank import bank
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from jackstop.web.roles import NEEDS

SETTINGS = hypothesis.settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    made = bank(tmp_path_factory.mktemp("schema"))
    yield made
    made.context.database.close()


@pytest.fixture
def document(home):
    made = home.app.openapi()
    spared = {"/v1/events", "/v1/session"}
    paths = {p: ops for p, ops in made["paths"].items() if p not in spared}
    return schemathesis.openapi.from_dict({**made, "paths": paths}), made


def test_the_document_tells_of_every_route_what_it_is_needs_and_answers(document):
    _, made = document
    assert made["openapi"].startswith("3.")
    assert len(made["paths"]) > 50
    for path, operations in made["paths"].items():
        for method, said in operations.items():
            assert said["x-need"] in NEEDS, path
            assert said["tags"], path
            assert said["description"], f"{method} {path} says nothing of itself"
            assert any(200 <= int(s) < 300 for s in said["responses"]), path
            assert "application/problem+json" in said["responses"]["422"]["content"], path
    problem = made["components"]["schemas"]["Problem"]
    assert {"title", "status", "detail"} <= problem["properties"].keys()
    assert made["components"]["securitySchemes"]["session"]["name"] == "jackstop"


def test_every_answer_that_is_a_document_has_a_model(document):
    _, made = document
    for path, operations in made["paths"].items():
        for said in operations.values():
            for status, response in said["responses"].items():
                content = response.get("content", {})
                if 200 <= int(status) < 300 and "application/json" in content:
                    assert content["application/json"]["schema"], path


def cases_of(schema, mode, seed):
    """Some calls of every operation, as schemathesis makes them."""
    found = []
    for result in schema.get_all_operations():
        strategy = result.ok().as_strategy(generation_mode=mode)

        @SETTINGS
        @hypothesis.seed(seed)
        @hypothesis.given(case=strategy)
        def gather(case):
            found.append(case)

        with contextlib.suppress(Unsatisfiable):  # a route without values has nothing that could be wrong
            gather()
    return found


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
async def test_no_call_that_the_document_allows_or_nearly_allows_ends_in_a_500(home, document, mode):
    schema, _ = document
    calls = [c for c in cases_of(schema, mode, 7) if c is not None]
    assert len({(c.method, c.path) for c in calls}) > (50 if mode == GenerationMode.POSITIVE else 30)
    wrong, seen = [], Counter()
    async with home.logged_in("administrator") as client:
        for case in calls:
            answer = await send(client, case)
            seen[answer.status_code // 100] += 1
            if answer.status_code >= 500:
                wrong.append(f"{case.method} {answer.request.url}: {answer.status_code} {answer.text}")
            if answer.status_code >= 400:
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json()["status"] == answer.status_code
            assert answer.status_code != 401
    assert wrong == []
    assert seen[4] > 25
    assert seen[2] > (25 if mode == GenerationMode.POSITIVE else 0)


async def send(client, case):
    """One call, with the administrator's cookie in place of whatever the case brings."""
    kwargs = case.as_transport_kwargs(base_url=str(client.base_url))
    spared = {"cookie", "authorization", "x-csrf-token", "host", "content-length"}
    headers = {k: v for k, v in dict(kwargs.get("headers") or {}).items() if k.lower() not in spared}
    body = {k: kwargs[k] for k in ("json", "data") if kwargs.get(k) is not None}
    if isinstance(body.get("data"), bytes | str):
        body["content"] = body.pop("data")
    return await client.request(kwargs["method"], kwargs["url"], params=kwargs.get("params"), headers=headers, **body)
