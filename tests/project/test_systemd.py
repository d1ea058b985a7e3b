"""The units in docs/systemd: systemd takes them, leaves the service no more than it needs, and the
command of the backup makes one.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from quota_web.core.checkout import PROJECT
from tests.operations import environment, opened
from tests.parts import require

FOLDER = PROJECT / "docs" / "systemd"
SERVICES = sorted(FOLDER.glob("*.service"))
HOME = "/opt/codex-quota"
#: Of 10: systemd calls 2 and less OK.
MOST_EXPOSED = 2.0


def from_the_wheel(unit: str) -> str:
    """The unit of the backup with the lines for the wheel in the place of the others."""
    unit = re.sub(r"^(ExecStart|ReadWritePaths)=.*\n", "", unit, flags=re.MULTILINE)
    return re.sub(r"^#(?=\w+=)", "", unit, flags=re.MULTILINE)


def test_systemd_takes_each_unit(tmp_path):
    program = require("systemd-analyze")
    home = tmp_path / "home"
    for name in ("gunicorn", "flask", "codex-quota"):
        there = home / ".venv" / "bin" / name
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text("#!/bin/sh\n")
        there.chmod(0o755)
    texts = {file.name: file.read_text() for file in FOLDER.iterdir()}
    backup = texts["codex-quota-backup.service"]
    texts["codex-quota-backup-wheel.service"] = from_the_wheel(backup)
    assert "codex-quota backup" in texts["codex-quota-backup-wheel.service"]
    for name, text in texts.items():
        (tmp_path / name).write_text(text.replace(HOME, str(home)))
    units = [str(tmp_path / name) for name in texts]

    checked = subprocess.run(
        [program, "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )

    said = checked.stdout + checked.stderr
    # Units of the machine that are not ours may have faults of their own.
    assert [line for line in said.splitlines() if "codex-quota" in line] == []
    assert checked.returncode == 0, said


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_service_is_closed_as_far_as_it_can_be(unit):
    limit = f"--threshold={MOST_EXPOSED * 10:.0f}"
    command = [require("systemd-analyze"), "security", "--offline=true", limit, str(unit)]

    subprocess.run(command, check=True, capture_output=True)


def test_the_command_of_the_backup_makes_one(instance_dir, tmp_path):
    with opened(instance_dir):
        pass
    unit = (FOLDER / "codex-quota-backup.service").read_text()
    (line,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    command = shlex.split(line.replace("$$", "$").replace("%%", "%"))
    program = str(Path(sys.executable).with_name("flask"))
    command[-1] = command[-1].replace(".venv/bin/flask", shlex.quote(program))
    env = {**environment(instance_dir, STATE_DIRECTORY=str(tmp_path)), "PATH": os.defpath}

    subprocess.run(command, cwd=PROJECT, env=env, check=True, capture_output=True)

    (made,) = tmp_path.glob("quota-*.sqlite")
    assert re.fullmatch(r"quota-\d{4}-\d\d-\d\d\.sqlite", made.name)
