"""The sample in docs/home-assistant.yaml against our API: what each of its templates names is in an
answer, and nothing that is not known is told as a number.
"""

import json
from typing import Any

import pytest
import yaml
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from quota_web.core.checkout import PROJECT
from tests.fakes import FakeResponse, usage_body
from tests.pages import Script, visiting

SAMPLE = PROJECT / "docs" / "home-assistant.yaml"
SERVICE = "http://localhost:8081"
#: As Home Assistant renders templates, but for a name that is not there, which ends the test.
TEMPLATES = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
KINDS = ("sensor", "binary_sensor")


class Loader(yaml.SafeLoader):
    """Reads YAML with Home Assistant's `!secret`."""


Loader.add_constructor("!secret", lambda loader, node: f"secret {node.value}")


@pytest.fixture(scope="module")
def sample() -> dict[str, Any]:
    return yaml.load(SAMPLE.read_text(encoding="utf-8"), Loader)


def states(sample: dict[str, Any], script: Script) -> dict[str, str]:
    """Each entity's state after one round of questions, by the end of its id."""
    found = {}
    for resource in sample["rest"]:
        assert resource["headers"] == {"Authorization": "secret codex_quota_token"}
        answer = script.get(resource["resource"].removeprefix(SERVICE)).get_json()
        for entity in (one for kind in KINDS for one in resource.get(kind, [])):
            names = {"value": json.dumps(answer), "value_json": answer}
            told = rendered(entity.get("availability", "True"), names)
            assert told in ("True", "False")
            state = rendered(entity["value_template"], names) if told == "True" else "unavailable"
            found[entity["unique_id"].removeprefix("codex_quota_")] = state
    return found


def rendered(template: str, names: dict[str, Any]) -> str:
    return TEMPLATES.from_string(template).render(names).strip()


def test_its_entities_show_what_the_api_answers(sample, installation, codex):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(body=usage_body(12, 40)))
    installation.refresh()

    with visiting(installation) as browser:
        script = Script(browser)
        assert states(sample, script) == {
            "usable": "1",
            "alice_weekly": "60",
            "alice_five_hour": "88",
            "alice_weekly_reset": "2026-11-24T23:20:00Z",
            "alice_weekly_run_out": "unavailable",
            "alice_blocked": "False",
            "next": "alice",
        }
        codex.answers("acct-alice", FakeResponse(body=usage_body(None, 100)))
        installation.refresh(force=True)
        used_up = states(sample, script)
        assert (used_up["alice_five_hour"], used_up["alice_weekly"]) == ("unavailable", "0")
        assert (used_up["alice_blocked"], used_up["next"]) == ("True", "none")


def test_an_automation_names_entities_that_are_there(sample):
    entities = {
        f"{kind}.{entity['name'].lower().replace(' ', '_')}"
        for resource in sample["rest"]
        for kind in KINDS
        for entity in resource.get(kind, [])
    }

    (automation,) = sample["automation"]

    assert automation["triggers"][0]["entity_id"] in entities
    assert f"'{automation['triggers'][0]['entity_id']}'" in str(automation["actions"])
