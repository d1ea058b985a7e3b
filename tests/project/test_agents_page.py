"""What docs/agents.md promises: its exit statuses are those of guard, its commands and routes are
there.
"""

import json
import re

import click
import pytest

from quota_web.cli.quota import quota
from quota_web.core.checkout import PROJECT
from quota_web.reports import quota_gate
from tests.fakes import FakeResponse, usage_body

PAGE = (PROJECT / "docs" / "agents.md").read_text(encoding="utf-8")


def test_each_exit_status_of_guard_is_in_its_table():
    told = {int(status) for status in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}

    assert told == {*quota_gate.EXITS.values(), quota_gate.STOP, 1, 2, 4}


@pytest.mark.parametrize(
    ("used", "arguments", "status"),
    [
        ((12, 40), [], 0),
        ((93, 40), ["alice", "--min", "5h=10,weekly=5"], 10),
        ((12, 40), ["nobody"], 1),
        ((12, 40), ["--min", "lots"], 2),
    ],
)
def test_guard_ends_as_the_table_says(installation, codex, used, arguments, status):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(body=usage_body(*used)))
    installation.run("refresh")

    assert installation.run("guard", *arguments).exit_code == status


def test_an_account_that_was_never_read_ends_guard_with_12(installation):
    installation.file("alice")
    installation.follow()

    assert installation.run("guard").exit_code == quota_gate.STOP == 12


def test_its_commands_are_there():
    named = set(re.findall(r"scripts/quota ([a-z-]+)", PAGE))

    assert named >= {"guard", "next", "status", "refresh"}
    assert named - set(quota.list_commands(click.Context(quota))) == set()


def test_its_api_routes_are_there():
    described = json.loads((PROJECT / "quota_web/web/openapi.json").read_text())["paths"]

    named = set(re.findall(r"`GET (/api/[a-z./]+)`", PAGE))

    assert len(named) > 5
    assert named - set(described) == set()
