"""docs/shell.md: its lines for completion offer commands and names, and its snippets for bars and
prompts show an account.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest

from quota_web.cli import status_bars
from quota_web.core.checkout import PROJECT
from quota_web.core.display_order import Group

PAGE = (PROJECT / "docs" / "shell.md").read_text(encoding="utf-8")
#: Whoever completes a name does not mean to run what is in it.
HOSTILE = "$(touch harm)"


def block(kind: str) -> str:
    (found,) = re.findall(rf"^```{kind}\n(.+?)^```", PAGE, re.DOTALL | re.MULTILINE)
    return found


@pytest.fixture
def shell(installation, tmp_path):
    """Runs a line in bash, where `codex-quota` is the wheel's command of this installation."""
    program = tmp_path / "bin" / "codex-quota"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH="{PROJECT}" exec "{sys.executable}" '
        '-m quota_web.serving.program "$@"\n'
    )
    program.chmod(0o755)
    path = os.pathsep.join([str(program.parent), os.defpath])
    env = {**installation.process_environment(), "PATH": path}

    def run(line: str) -> str:
        return subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, env=env, check=True, capture_output=True, text=True
        ).stdout

    return run


def test_each_line_for_completion_prints_a_script_and_bash_offers_names(shell, installation):
    for name, login in (("alice", None), ("bob", None), (HOSTILE, "acct-carol")):
        installation.file(name, login)
    installation.follow()
    lines = re.findall(r"^\| (bash|zsh|fish) \|.*\| `(.+)` \|$", PAGE, re.MULTILINE)
    assert [kind for kind, _ in lines] == ["bash", "zsh", "fish"]
    for kind, line in lines:
        (assignment,) = re.findall(rf"_CODEX_QUOTA_COMPLETE={kind}_source codex-quota", line)
        assert "codex-quota" in shell(assignment)

    offered = shell(
        f"{lines[0][1]}; COMP_WORDS=(codex-quota status ''); COMP_CWORD=2; "
        '_codex_quota_completion codex-quota; printf "%s\\n" "${COMPREPLY[@]}"'
    )

    assert offered.split() == ["alice", "bob"]


def test_each_snippet_shows_the_account_to_use(shell):
    shell("codex-quota demo --accounts 2 --days 2")
    shown = "(alice|bob) .+"
    waybar = json.loads(block("json"))["custom/codex"]
    assert waybar["return-type"] == "json"
    assert re.fullmatch(shown, json.loads(shell(waybar["exec"]))["text"])

    (command,) = re.findall(r"#\((.+?)\)", block("tmux"))
    assert re.fullmatch(rf"#\[fg=\w+\]{shown}#\[default\]\n", shell(command))

    starship = tomllib.loads(block("toml"))["custom"]["codex"]
    assert re.fullmatch(rf"{shown}\n", shell(starship["command"]))


def test_the_style_names_each_class_that_waybar_gets():
    named = set(re.findall(r"#custom-codex\.(\w+)", block("css")))
    groups = {str(group) for group in Group} - {str(Group.USABLE), str(Group.PAUSED)}

    assert named == (set(status_bars.COLOURS) - {"good"}) | groups | {"none"}


def test_a_linked_quota_finds_its_checkout_and_completes(tmp_path):
    root = tmp_path / "check out"
    for folder in ("scripts", ".venv/bin", "bin"):
        (root / folder).mkdir(parents=True)
    shutil.copy(PROJECT / "scripts" / "quota", root / "scripts")
    (root / "scripts/setup.sh").write_text("venv=$root/.venv\nset_up() { :; }\n")
    for name in ("flask", "python"):
        (root / ".venv/bin" / name).write_text(f'#!/bin/sh\necho {name} "$PYTHONPATH" "$@"\n')
        (root / ".venv/bin" / name).chmod(0o755)
    link = root / "bin" / "codex-quota"
    link.symlink_to(root / "scripts/quota")

    def run(**env: str) -> str:
        env = {"PATH": os.defpath, **env}
        return subprocess.run(
            [link, "status"], env=env, check=True, capture_output=True, text=True
        ).stdout

    assert run() == "flask  quota status\n"
    completing = run(_CODEX_QUOTA_COMPLETE="bash_source")
    assert completing == f"python {root} -m quota_web.serving.program\n"
