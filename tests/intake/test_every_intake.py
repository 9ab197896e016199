"""What every intake promises, whichever there are."""

import asyncio
import inspect
import re
from typing import get_args

import pytest
from pydantic import ValidationError

from jackstop import intake

NAMES = intake.names()


@pytest.mark.parametrize("name", NAMES)
def test_an_intake_says_what_it_is_with_a_sample_of_its_keys(name):
    doc = intake.find(name).__doc__ or ""
    assert len(doc.strip().splitlines()[0]) > 20
    assert re.search(rf'^    kind = "{name}"$', doc, re.MULTILINE), "no sample of [[intake]]"
    assert re.search(r"^    name = ", doc, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_its_kind_is_its_files_name(name):
    config = intake.find(name).Config
    assert issubclass(config, intake.Common)
    assert get_args(config.model_fields["kind"].annotation) == (name,)
    assert (config.__doc__ or "").strip() != (intake.Common.__doc__ or "").strip()


@pytest.mark.parametrize("name", NAMES)
def test_keys_it_does_not_know_are_refused(name):
    with pytest.raises(ValidationError) as fault:
        intake.find(name).Config.model_validate({"kind": name, "name": "x", "format": "cef", "no_such_key": 1})
    assert any(e["loc"] == ("no_such_key",) and e["type"] == "extra_forbidden" for e in fault.value.errors())


@pytest.mark.parametrize("name", NAMES)
def test_every_key_of_its_own_is_explained(name):
    config = intake.find(name).Config
    said = (config.__doc__ or "") + (intake.find(name).__doc__ or "") + "".join(b.__doc__ or "" for b in config.__mro__[1:-1])
    own = set(config.model_fields) - set(intake.Common.model_fields)
    inherited = {"idle", "slow", "allow", "largest", "connections", "per_address", "queue"} if "as in `" in said else set()
    assert {key for key in own - inherited if not re.search(rf"\b{key}\b", said)} == set()


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_as_a_coroutine_of_config_gate_and_place(name):
    run = intake.find(name).run
    assert asyncio.iscoroutinefunction(run)
    first, *rest = inspect.signature(run).parameters.values()
    assert [first.name, *(p.name for p in rest[:2])] == ["config", "gate", "place"]
    assert all(p.default is not inspect.Parameter.empty for p in rest[2:]), "only config, gate and place are given"
    assert run.__doc__


def test_an_unknown_kind_is_told_with_those_there_are():
    with pytest.raises(LookupError, match="expected one of: "):
        intake.find("carrier-pigeon")
