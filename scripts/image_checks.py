"""Start the container image in the ways people start it, and print for each promise whether it is
kept; scripts/image runs this.

    python3 scripts/image_checks.py IMAGE BASE

Every container is a new one, run by runc, with a fake upstream beside it. It listens on port 8081:
run this where that is free. Needs root, and nothing but Python.
"""

import json
import os
import re
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from tests.containers import Container, Run, tool  # noqa: E402
from tests.fakes import FakeCodex, FakeResponse, auth_document, usage_body  # noqa: E402

URL = "http://127.0.0.1:8081"
ACCOUNT, INSTANCE = "/app/account", "/app/instance"
STATE_FILE = "codex_quota_web_results.json"
OWNER, SOMEBODY, NOBODYS = 4321, 5555, 10001
MOST_MB = 250
STOPPED_WITHIN_S = 8
TMP = ("/tmp",)  # noqa: S108 - the container's own


class Checks:
    """Prints a line per check and counts those that failed."""

    def __init__(self, image: str) -> None:
        self.image, self.failed, self._way = image, 0, ""

    @contextmanager
    def way(self, name: str) -> Iterator[Path]:
        """One way to start it, in an empty folder; what goes wrong in it is a failed check."""
        self._way = name
        folder = Path(tempfile.mkdtemp(prefix="quota-image-"))
        # The container's users are none of ours and must get through.
        folder.chmod(0o755)
        try:
            yield folder
        except (OSError, ValueError, KeyError) as error:
            self.that("it works at all", False, error)
        finally:
            shutil.rmtree(folder)

    def that(self, promise: str, is_kept: bool, found: object = "") -> None:
        self.failed += not is_kept
        print(
            f"{'ok    ' if is_kept else 'FAILED'} {self._way}: "
            f"{promise}{f' ({found})' if found != '' else ''}",
            flush=True,
        )


def main(image: str, base: str) -> int:
    checks = Checks(image)
    size(checks, base)
    as_in_the_readme(checks)
    as_compose_does(checks)
    as_somebody(checks)
    without_volumes(checks)
    classic_service(checks)
    bad_setting(checks)
    print(f"image: {f'{checks.failed} checks failed' if checks.failed else 'all is as promised'}")
    return 1 if checks.failed else 0


def size(checks: Checks, base: str) -> None:
    with checks.way("size"):
        whole, below = megabytes(checks.image), megabytes(base)
        checks.that(
            f"at most {MOST_MB} MB",
            whole <= MOST_MB,
            f"{whole:g} MB, of which {below:g} MB are {base}",
        )


def as_in_the_readme(checks: Checks) -> None:
    """Accounts of another user in a mounted folder, and a volume for the rest."""
    with checks.way("docker run with volumes") as folder, FakeCodex() as codex:
        run = Run(
            volumes={ACCOUNT: accounts(folder, OWNER), INSTANCE: new_volume(folder)},
            env={"QUOTA_USAGE_URL": codex.url},
        )
        with Container(checks.image, run) as container:
            serves(checks, container, codex)
            runs_as(checks, container, OWNER)
            checks.that("nothing is said to be lost", "are lost with it" not in container.log())
            written = [folder / "instance", *(folder / "instance").rglob("*")]
            checks.that(
                "the volume is its owner's alone",
                all(
                    (path.stat().st_uid, path.stat().st_mode & 0o077) == (OWNER, 0)
                    for path in written
                ),
            )
            stops(checks, container)
        with Container(checks.image, run) as container:
            container.wait_for(lambda: "Codex Quota: " in container.log())
            done = container.execute("flask", "quota", "status")
            checks.that(
                "the next container has what this one knew",
                all(name in done.stdout for name in ("alice", "bob")),
                done.stderr.strip(),
            )


def as_compose_does(checks: Checks) -> None:
    """A read-only file system and next to no capabilities, as docker-compose.yml says."""
    with checks.way("docker compose") as folder, FakeCodex() as codex:
        run = Run(
            volumes={ACCOUNT: accounts(folder, OWNER), INSTANCE: new_volume(folder)},
            env={"QUOTA_USAGE_URL": codex.url},
            tmpfs=TMP,
            read_only=True,
            capabilities=("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"),
            no_new_privileges=True,
        )
        with Container(checks.image, run) as container:
            serves(checks, container, codex)
            runs_as(checks, container, OWNER)
            checks.that(
                "its file system is read-only",
                container.execute("touch", "/app/new").returncode != 0,
            )
            done = container.execute("flask", "quota", "backup", f"{INSTANCE}/backup.sqlite")
            checks.that(
                "a backup is written",
                done.returncode == 0,
                done.stderr.strip() if done.returncode else "",
            )
            stops(checks, container)
        backups = folder / "backups"
        backups.mkdir()
        # With its owner, as he has it who copies it out.
        (folder / "instance/backup.sqlite").rename(backups / "backup.sqlite")
        restore = replace(
            run,
            command=("flask", "quota", "restore", "/backups/backup.sqlite"),
            volumes={**run.volumes, "/backups": backups},
        )
        with Container(checks.image, restore) as container:
            status = container.process.wait(60)
            checks.that(
                "docker compose run puts it back",
                status == 0 and "2 accounts" in container.log(),
                container.log().strip() if status else "",
            )


def as_somebody(checks: Checks) -> None:
    with checks.way("docker run --user --read-only") as folder, FakeCodex() as codex:
        instance = new_volume(folder)
        volumes = {ACCOUNT: accounts(folder, SOMEBODY), INSTANCE: instance}
        run = Run(
            volumes=volumes,
            env={"QUOTA_USAGE_URL": codex.url},
            tmpfs=TMP,
            user=SOMEBODY,
            read_only=True,
        )
        with Container(checks.image, run) as container:
            serves(checks, container, codex)
            runs_as(checks, container, SOMEBODY)
            found = instance.stat()
            rights = (found.st_uid, f"{found.st_mode & 0o777:o}")
            checks.that("the volume's folder is left as it was", rights == (0, "777"), rights)
            stops(checks, container)


def without_volumes(checks: Checks) -> None:
    """No instance volume, accounts that are root's, and an upstream that does not answer."""
    with checks.way("docker run without a volume") as folder, FakeCodex() as codex:
        for name in ("alice", "bob"):
            codex.answers(f"acct-{name}", FakeResponse(body=usage_body(), delay=60))
        with Container(
            checks.image,
            Run(volumes={ACCOUNT: accounts(folder, 0, 0o644)}, env={"QUOTA_USAGE_URL": codex.url}),
        ) as container:
            container.wait_for(lambda: "Codex Quota: " in container.log() and codex.seen)
            checks.that(
                "it says what will be lost",
                f"{INSTANCE} is no volume: database, keys and password" in container.log(),
            )
            checks.that(
                "the link to choose a password is printed", "/login#setup=" in container.log()
            )
            runs_as(checks, container, NOBODYS)
            stops(checks, container)


def classic_service(checks: Checks) -> None:
    with checks.way("docker run … python codex_quota_service.py") as folder, FakeCodex() as codex:
        run = Run(
            command=(
                "python",
                "codex_quota_service.py",
                "--state-file",
                f"{INSTANCE}/{STATE_FILE}",
                "--chatgpt-url",
                codex.url,
            ),
            volumes={ACCOUNT: accounts(folder, OWNER), INSTANCE: new_volume(folder)},
        )
        with Container(checks.image, run) as container:
            serves(checks, container, codex)
            runs_as(checks, container, OWNER)
            stops(checks, container)


def bad_setting(checks: Checks) -> None:
    with (
        checks.way("docker run -e QUOTA_AUTH=nonsense"),
        Container(checks.image, Run(env={"QUOTA_AUTH": "nonsense"})) as container,
    ):
        status = container.process.wait(60)
        checks.that(
            "it ends with status 4 and names the setting",
            status == 4 and "QUOTA_AUTH" in container.log(),
            status,
        )
        checks.that("without a traceback", "Traceback" not in container.log())


def serves(checks: Checks, container: Container, codex: FakeCodex) -> None:
    """What every way to start it leads to: accounts are read and asked, the dashboard, the state
    file, the library of the charts, good health.
    """
    container.wait_for(
        lambda: (
            "Codex Quota: " in container.log()
            and {seen.account_id for seen in codex.seen} == {"acct-alice", "acct-bob"}
        )
    )
    checks.that("files of mode 0600 are read and their accounts asked", True)
    checks.that("port 8081 leads to the sign-in", "password" in get("/").lower())
    made = container.execute("flask", "quota", "token", "create", "checks")
    token = made.stdout.split()[-1] if made.stdout.split() else ""
    checks.that("flask quota works beside it", bool(token), "" if token else made.stderr.strip())
    container.wait_for(lambda: '"network"' in get("/api/results", token))
    page = get("/", token)
    checks.that(
        "the dashboard shows the accounts",
        all(f"/accounts/{name}" in page for name in ("alice", "bob")),
    )
    manifest = json.loads((PROJECT / "assets/manifest.json").read_text())
    library = next(
        name for name, entry in manifest.items() if name.endswith(".js") and "for" not in entry
    )
    checks.that(
        "the library of the charts is there", "uPlot" in get(f"/static/vendor/{library}", token)
    )
    state = Path(container.run.volumes[INSTANCE], STATE_FILE)
    container.wait_for(lambda: state.exists() and state.read_text().count('"ok"') == 2)
    checks.that("the state file is written", True)
    checks.that("the health check says so", container.is_healthy())


def runs_as(checks: Checks, container: Container, user: int) -> None:
    found = container.processes()
    ids = {process[kind] for process in found for kind in ("Uid", "Gid")}
    checks.that(
        f"all of it runs as {user}",
        ids == {f"{user} {user} {user} {user}"},
        f"{len(found)} processes, {', '.join(ids)}",
    )
    checks.that(
        "without any capability",
        {int(process[kind], 16) for process in found for kind in ("CapEff", "CapPrm")} == {0},
    )


def stops(checks: Checks, container: Container) -> None:
    seconds = container.stop()
    checks.that(
        f"docker stop ends it within {STOPPED_WITHIN_S} s",
        seconds <= STOPPED_WITHIN_S,
        f"{seconds:.1f} s",
    )


def accounts(folder: Path, owner: int, mode: int = 0o600) -> Path:
    """An account folder of *owner*'s."""
    made = folder / "account"
    made.mkdir(mode=0o700 if owner else 0o755)
    for name in ("alice", "bob"):
        file = made / f"{name}.auth.json"
        file.write_text(json.dumps(auth_document(f"acct-{name}")))
        file.chmod(mode)
        os.chown(file, owner, owner)
    os.chown(made, owner, owner)
    return made


def new_volume(folder: Path) -> Path:
    """What Docker makes of a new named volume: a copy of the image's folder, with its rights."""
    made = folder / "instance"
    made.mkdir()
    made.chmod(0o777)
    return made


def get(path: str, token: str = "") -> str:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(URL + path, headers=headers)  # noqa: S310 - our own URL
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - our own URL
            return str(response.read().decode())
    except urllib.error.URLError as error:
        return f"{error}"


def megabytes(image: str) -> float:
    """An image's size as buildah states it, in units of a million bytes."""
    found = re.fullmatch(
        r"([\d.]+) (kB|MB|GB)\n", tool("buildah", "images", "--format", "{{.Size}}", image)
    )
    if found is None:
        raise ValueError(f"no size for {image}")
    return float(found[1]) * {"kB": 0.001, "MB": 1, "GB": 1000}[found[2]]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
