"""The pages: in two languages, without scripts of their own inside, with hostile words shown and never obeyed."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from a_bank import ALERT, FINDING, PASSWORD, RECORD, bank

from jackstop.store import actions, cases, decisions
from jackstop.web import pages, texts
from jackstop.web.asking import spoken

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}\u202e\x1b[31m"


class Outline(HTMLParser):
    """What a page is made of, as far as tests ask."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags, self.ids, self.labels, self.inputs = [], [], set(), []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        said = dict(attrs)
        self.tags.append((tag, said))
        if "id" in said:
            self.ids.append(said["id"])
        if tag == "label":
            self.labels.add(said.get("for"))
        if tag in {"input", "select", "textarea"} and said.get("type") != "hidden":
            self.inputs.append(said)


@pytest.fixture
def home(tmp_path):
    made = bank(tmp_path)
    bad = replace(RECORD, path=HOSTILE)
    found = replace(FINDING, id="f2", detection=HOSTILE, detail=((HOSTILE, HOSTILE),), records=(bad,))
    alert = replace(ALERT, id="bad/../<a>", terminals=(HOSTILE, "ATM-0001"), title=HOSTILE, visits=(HOSTILE,), records=(bad,))
    with made.context.database.write() as connection:
        given = replace(alert, findings=(found,), detections=(HOSTILE,), attack=(HOSTILE,))
        decisions.announce(connection, decisions.put_alerts(connection, [given], made.clock()))
        cases.remark(connection, "alert", "a1", "analyst-1", HOSTILE, made.clock())
    yield made
    made.context.database.close()


def seen(page: str) -> Outline:
    outline = Outline(page)
    for tag, said in outline.tags:
        assert not any(n.startswith("on") for n in said), said
        assert "style" not in said
        if tag == "script":
            assert said == {"src": "/static/live.js", "defer": None}
        assert tag not in {"iframe", "object", "embed", "img", "style"}
        for name in ("href", "src", "action"):
            assert re.match(r"^(/|\?|#|$)", said.get(name) or "") or said.get(name) is None, said
    assert len(outline.ids) == len(set(outline.ids))
    for field in outline.inputs:
        assert field.get("id") in outline.labels, field
    return outline


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/?show=done",
        "/?part=board",
        "/alerts/a1",
        "/alerts/bad%2F..%2F%3Ca%3E",
        "/account",
        "/login",
        "/join?token=x",
        "/nope",
    ],
)
async def test_pages_are_sound_in_both_languages_whatever_logs_say(home, path, lang):
    async with home.logged_in("approver") as client:
        joiner = "&" if "?" in path else "?"
        answer = await client.get(f"{path}{joiner}lang={lang}", headers={"accept": "text/html"})
    assert answer.status_code == (404 if "join" in path or "nope" in path or "bad" in path else 200)
    if "part=board" not in path:
        assert f'<html lang="{lang}">' in answer.text
    seen(answer.text)
    assert "<script>alert" not in answer.text
    assert "\x1b" not in answer.text
    assert "\u202e" not in answer.text


async def test_an_alert_with_an_odd_name_is_still_reached(home):
    with home.context.database.write() as connection:
        odd = replace(ALERT, id="odd <x>&y", terminals=(HOSTILE,), title=HOSTILE, visits=(HOSTILE,))
        decisions.put_alerts(connection, [odd], home.clock())
    async with home.logged_in("approver") as client:
        board = (await client.get("/")).text
        link = re.search(r'href="(/alerts/odd[^"]+)"', board)[1]
        answer = await client.get(link)
        assert answer.status_code == 200
        seen(answer.text)


async def test_an_alert_is_shown_though_its_history_cannot_be_read(tmp_path):
    from jackstop.store.faults import StoreError

    class Broken:
        def timeline(self, *_):
            raise StoreError("history: no space")

    home = bank(tmp_path, history=Broken())
    async with home.logged_in("viewer") as client:
        answer = await client.get("/alerts/a1")
        assert answer.status_code == 200
        assert "The history cannot be read now." in answer.text
        assert (await client.get("/v1/alerts/a1/timeline")).status_code == 503
    home.context.database.close()


async def test_the_handling_of_an_alert_works_without_scripts(home):
    async with home.logged_in("approver") as client:
        page = (await client.get("/alerts/a1")).text
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)[1]
        for path, form in (
            ("/alerts/a1/handling", {"take": "1"}),
            ("/alerts/a1/handling", {"status": "investigating"}),
            ("/alerts/a1/remarks", {"body": "looked at it"}),
            ("/alerts/a1/actions", {"kind": "open-ticket ", "note": "for the branch"}),
            ("/alerts/a1/actions", {"kind": "out-of-service ATM-0001"}),
            ("/alerts/a1/actions/act1/approve", {}),
        ):
            answer = await client.post(path, data=form | {"csrf": csrf})
            assert (answer.status_code, answer.headers.get("location")) == (303, "/alerts/a1"), (path, answer.text)
        page = (await client.get("/alerts/a1")).text
        assert "being investigated" in page
        assert "looked at it" in page
        assert "1 of 2 approvals" in page
    with home.context.database.read() as connection:
        made = actions.listed(connection, alert="a1")
        assert {a.kind for a in made} == {"dispatch-guard", "open-ticket", "out-of-service"}


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/alerts/a1/handling", {"status": "x"}, 422),
        ("/alerts/a1/handling", {}, 409),
        ("/alerts/nope/handling", {"status": "resolved"}, 404),
        ("/alerts/a1/remarks", {"body": " "}, 422),
        ("/alerts/a1/actions", {"kind": "burn"}, 422),
        ("/alerts/a1/actions/act1/burn", {}, 404),
    ],
)
async def test_a_form_that_says_nonsense_gets_a_page_that_says_so(home, path, form, status):
    async with home.logged_in("approver") as client:
        answer = await client.post(path, data=form, headers={"accept": "text/html"})
        assert answer.status_code == status
        seen(answer.text)


async def test_an_analyst_cannot_approve_by_the_page_either(home):
    async with home.logged_in("analyst") as client:
        assert (await client.post("/alerts/a1/actions/act1/approve")).status_code == 403
        assert "/approve" not in (await client.get("/alerts/a1")).text
    async with home.logged_in("viewer") as client:
        assert "<form" not in (await client.get("/alerts/a1")).text.replace('<form method="post" action="/logout">', "")


async def test_who_is_not_logged_in_is_led_to_the_login_and_back(home):
    home.person("mori", "analyst")
    async with home.client() as client:
        answer = await client.get("/alerts/a1?x=1", headers={"accept": "text/html"})
        assert answer.headers["location"] == "/login?next=%2Falerts%2Fa1%3Fx%3D1"
        page = (await client.get(answer.headers["location"])).text
        form = {"next": re.search(r'name="next" value="([^"]+)"', page)[1].replace("&amp;", "&")}
        back = await client.post("/login", data=form | {"name": "Mori", "password": PASSWORD, "code": home.code()})
        assert (back.status_code, back.headers["location"]) == (303, "/alerts/a1?x=1")
        gone = await client.post(
            "/logout", data={"csrf": re.search(r'name="csrf" value="([^"]+)"', (await client.get("/")).text)[1]}
        )
        assert gone.headers["location"] == "/login?gone"
        assert "You are logged out." in (await client.get("/login?gone")).text


@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb", "", "x" * 600]
)
def test_a_login_leads_to_no_other_site(target):
    assert pages.local(target) == "/"


async def test_a_failed_login_is_told_on_the_page_with_the_name_kept_and_the_password_not(home):
    async with home.client() as client:
        answer = await client.post("/login", data={"name": "mori", "password": "hidden-word", "code": "123456"})
        assert answer.status_code == 401
        assert 'value="mori"' in answer.text
        assert "hidden-word" not in answer.text
        assert 'role="alert"' in answer.text


def test_both_languages_have_the_same_texts_with_the_same_values():
    en, ja = texts.of("en").entries, texts.of("ja").entries
    assert en.keys() == ja.keys()
    for key in en:
        if key.startswith("web."):
            assert set(re.findall(r"{(\w+)}", en[key])) == set(re.findall(r"{(\w+)}", ja[key])), key
            if key not in {"web.product", "web.language", "web.other_lang", "web.signed_in", "web.alert.by"}:
                assert en[key] != ja[key], key
                assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", ja[key]), key


def test_every_text_that_a_page_asks_for_is_there_and_every_text_is_asked_for():
    from importlib.resources import files

    folder = files("jackstop.web")
    sources = [f.read_text("utf-8") for f in (folder / "templates").iterdir()]
    named = set(re.findall(r'"(web\.[\w.-]+)"', "\n".join(sources)))
    groups = set(re.findall(r'"(web\.[\w.-]+)" ~', "\n".join(sources)))
    known = {k for k in texts.of("en").entries if k.startswith("web.")}
    assert named - groups <= known
    assert {k for k in known if k not in named and not k.startswith(tuple(groups))} == set()


@pytest.mark.parametrize(
    ("asked", "kept", "accepted", "lang"),
    [
        ("ja", "en", "en", "ja"),
        (None, "ja", "en", "ja"),
        (None, None, "ja,en;q=0.8", "ja"),
        (None, None, "fr, en;q=0.2, ja;q=0.9", "ja"),
        (None, None, "ja;q=0, en;q=0.1", "en"),
        (None, None, "ja-JP", "ja"),
        ("fr", None, "", "en"),
        (None, None, "ja;q=x", "en"),
    ],
)
def test_the_language_is_the_one_asked_for_or_kept_or_accepted(asked, kept, accepted, lang):
    assert spoken(asked, kept, accepted) == lang


async def test_static_files_are_ours_alone_and_known_ones_are_not_sent_again(home):
    async with home.client() as client:
        first = await client.get("/static/style.css")
        assert ":root" in first.text
        assert (await client.get("/static/style.css", headers={"if-none-match": first.headers["etag"]})).status_code == 304
        for name in ("..%2Fapp.py", "texts_en.toml", "nope"):
            assert (await client.get(f"/static/{name}")).status_code == 404
