"""The door before everything: hosts, sizes, other sites, proxies, headers, paces, and the last net."""

import pytest
from a_bank import bank
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jackstop.web.guard import POLICY, hosts
from jackstop.web.limits import Backoff, Buckets, Limits

SECOND = 1_000_000


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    made = bank(tmp_path_factory.mktemp("guard"))
    yield made
    made.context.database.close()


async def test_every_answer_carries_the_headers_that_keep_browsers_strict(home):
    async with home.client() as client:
        for path in ("/login", "/healthz", "/v1/alerts", "/nothing", "/static/style.css"):
            headers = (await client.get(path)).headers
            assert headers["content-security-policy"] == POLICY
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "same-origin"
            assert headers["cache-control"] in {"no-store", "public, max-age=300"}
            assert "strict-transport-security" not in headers
    assert "default-src 'none'" in POLICY
    assert "frame-ancestors 'none'" in POLICY
    assert "unsafe" not in POLICY


async def test_behind_tls_browsers_are_told_to_stay_there(tmp_path):
    safe = bank(tmp_path, {"api": {"url": "https://atm.example"}})
    async with safe.client() as client:
        assert (await client.get("/healthz")).headers["strict-transport-security"].startswith("max-age=31536000")
    safe.context.database.close()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "atm.example@evil.example", "[::1", "a b"])
async def test_a_host_name_that_is_not_ours_is_not_served(home, host):
    async with home.client() as client:
        answer = await client.get("/healthz", headers={"host": host})
        assert answer.status_code == 421
        assert answer.headers["content-type"] == "application/problem+json"


def test_the_hosts_follow_from_the_url_or_from_where_it_listens(home):
    def of(**api):
        return hosts(home.context.declared.api.model_copy(update=api))

    assert of(url="https://ATM.example:8443/") == {"atm.example"}
    assert of(listen="127.0.0.1:8440") == {"127.0.0.1", "localhost", "::1"}
    assert of(listen="10.1.2.3:8440") == {"10.1.2.3"}
    assert "localhost" in of(listen="0.0.0.0:8440")


async def test_a_request_that_says_it_is_too_long_or_turns_out_to_be_is_refused(home):
    async with home.logged_in("analyst") as client:
        long = b'{"body":"' + b"x" * (1 << 20) + b'"}'
        assert (await client.post("/v1/alerts/a1/remarks", content=long)).status_code == 413

        async def drip():
            for i in range(0, len(long), 65536):
                yield long[i : i + 65536]

        answer = await client.post("/v1/alerts/a1/remarks", content=drip(), headers={"content-type": "application/json"})
        assert answer.status_code == 413
        assert (await client.get("/healthz", headers={"content-length": "x"})).status_code == 413


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}],
)
async def test_a_change_sent_by_another_sites_page_is_refused_and_one_by_a_token_is_not(home, headers):
    async with home.logged_in("analyst") as client, home.holding("analyst") as program:
        assert (await client.post("/v1/alerts/a1/remarks", json={"body": "x"}, headers=headers)).status_code == 403
        assert (await program.post("/v1/alerts/a1/remarks", json={"body": "x"}, headers=headers)).status_code == 201
        for own in (
            {"origin": "http://127.0.0.1:8440", "sec-fetch-site": "same-origin"},
            {"origin": "null", "sec-fetch-site": "same-origin"},
            {"origin": "http://127.0.0.1:8440"},
        ):
            assert (await client.post("/v1/alerts/a1/remarks", json={"body": "x"}, headers=own)).status_code == 201


async def test_a_change_with_the_cookie_needs_the_sessions_token(home):
    async with home.logged_in("analyst") as client:
        good = client.headers.pop("x-csrf-token")
        for given in (None, "", "x", good[:-1], good + "x", "é"):
            headers = {} if given is None else {"x-csrf-token": given.encode()}
            answer = await client.post("/v1/alerts/a1/remarks", json={"body": "x"}, headers=headers)
            assert answer.status_code == 403, given
        assert (await client.get("/v1/alerts")).status_code == 200
        assert (await client.post("/v1/alerts/a1/remarks", json={"body": "x"}, headers={"x-csrf-token": good})).status_code == 201
        form = {"body": "from a page"}
        assert (await client.post("/alerts/a1/remarks", data=form)).status_code == 403
        assert (await client.post("/alerts/a1/remarks", data=form | {"csrf": good})).status_code == 303


async def test_the_sessions_token_of_another_session_does_not_serve(home):
    home.person("other", "analyst")
    _, csrf = home.session("other")
    async with home.logged_in("analyst") as client:
        answer = await client.post("/v1/alerts/a1/remarks", json={"body": "x"}, headers={"x-csrf-token": csrf})
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("192.0.2.7", "203.0.113.1", "192.0.2.7"),
        ("10.0.0.1", "203.0.113.1", "203.0.113.1"),
        ("10.0.0.1", "198.51.100.66, 203.0.113.1", "203.0.113.1"),
        ("10.0.0.1", "198.51.100.66, 203.0.113.1, 10.0.0.2", "203.0.113.1"),
        ("10.0.0.1", "not an address", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.9", "10.0.0.9"),
    ],
)
async def test_only_trusted_proxies_say_who_calls(tmp_path, peer, forwarded, found):
    home = bank(tmp_path, {"api": {"proxies": ["10.0.0.0/24"]}})
    seen = []

    @home.app.middleware("http")
    async def look(request, forward):
        seen.append(request.scope["address"])
        return await forward(request)

    home.app.middleware_stack = None
    home.app.user_middleware.reverse()
    async with home.client(address=peer) as client:
        await client.get("/healthz", headers={"x-forwarded-for": forwarded})
    assert seen == [found]
    home.context.database.close()


async def test_an_unforeseen_fault_is_a_500_with_an_id_and_nothing_else(home, monkeypatch, capsys):
    from jackstop.store import queries

    def broken(*_, **__):
        raise RuntimeError("secret-in-message jst_abcdefgh")

    monkeypatch.setattr(queries, "last_change", broken)
    async with home.client() as client:
        answer = await client.get("/readyz")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    ident = answer.json()["instance"].rpartition(":")[2]
    logged = capsys.readouterr().out
    assert ident in logged
    assert "RuntimeError" in logged
    for said in (answer.text, logged):
        assert "secret-in-message" not in said
    assert "Traceback" not in answer.text


async def test_a_store_that_cannot_be_reached_is_a_503(home, monkeypatch):
    from jackstop.store import queries
    from jackstop.store.faults import StoreError

    def away(*_, **__):
        raise StoreError("sqlite:///x: disk I/O error, expected a database that can be read")

    monkeypatch.setattr(queries, "alerts", away)
    async with home.logged_in("viewer") as client:
        answer = await client.get("/v1/alerts")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "2"
        assert "sqlite" not in answer.text


async def test_faults_are_problems_with_what_and_where(home):
    async with home.logged_in("analyst") as client:
        for path, status in (
            ("/nothing", 404),
            ("/v1/alerts/zzz", 404),
            ("/v1/alerts?limit=0", 422),
            ("/v1/alerts?after=x", 400),
        ):
            answer = await client.get(path)
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == status
        answer = await client.patch("/v1/alerts/a1", json={"status": "jst_secret-value", "colour": 1})
        assert {f["where"] for f in answer.json()["faults"]} == {"body.status", "body.colour"}
        assert "jst_secret-value" not in answer.text
        assert (await client.put("/v1/alerts")).status_code == 405


async def test_an_answer_that_is_known_already_is_not_sent_again(home):
    async with home.logged_in("viewer") as client:
        first = await client.get("/v1/alerts")
        tag = first.headers["etag"]
        again = await client.get("/v1/alerts", headers={"if-none-match": f'"x", W/{tag}'})
        assert (again.status_code, again.content) == (304, b"")
        assert (await client.get("/v1/alerts?limit=1", headers={"if-none-match": '"x"'})).status_code == 200


async def test_calls_are_paced_for_each_caller_alone(tmp_path):
    home = bank(tmp_path, limits=Limits(calls=1, burst=3, strange=1, strange_burst=2))
    async with home.logged_in("viewer") as one, home.holding("viewer") as two, home.client() as nobody:
        for client, burst, good in ((one, 3, 200), (two, 3, 200), (nobody, 2, 401)):
            said = [(await client.get("/v1/alerts")).status_code for _ in range(burst + 1)]
            assert said == [good] * burst + [429]
            answer = await client.get("/v1/alerts")
            assert int(answer.headers["retry-after"]) >= 1
        async with home.client(address="198.51.100.2") as other:
            assert (await other.get("/healthz")).status_code == 200
        home.clock.turn(1)
        assert (await one.get("/v1/alerts")).status_code == 200
    home.context.database.close()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 3_000_000), max_size=60), st.integers(1, 5), st.integers(1, 10))
def test_a_bucket_gives_no_more_than_its_burst_and_its_rate(steps, rate, burst):
    bucket, now, given_at = Buckets(rate, burst), 0, []
    for step in steps:
        now += step
        if bucket.take("k", now) == 0:
            given_at.append(now)
    for i, begin in enumerate(given_at):
        within = [t for t in given_at[i:] if t - begin < 5 * SECOND]
        assert len(within) <= burst + rate * 5 + 1


def test_buckets_and_waits_forget_the_least_used_keys():
    bucket, waits = Buckets(1, 1, most=10), Backoff(1, 60, most=10)
    for i in range(1000):
        bucket.take(f"k{i}", 0)
        waits.fail(f"k{i}", 0)
    assert len(bucket._kept) == len(waits._kept) == 10
    assert bucket.take("k999", 0) > 0
    assert waits.wait("k0", 0) == 0


HOSTILE = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = (
    "host", "origin", "cookie", "authorization", "x-forwarded-for", "content-type", "range", "if-none-match",
    "accept", "accept-language", "last-event-id", "content-length",
)  # fmt: skip


@HOSTILE
@given(
    st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT"]),
    st.one_of(st.binary(max_size=60), st.sampled_from([b"login", b"v1/alerts", b"join", b"login/oidc/callback", b"static/x"])),
    st.binary(max_size=60),
    st.lists(st.tuples(st.sampled_from(NAMES), st.binary(max_size=60)), max_size=5),
    st.binary(max_size=200),
)
async def test_whatever_bytes_come_there_is_an_answer_below_500(home, method, path, query, headers, body):
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {
        "type": "http", "method": method, "path": "/" + path.decode("latin-1"), "raw_path": b"/" + path, "query_string": query,
        "headers": [(b"host", b"127.0.0.1"), *((n.encode(), v) for n, v in headers)],
        "client": ("192.0.2.9", 1), "server": ("x", 1),
        "scheme": "http", "http_version": "1.1", "asgi": {"version": "3.0", "spec_version": "2.3"}, "root_path": "",
    }  # fmt: skip
    await home.app(scope, receive, send)
    assert sent[0]["status"] < 500


async def test_a_websocket_is_turned_away(home):
    sent = []

    async def send(message):
        sent.append(message)

    await home.app({"type": "websocket", "path": "/", "headers": []}, None, send)
    assert sent[0]["type"] == "websocket.close"


async def test_metrics_are_for_this_machine_and_for_those_who_may(home):
    async with home.client(address="127.0.0.1") as here, home.client() as away, home.holding("metrics") as program:
        assert "jackstop_http_requests_total" in (await here.get("/metrics")).text
        assert (await away.get("/metrics")).status_code == 401
        assert (await program.get("/metrics")).status_code == 200


async def test_a_proxy_on_this_machine_does_not_open_metrics_to_the_world(tmp_path):
    home = bank(tmp_path, {"api": {"proxies": ["127.0.0.1"]}})
    async with home.client(address="127.0.0.1") as proxy:
        assert (await proxy.get("/metrics", headers={"x-forwarded-for": "203.0.113.5"})).status_code == 401
    home.context.database.close()


async def test_readiness_follows_the_parts(home, tmp_path):
    async with home.client() as client:
        assert (await client.get("/readyz")).json() == {"ok": True}
    ill = bank(tmp_path, health=lambda: {"loop": {"ok": False, "fault": "stopped"}})
    async with ill.client() as client, ill.logged_in("viewer") as viewer:
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/healthz")).status_code == 200
        health = (await viewer.get("/v1/health")).json()
        assert health["ok"] is False
        assert health["parts"] == [{"part": "loop", "ok": False, "facts": {"fault": "stopped"}}]
    ill.context.database.close()
