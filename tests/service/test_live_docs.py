"""What the documentation shows is what the program takes."""

import re
import tomllib
from pathlib import Path

import pytest

from jackstop.service import config
from jackstop.sources.bundle import BundleError

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "live.md").read_text("utf-8")
FLEET = '[fleet]\nname = "T"\ntimezone = "UTC"\ncurrency = "USD"\n[[terminal]]\nid = "ATM-1"\n'


def written(folder: Path, text: str) -> Path:
    (folder / "fleet.toml").write_text(FLEET)
    (folder / "policy.toml").write_text("")
    path = folder / "jackstop.toml"
    path.write_text(text)
    return path


def example() -> str:
    [text] = re.findall(r"```toml\n(.*?)```", PAGE, re.S)
    return text


def test_the_example_is_taken_as_it_stands(tmp_path):
    loaded = config.load(written(tmp_path, example()))
    assert [i.kind for i in loaded.intakes] == ["tail", "http", "kafka", "dc09"]
    assert [s.kind for s in loaded.sinks] == ["splunk-hec", "apprise"]
    assert loaded.url.startswith("sqlite:///")


def test_every_kind_of_intake_and_sink_is_told():
    from jackstop import intake, outlets

    for name in (*intake.names(), *outlets.names()):
        assert f"`{name}`" in PAGE, name


def test_every_fault_is_told_with_its_line(tmp_path):
    wrong = example().replace('kind = "tail"', 'kind = "tale"').replace('topics = ["authorisations"]', "topics = []\nspeed = 3")
    with pytest.raises(BundleError) as caught:
        config.load(written(tmp_path, wrong))
    first = 1 + next(i for i, text in enumerate(wrong.splitlines()) if text.startswith("[[intake]]"))
    said = "\n".join(caught.value.faults)
    assert f"jackstop.toml:{first}: [[intake]] has kind 'tale'" in said
    assert "tale" in said and "speed" in said and "topics" in said
    for fault in caught.value.faults:
        assert re.search(r":\d+: .*expected", fault), fault


def test_a_secret_that_stands_in_the_file_is_refused_and_not_shown(tmp_path):
    wrong = example().replace('"env:SPLUNK_TOKEN"', '"0f3c-secret"')
    with pytest.raises(BundleError) as caught:
        config.load(written(tmp_path, wrong))
    assert "0f3c-secret" not in str(caught.value)


def test_the_compose_file_and_the_container_name_what_is_there():
    import yaml

    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    build = compose["services"]["jackstop"]["build"]
    assert (ROOT / build["dockerfile"]).is_file()
    used = {s for service in compose["services"].values() for s in service.get("secrets", [])}
    assert used == set(compose["secrets"])
    for line in re.findall(r"^COPY (?!--from)(.*)$", (ROOT / "deploy" / "Containerfile").read_text(), re.M):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
    shown = tomllib.loads((ROOT / "deploy" / "jackstop.toml").read_text())
    assert shown["service"]["data"] == "/var/lib/jackstop"
