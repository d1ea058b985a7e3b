"""Power is cut at any moment, and the disk forgets what was not synced: what was acknowledged is
there, what is there is whole, and the next start works.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from quota_web.core.checkout import PROJECT
from tests.fakes import FakeCodex, FakeResponse, auth_document, make_jwt, usage_body
from tests.faults.disk import ForgetfulDisk, Synced
from tests.faults.figures import Figures, runs
from tests.faults.test_kills import checked, committed
from tests.faults.test_renewals import Hammer, ended
from tests.installation import open_installation, wait_until
from tests.issuer import FakeIssuer
from tests.sign_ins.house import House

REFRESHES, FIRST_STARTS, RENEWALS = runs(8, 200), runs(3, 200), runs(3, 60)
ACCOUNTS = 12
FLASK_QUOTA = [sys.executable, "-m", "flask", "quota"]
REFRESH = [*FLASK_QUOTA, "refresh", "--force"]


class Place:
    """A folder whose disk forgets, an account folder beside it, and commands that are cut off."""

    def __init__(self, folder: Path, codex: FakeCodex, disk: ForgetfulDisk) -> None:
        self.instance, self.accounts = folder / "disk" / "instance", folder / "account"
        self.codex, self.disk = codex, disk
        self.environment = {
            **os.environ,
            "QUOTA_INSTANCE_DIR": str(self.instance),
            "QUOTA_ACCOUNT_DIR": str(self.accounts),
            "QUOTA_USAGE_URL": codex.url,
            "QUOTA_RETRIES": "0",
            "QUOTA_CONCURRENCY": "4",
            **disk.environment,
        }

    def begin(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            REFRESH,
            cwd=PROJECT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def begin_to_ask(self) -> subprocess.Popen[str]:
        """A refresh that has sent its first request."""
        asked, process = len(self.codex.seen), self.begin()
        wait_until(lambda: len(self.codex.seen) > asked or process.poll() is not None)
        return process

    def ended(self) -> tuple[int, str]:
        """A refresh that nothing cuts off: its status, and what it said of errors."""
        process = self.begin()
        _, said = process.communicate(timeout=60)
        return process.returncode, said

    def refusal(self) -> list[str]:
        """What the next command says that brings the database up and follows the account folder,
        where it does not know all accounts then. It asks nobody: what was claimed may stay so for
        a minute.
        """
        listed = subprocess.run(
            [*FLASK_QUOTA, "accounts", "list"],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        knows = all(f"a{number:02}" in listed.stdout for number in range(ACCOUNTS))
        is_well = knows and listed.returncode == 0 and not listed.stderr
        return [] if is_well else [f"{listed.returncode}: {listed.stdout}{listed.stderr}"]

    def end_claims(self) -> None:
        """Let a minute pass: what was claimed is free again, should nothing on the disk show that
        its process is dead.
        """
        with closing(sqlite3.connect(self.instance / "quota.sqlite")) as conn, conn:
            conn.execute("UPDATE account SET claimed_at = claimed_at - 60")
        # Nobody told of what this process wrote.
        self.disk.sync()

    def readings(self) -> dict[tuple[int, int], float]:
        return committed(self.instance / "quota.sqlite")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "disk").mkdir()
    (tmp_path / "account").mkdir()
    now = int(time.time())
    for number in range(ACCOUNTS):
        token = make_jwt(f"acct-{number}", user_id=f"user-{number}", exp=now + 864_000)
        path = tmp_path / "account" / f"a{number:02}.auth.json"
        path.write_text(json.dumps(auth_document(f"acct-{number}", access_token=token)))
    with FakeCodex() as codex, ForgetfulDisk(tmp_path / "disk", tmp_path) as disk:
        codex.default = FakeResponse(body=usage_body(at=now), delay=0.02)
        yield Place(tmp_path, codex, disk)


#: A seed of a power cut that leaves what was synced and nothing more.
NOTHING_MORE = 1
#: Writes two files, and syncs one of them, with its name.
WRITES = """
import os
for name in ("synced", "forgotten"):
    with open(name, "w") as out:
        out.write(name)
        out.flush()
        if name == "synced":
            os.fsync(out.fileno())
            os.fsync(os.open(".", os.O_RDONLY))
"""


def test_a_disk_forgets_what_nobody_synced(tmp_path: Path):
    (tmp_path / "disk").mkdir()
    with ForgetfulDisk(tmp_path / "disk", tmp_path) as disk:
        environment = {**os.environ, **disk.environment}
        command = [sys.executable, "-c", WRITES]
        subprocess.run(command, check=True, cwd=tmp_path / "disk", env=environment)
        syncs = disk.cut_power(NOTHING_MORE)
        left = {path.name: path.read_text() for path in (tmp_path / "disk").iterdir()}

    assert (left, syncs) == ({"synced": "synced"}, 2)


def test_what_nobody_synced_may_survive_in_parts(tmp_path: Path):
    left = set()
    for seed in range(60):
        (tmp_path / "kept").write_text("old")
        synced = Synced(tmp_path)
        (tmp_path / "kept").write_text("newer")
        (tmp_path / "more").write_text("more")
        synced.leave(random.Random(seed))
        synced.close()
        left.add(tuple((path.name, path.read_bytes()) for path in sorted(tmp_path.iterdir())))
        (tmp_path / "more").unlink(missing_ok=True)

    assert (("kept", b"old"),) in left
    assert (("kept", b"newer"), ("more", b"more")) in left
    assert {content for files in left for name, content in files if name == "kept"} == {
        *(b"old", b"newer", b"new", b"old\0\0"),
    }


def test_what_a_refresh_stored_is_there_after_a_power_cut(
    place: Place, made_instance: Path, figures: Figures
):
    shutil.copytree(made_instance, place.instance)
    place.disk.sync()
    assert place.ended() == (0, "")
    numbers, lost, syncs = random.Random(20_261_127), 0, 0
    seen = place.readings()
    for number in range(REFRESHES):
        process = place.begin_to_ask()
        time.sleep(numbers.uniform(0, 0.3))
        before = place.readings()
        process.kill()
        process.communicate()
        syncs += place.disk.cut_power(number)
        checked(place.instance / "quota.sqlite")
        place.end_claims()
        after = place.readings()
        lost += not seen.items() <= before.items() <= after.items()
        seen = after
    assert place.ended() == (0, "")
    assert len(seen) > 2 * ACCOUNTS
    figures.record(
        "power cuts while accounts were refreshed, on a disk that forgets what was not synced",
        of=REFRESHES,
        bad=lost,
        bad_is="lost a reading that another process had seen",
        readings=len(seen),
        syncs=syncs,
    )


def test_a_first_start_that_is_cut_off_anywhere_can_be_made_again(place: Place, figures: Figures):
    numbers, refused, ends = random.Random(20_261_128), Counter[str](), Counter[str]()
    for number in range(FIRST_STARTS):
        process = place.begin()
        wait_until(place.instance.exists)
        time.sleep(numbers.uniform(0, 0.8))
        process.kill()
        process.communicate()
        place.disk.cut_power(number)
        ends[", ".join(sorted(path.name for path in place.instance.glob("*")))] += 1
        refused.update(place.refusal())
        shutil.rmtree(place.instance, ignore_errors=True)
        place.disk.sync()
    print(*refused)
    figures.record(
        "power cuts during the first start, on a disk that forgets what was not synced",
        of=FIRST_STARTS,
        bad=refused.total(),
        bad_is="left a folder that the next start refused",
        kinds_of_folders_left=len(ends),
    )


def test_no_renewed_sign_in_is_lost_in_a_power_cut(
    tmp_path: Path, made_instance: Path, figures: Figures
):
    left, renewals, bad = Counter[str](), 0, 0
    for number in range(RENEWALS):
        found, issuer = cut_renewals(tmp_path / str(number), made_instance, number)
        left += found
        renewals += issuer.calls
        bad += ended(issuer, found)
    assert left["works"] > left["flagged"]
    figures.record(
        "power cuts while sign-ins were renewed, on a disk that forgets what was not synced",
        of=RENEWALS,
        bad=bad,
        bad_is="ended a sign-in, or lost one without a flag",
        renewals=renewals,
        flagged=left["flagged"],
        sign_ins=left.total(),
    )


def cut_renewals(folder: Path, made: Path, seed: int) -> tuple[Counter[str], FakeIssuer]:
    """How the sign-ins of one installation stand after a power cut while all were renewed."""
    folder.mkdir()
    with FakeIssuer(now=lambda: int(time.time()), wait_s=0.002) as issuer:
        with open_installation(folder, template=made, QUOTA_AUTH_URL=issuer.url) as installation:
            house = House(installation, issuer)
            installation.now = int(time.time())
            for number in range(60):
                house.sign_in(f"account {number}", number)
            environment = installation.process_environment()
        with ForgetfulDisk(folder / "instance", folder) as disk:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.sign_ins.hammer", "2", "4"],
                cwd=PROJECT,
                env={**environment, **disk.environment},
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            Hammer(house, process).goes_on(random.Random(seed).randint(1, 60))
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            disk.cut_power(seed)
        with open_installation(folder, QUOTA_AUTH_URL=issuer.url) as installation:
            return Hammer(House(installation, issuer), process).left(), issuer
