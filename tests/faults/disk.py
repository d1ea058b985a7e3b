"""A disk that forgets: what a folder holds after a power cut, when its processes had synced only
some of what they wrote.

with ForgetfulDisk(folder, tmp_path) as disk:
    process = subprocess.Popen(command, env={**environment, **disk.environment})
    ...
    process.kill()
    disk.cut_power(seed=1)

A system's cache holds what is written until it is synced; after `kill -9` it is all still there, so
kills alone never show a sync that is missing. Here a small library, loaded before the C library
into each process, tells of each fsync() and fdatasync() before they return (syncs.c). Of a file its
content is noted as it was then, of a folder its names, each by itself, as POSIX promises no more.

The noting is done in a process of its own: a test's process that closes a database's file would let
go of the locks that its own connections have on it.
"""

import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from typing import Self

from quota_web.core.checkout import PROJECT
from tests import parts

SOURCE = Path(__file__).with_name("syncs.c")
#: What a disk writes whole or not at all.
PAGE = 4_096
#: The order to take all for written.
SYNC = "sync"


class ForgetfulDisk:
    """What of *folder* is on the disk; at its beginning, all that lies in it. *workplace* is a
    short path for a library and a socket.
    """

    def __init__(self, folder: Path, workplace: Path) -> None:
        self.environment = {
            "LD_PRELOAD": str(built(workplace)),
            "SYNCS_SOCKET": str(workplace / "syncs"),
        }
        self._command = [sys.executable, "-m", "tests.faults.disk", str(folder.resolve())]
        self._process: subprocess.Popen[str]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [*self._command, self.environment["SYNCS_SOCKET"]],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.sync()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def sync(self) -> None:
        """All that lies in the folder is on the disk now."""
        self._ask(SYNC)

    def cut_power(self, seed: int) -> int:
        """Leave in the folder what may be there after a power cut, its processes being dead: all
        that was synced, and of everything else nothing, or a random part of its pages and names.
        How many syncs there were since the last cut.
        """
        return self._ask(str(seed))

    def _ask(self, order: str) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def built(workplace: Path) -> Path:
    """The library that tells of syncs."""
    if sys.platform != "linux":
        parts.lack("a library is loaded before the C library on Linux alone")
    library = workplace / "syncs.so"
    if not library.exists():
        compiler = [parts.require("gcc"), "-shared", "-fPIC", "-Wall", "-Werror", "-O1"]
        subprocess.run([*compiler, "-o", library, SOURCE, "-ldl"], check=True)
    return library


def serve(folder: Path, socket_path: str) -> None:
    """Note syncs of *folder*, and do what the lines say that come in: cut the power, with a seed,
    or sync all.
    """
    synced, syncs = Synced(folder), 0
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(socket_path)
        listener.listen(64)
        while True:
            if listener in wait([listener, sys.stdin.fileno()]):
                syncs += noted(synced, listener)
                continue
            order = sys.stdin.readline().strip()
            if not order:
                break
            if order != SYNC:
                synced.leave(random.Random(int(order)))
            synced.close()
            synced = Synced(folder)
            print(syncs, flush=True)
            syncs = 0
    os.unlink(socket_path)


def noted(synced: "Synced", listener: socket.socket) -> bool:
    """Whether the next process tells of a file of ours. It goes on when that is noted."""
    connection, _ = listener.accept()
    is_ours = False
    # One that was killed while it told of it, or waited, has nobody to go on.
    with suppress(ConnectionError), connection, connection.makefile("rb") as told:
        is_ours = synced.note(Path(os.fsdecode(told.read())))
        connection.sendall(b".")
    return is_ours


class Synced:
    """What was synced of the files in *folder*, by the number that a file has through all its
    names: its inode.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: dict[int, int] = {}
        self._contents: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        for path in [folder, *folder.rglob("*")]:
            self.note(path)

    def note(self, path: Path) -> bool:
        """Keep what *path* holds now; whether it is one of ours."""
        if path != self.folder and self.folder not in path.parents:
            return False
        try:
            if path.is_dir():
                self._names[self._number(path)] = dict(self._entries(path))
            else:
                self._contents[self._number(path)] = path.read_bytes()
        except FileNotFoundError:
            # It has no name any more: none to come back under.
            pass
        return True

    def leave(self, numbers: random.Random) -> None:
        """Put what is left after a power cut in the place of what is there."""
        survives = numbers.choice([0.0, 0.5])
        left = self._left(self.folder, numbers, survives)
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        for path, content in left:
            if content is None:
                path.mkdir(mode=0o700)
            else:
                path.write_bytes(content)
                path.chmod(0o600)

    def close(self) -> None:
        for held in self._held.values():
            os.close(held)

    def _left(
        self, folder: Path, numbers: random.Random, survives: float
    ) -> list[tuple[Path, bytes | None]]:
        """Each path below *folder* with its content, folders with None and before what they hold.

        Of a name that was not synced, and of each page, the new state is there as often as
        *survives* says.
        """
        synced = self._names.get(self._number(folder), {})
        now = dict(self._entries(folder))
        paths = {self._number(path): path for path in self.folder.rglob("*")}
        left: list[tuple[Path, bytes | None]] = []
        for name in sorted(synced.keys() | now.keys()):
            number = (now if numbers.random() < survives else synced).get(name)
            if number is None:
                continue
            path = paths.get(number)
            if path is not None and path.is_dir():
                left += [(folder / name, None), *self._left(path, numbers, survives)]
            else:
                written = None if path is None else path.read_bytes()
                left.append((folder / name, self._content(number, written, numbers, survives)))
        return left

    def _content(
        self, number: int, written: bytes | None, numbers: random.Random, survives: float
    ) -> bytes:
        synced = self._contents.get(number, b"")
        if written is None:
            return synced
        end = len(written if numbers.random() < survives else synced)
        longest = max(len(written), len(synced))
        old, new = synced.ljust(longest, b"\0"), written.ljust(longest, b"\0")
        pages = [
            (new if numbers.random() < survives else old)[at : at + PAGE]
            for at in range(0, longest, PAGE)
        ]
        return b"".join(pages)[:end]

    def _entries(self, folder: Path) -> Iterator[tuple[str, int]]:
        for path in folder.iterdir():
            try:
                yield path.name, self._number(path)
            except FileNotFoundError:
                continue

    def _number(self, path: Path) -> int:
        """The file's inode, held from now on, so that no other file gets its number."""
        held = os.open(path, os.O_PATH | os.O_NOFOLLOW)
        number = os.fstat(held).st_ino
        if number in self._held:
            os.close(held)
        else:
            self._held[number] = held
        return number


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2])
