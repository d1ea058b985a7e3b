"""The container's files: what the Dockerfile may not do, what it copies, and the entrypoint and
health check, run for real.
"""

import fnmatch
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from quota_web.core.checkout import PROJECT
from tests import parts
from tests.servers import Server

DOCKERFILE = (PROJECT / "Dockerfile").read_text()
COMPOSE = (PROJECT / "docker-compose.yml").read_text()
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
SOMEBODY = 4321


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, lines joined and comments dropped."""
    lines = [
        line
        for line in DOCKERFILE.splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [
        (word, rest.strip())
        for word, _, rest in (line.partition(" ") for line in joined.splitlines())
    ]


def copied(rest: str) -> list[str]:
    """The sources of a COPY from the checkout."""
    return [] if "--from=" in rest else rest.split()[:-1]


def is_ignored(path: str) -> bool:
    patterns = [
        line
        for line in (PROJECT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    parts = path.split("/")
    folders = ["/".join(parts[: i + 1]) for i in range(len(parts))]
    anywhere = [pattern.removeprefix("**/") for pattern in patterns if pattern.startswith("**/")]
    return any(
        fnmatch.fnmatch(folder, pattern) for folder in folders for pattern in patterns
    ) or any(fnmatch.fnmatch(part, pattern) for part in parts for pattern in anywhere)


# The Dockerfile.


def test_bases_are_slim_debian_and_pinned():
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]

    assert len(set(bases)) == 1
    assert all(re.fullmatch(r"python:3\.1[1-9]-slim-\w+", base) for base in bases)


def test_only_known_instructions_are_used():
    allowed = {
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "LABEL",
        "ENV",
        "EXPOSE",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    }

    assert {word for word, _ in instructions()} <= allowed


def test_programs_are_started_without_a_shell():
    for word, rest in instructions():
        if word in ("ENTRYPOINT", "CMD"):
            assert rest.startswith("["), word


def test_what_is_copied_is_there_and_not_ignored():
    sources = [source for word, rest in instructions() if word == "COPY" for source in copied(rest)]

    assert "quota_web" in sources
    for source in sources:
        assert (PROJECT / source).exists(), source
        assert not is_ignored(source), source


def test_everything_the_app_needs_is_copied():
    sources = {source for word, rest in instructions() if word == "COPY" for source in copied(rest)}

    assert {
        "quota_web",
        "migrations",
        "wsgi.py",
        "gunicorn.conf.py",
        "codex_quota.py",
        "codex_quota_service.py",
        "docker",
    } <= sources


@pytest.mark.parametrize(
    "secret",
    [
        "account/alice.auth.json",
        "instance/secret.key",
        "instance/quota.sqlite",
        "auth.json",
        ".env",
        ".env.local",
        ".git/config",
        "assets/node_modules/x",
        "tests/x.py",
    ],
)
def test_secrets_and_clutter_stay_out_of_the_image(secret):
    assert is_ignored(secret)


def test_no_secret_is_baked_in():
    assert not re.search(r"(?i)(password|secret|token)\w*=", DOCKERFILE)


def test_the_requirements_are_those_of_the_checkout():
    installs = [rest for word, rest in instructions() if word == "RUN" and " install " in rest]

    assert len(installs) == 1
    assert "-r requirements.txt" in installs[0]
    assert "--no-cache-dir" in installs[0]


def test_port_and_folders_are_the_ones_of_the_guide():
    assert ("EXPOSE", "8081") in instructions()
    assert dict(instructions())["CMD"] == '["gunicorn", "--bind", "0.0.0.0:8081", "wsgi:app"]'
    assert re.search(r"QUOTA_STATE_FILE=/app/instance/\S+", DOCKERFILE)
    assert any(word == "HEALTHCHECK" for word, _ in instructions())


# The compose file; its own words, since no library for it is needed elsewhere.


def test_compose_is_what_the_specification_allows():
    if importlib.util.find_spec("check_jsonschema") is None:
        parts.lack("check-jsonschema is not installed: pip install -r requirements-dev.txt")
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        "docker-compose.yml",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)

    assert (done.returncode, done.stdout.strip()) == (0, "ok -- validation done"), done.stdout


def test_compose_says_what_the_guide_says():
    for line in (
        '- "8081:8081"',
        "- ./account:/app/account",
        "- instance:/app/instance",
        "build: .",
        "read_only: true",
        "- no-new-privileges:true",
    ):
        assert re.search(rf"^\s+{re.escape(line)}$", COMPOSE, re.MULTILINE), line
    assert "\t" not in COMPOSE


def test_compose_waits_longer_than_a_stop_takes():
    found = re.search(r"stop_grace_period: (\d+)s", COMPOSE)

    assert found is not None
    assert int(found[1]) > 8


def test_compose_gives_the_capabilities_that_the_entrypoint_uses():
    found = re.search(r"cap_add:\n((?:\s+- \w+\n)+)", COMPOSE)

    assert found is not None
    assert sorted(found[1].split()[1::2]) == ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]


# The entrypoint.


@pytest.fixture
def container():
    """A folder that is laid out as the image is; not under pytest's own, which nobody else may
    enter.
    """
    folder = Path(tempfile.mkdtemp(prefix="quota-image-"))
    folder.chmod(0o755)
    shutil.copytree(
        PROJECT / "docker", folder / "docker", ignore=shutil.ignore_patterns("__pycache__")
    )
    (folder / "account").mkdir()
    (folder / "instance").mkdir()
    yield folder
    shutil.rmtree(folder)


def enter(
    container: Path, script: str, *before: str, **options
) -> subprocess.CompletedProcess[str]:
    command = [
        *before,
        sys.executable,
        str(container / "docker/entrypoint.py"),
        "/bin/sh",
        "-c",
        script,
    ]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=container, timeout=30, **options
    )


@needs_root
def test_it_becomes_the_owner_of_the_accounts_and_gives_the_instance_to_him(container):
    os.chown(container / "account", SOMEBODY, SOMEBODY + 1)
    (container / "instance/backups").mkdir()
    (container / "instance/backups/old").write_text("")
    done = enter(container, 'id -u; id -g; id -G; echo new > instance/new; echo "$HOME"; umask')

    assert done.stdout.split() == [
        str(SOMEBODY),
        str(SOMEBODY + 1),
        str(SOMEBODY + 1),
        str(container / "instance"),
        "0077",
    ]
    for path in (
        container / "instance",
        container / "instance/backups/old",
        container / "instance/new",
    ):
        assert (path.stat().st_uid, path.stat().st_gid) == (SOMEBODY, SOMEBODY + 1)
    assert (container / "instance").stat().st_mode & 0o777 == 0o700
    assert (container / "account").stat().st_uid == SOMEBODY


@needs_root
def test_it_becomes_10001_where_root_owns_the_accounts_or_none_are_mounted(container):
    assert enter(container, "id -u; id -g").stdout.split() == ["10001", "10001"]
    (container / "account").rmdir()
    assert enter(container, "id -u; id -g").stdout.split() == ["10001", "10001"]


@needs_root
def test_private_auth_files_can_be_read(container):
    file = container / "account/alice.auth.json"
    file.write_text("here")
    file.chmod(0o600)
    for path in (container / "account", file):
        os.chown(path, SOMEBODY, SOMEBODY)

    assert enter(container, "cat account/alice.auth.json").stdout == "here"


@needs_root
def test_there_is_no_way_back_to_root(container):
    assert enter(container, "chown 0 instance && echo root again").stdout == ""


@needs_root
def test_links_are_not_followed(container, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("")
    (container / "instance/link").symlink_to(outside)
    enter(container, "true")

    assert outside.stat().st_uid == 0
    assert (container / "instance/link").lstat().st_uid == 10001


#: Gives a folder away while its future owner swaps what is in it for links: at each call for an
#: owner's change, at the N-th.
SWAPPING = """
import importlib.util, os, sys
from pathlib import Path
entrypoint, folder, outside, what, moment = sys.argv[1:]
spec = importlib.util.spec_from_file_location("entrypoint", entrypoint)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
left = int(moment)
target = Path(folder, what)

def hook(event, _):
    global left
    if event in ("os.chown", "os.scandir", "open"):
        left -= 1
        if left == 0:
            target.rename(target.with_name("moved"))
            target.symlink_to(Path(outside, what).resolve())

sys.addaudithook(hook)
module.give(Path(folder), 4321, 4321)
"""


@needs_root
@pytest.mark.parametrize("what", ["backups", "backups/old"])
@pytest.mark.parametrize("moment", range(1, 12))
def test_what_is_swapped_for_a_link_meanwhile_leads_nowhere(container, tmp_path, what, moment):
    outside = tmp_path / "outside"
    for folder in (container / "instance", outside):
        (folder / "backups").mkdir(parents=True)
        (folder / "backups/old").write_text("")
    program = [
        sys.executable,
        "-c",
        SWAPPING,
        container / "docker/entrypoint.py",
        container / "instance",
        outside,
        what,
        str(moment),
    ]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=30)

    assert (done.returncode, done.stderr) == (0, "")
    assert [
        path.stat().st_uid for path in (outside, outside / "backups", outside / "backups/old")
    ] == [0, 0, 0]


@needs_root
def test_a_file_with_a_second_name_elsewhere_stays_whose_it_is(container):
    outside = container / "root's own"
    outside.write_text("")
    os.link(outside, container / "instance/harmless")
    enter(container, "true")

    assert outside.stat().st_uid == 0


@needs_root
def test_started_as_somebody_it_changes_nothing(container):
    # The interpreter of a developer may lie where nobody else may look.
    python = "/usr/bin/python3"
    if not Path(python).exists():
        pytest.skip("needs a Python that everybody may start")
    before = (container / "instance").stat()
    command = [python, str(container / "docker/entrypoint.py"), "/bin/sh", "-c", "id -u"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        user=SOMEBODY,
        group=SOMEBODY,
        extra_groups=[],
        cwd=container,
    )

    assert done.stdout.split() == [str(SOMEBODY)]
    after = (container / "instance").stat()
    assert (before.st_uid, before.st_mode) == (after.st_uid, after.st_mode)


@needs_root
def test_without_a_volume_it_says_what_will_be_lost(container):
    assert "are lost with it" in enter(container, "true").stderr
    mounted = enter(
        container,
        "true",
        "unshare",
        "-m",
        "sh",
        "-c",
        f'mount -t tmpfs none "{container}/instance" && exec "$@"',
        "sh",
    )
    if "mount" in mounted.stderr:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.strip()}")

    assert (mounted.returncode, mounted.stderr) == (0, "")


@needs_root
def test_commands_beside_the_service_say_nothing_of_volumes(container):
    program = container / "flask"
    program.write_text("#!/bin/sh\nid -u\n")
    program.chmod(0o755)
    done = subprocess.run(
        [sys.executable, container / "docker/entrypoint.py", program],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("10001\n", "")


def test_a_command_that_is_not_there_is_one_line(container):
    done = subprocess.run(
        [sys.executable, container / "docker/entrypoint.py", "/nowhere"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "entrypoint: /nowhere: No such file or directory"
    assert "Traceback" not in done.stderr


# The health check.


def check(port: int | str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, PROJECT / "docker/health.py", str(port)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_health_is_what_readyz_says(tmp_path, codex):
    with Server(tmp_path, codex, QUOTA_URL_PREFIX="/quota").gunicorn() as server:
        port = server.url.rpartition(":")[2]
        server.wait_for(lambda: check(port).returncode == 0)
    done = check(port)

    assert done.returncode == 1
    assert done.stdout.startswith("no answer: ")
