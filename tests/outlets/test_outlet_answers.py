"""Answers from the network, of any kind: an outlet takes them for a success, for later or for never, and nothing else."""

import contextlib
import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from some_messages import AT, Surroundings, messages

from jackstop.outlets import Later, Message, Never, elastic, http, sentinel, splunk_hec, ticket, webhook
from jackstop.outlets._mapping import found
from jackstop.outlets._web import Answer

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)
KNOWN = st.fixed_dictionaries(
    {},
    optional={
        "errors": JSON, "items": st.lists(st.one_of(JSON, st.fixed_dictionaries({"create": st.fixed_dictionaries(
            {}, optional={"status": st.one_of(JSON, st.integers(200, 503)), "error": JSON})})), min_size=1, max_size=3),
        "code": st.one_of(JSON, st.sampled_from([0, 6, 7, 12])), "invalid-event-number": st.one_of(JSON, st.integers(-2, 5)),
        "ackId": JSON, "acks": st.one_of(JSON, st.just({"7": True})), "access_token": JSON, "expires_in": JSON, "result": JSON,
    },
)  # fmt: skip
BODY = st.one_of(st.binary(max_size=40), JSON.map(lambda v: json.dumps(v).encode()), KNOWN.map(lambda v: json.dumps(v).encode()))
STATUS = st.one_of(st.sampled_from([200, 201, 204, 400, 401, 404, 409, 413, 422, 429, 500, 503]), st.integers(100, 599))
HEADERS = st.dictionaries(st.sampled_from(["retry-after", "location", "content-type"]), st.text(max_size=30), max_size=2)
ANSWERS = st.lists(st.builds(Answer, STATUS, HEADERS, BODY), min_size=1, max_size=4)

URL, SECRET = "http://127.0.0.1/x", "env:SECRET"
CONFIGS = {
    "http": lambda: (http.Http, http.Config(kind="http", name="s", url=URL)),
    "webhook": lambda: (webhook.Webhook, webhook.Config(kind="webhook", name="s", url=URL, signing=SECRET)),
    "elastic": lambda: (elastic.Elastic, elastic.Config(kind="elastic", name="s", url=URL, index="a", api_key=SECRET)),
    "splunk": lambda: (splunk_hec.SplunkHec, splunk_hec.Config(kind="splunk-hec", name="s", url=URL, token=SECRET, ack=True)),
    "sentinel": lambda: (
        sentinel.Sentinel,
        sentinel.Config(
            kind="sentinel", name="s", url=URL, authority=URL, rule="dcr-" + "0" * 32, stream="S", tenant="t", client_id="c",
            client_secret=SECRET,
        ),
    ),
    "ticket": lambda: (ticket.Ticket, ticket.Config(kind="ticket", name="s", url=URL, fields={"a": "{text}"}, id="result.id",
                                                    update_fields={"b": "{message}"})),
}  # fmt: skip


@given(name=st.sampled_from(sorted(CONFIGS)), answers=ANSWERS)
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_is_answered_a_batch_is_taken_due_again_or_refused(name, answers, tmp_path):
    around = Surroundings(tmp_path, {SECRET: "0123456789abcdef"})
    kind, config = CONFIGS[name]()
    outlet = kind(config, around.place)
    said = [0]

    async def once(method, url, body, headers):
        said[0] += 1
        return answers[(said[0] - 1) % len(answers)]

    outlet._client._once = once
    if name == "sentinel":
        outlet._token._client._once = once
    batch = [*messages(2), Message(messages(1)[0].alert, 2, True, 3, "7")]
    with contextlib.suppress(Later):
        try:
            await outlet.send(batch)
        except Never as fault:
            assert fault.index is None or 0 <= fault.index < 3
            assert all(0 <= i < 3 for i in fault.also) and 0 <= fault.taken <= 3
            assert "\n" not in fault.reason
    await outlet.close()
    assert said[0] and around.now < AT + 200_000_000, "it ends"


@given(value=JSON, path=st.lists(st.sampled_from(["result", "0", "5", "x", "-1"]), min_size=1, max_size=4).map(".".join))
def test_a_number_is_found_in_an_answer_or_nothing(value, path):
    told = found(value, path)
    assert isinstance(told, str) and len(told) <= 200
