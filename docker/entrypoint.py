"""The container's first process: `entrypoint.py COMMAND…` runs COMMAND as the owner of the accounts.

1. Started as another user than root (`--user`), it changes nothing.
2. The owner of the account folder is who must read the auth files, so the service runs as that user; as 10001 if it is root.
3. The instance folder is given to that user, root is dropped for good, and the command takes this process's place.

It needs nothing but Python, and says in one line what is wrong.
"""

import errno
import os
import re
import stat
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
ACCOUNT, INSTANCE = PROJECT / "account", PROJECT / "instance"
DEFAULT_ID = 10001
MOUNTS = Path("/proc/self/mountinfo")
LOST = f"""\
{INSTANCE} is no volume: database, keys and password live in this container and are lost with it.
To keep them: docker run -v codex-quota:{INSTANCE} …"""


def main(command: list[str]) -> None:
    if not command:
        sys.exit("entrypoint: no command")
    if serves(command) and not is_volume(INSTANCE):
        print(LOST, file=sys.stderr, flush=True)
    # Nobody else has to read what the service writes.
    os.umask(0o077)
    if os.geteuid() == 0:
        uid, gid = owner(ACCOUNT)
        try:
            give(INSTANCE, uid, gid)
            become(uid, gid)
        except OSError as error:
            sys.exit(f"entrypoint: {error.filename or INSTANCE} cannot be given to user {uid}: {error.strerror}; or start with --user {uid}:{gid}")
    try:
        os.execvp(command[0], command)  # noqa: S606 - the container's own command
    except OSError as error:
        sys.exit(f"entrypoint: {command[0]}: {error.strerror}")


def serves(command: list[str]) -> bool:
    """Whether this is the container's own start, not a command beside it."""
    return os.path.basename(command[0]) not in ("flask", "quota")


def owner(folder: Path) -> tuple[int, int]:
    """User and group of the folder's owner; root is nobody to run as."""
    try:
        found = folder.stat()
    except OSError:
        return DEFAULT_ID, DEFAULT_ID
    return (found.st_uid, found.st_gid or found.st_uid) if found.st_uid else (DEFAULT_ID, DEFAULT_ID)


def give(folder: Path, uid: int, gid: int) -> None:
    """Make *folder* and all in it the user's own. Links are given, never followed.

    That user may change the folder meanwhile, so nothing is reached by its path: what has been
    looked at is what is given. A file with a second name may be somebody else's; it stays his.
    """
    folder.mkdir(exist_ok=True)
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        for _, folders, files, inside in os.fwalk(".", dir_fd=top, follow_symlinks=False):
            _give_open(inside, uid, gid)
            for name in (*folders, *files):
                _give_one(name, inside, uid, gid)
        if stat.S_IMODE(os.fstat(top).st_mode) != 0o700:
            os.fchmod(top, 0o700)
    finally:
        os.close(top)


def _give_one(name: str, inside: int, uid: int, gid: int) -> None:
    """Give what is called *name* in the open folder *inside*."""
    try:
        seen = os.stat(name, dir_fd=inside, follow_symlinks=False)
        if stat.S_ISREG(seen.st_mode):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(name, flags, dir_fd=inside)
            try:
                _give_open(descriptor, uid, gid)
            finally:
                os.close(descriptor)
        elif not stat.S_ISDIR(seen.st_mode) and (seen.st_uid, seen.st_gid) != (uid, gid):
            os.chown(name, uid, gid, dir_fd=inside, follow_symlinks=False)
    except FileNotFoundError:
        return
    except OSError as error:
        # A link in the place of the file that was looked at.
        if error.errno != errno.ELOOP:
            raise


def _give_open(descriptor: int, uid: int, gid: int) -> None:
    seen = os.fstat(descriptor)
    is_one = stat.S_ISDIR(seen.st_mode) or (stat.S_ISREG(seen.st_mode) and seen.st_nlink == 1)
    if is_one and (seen.st_uid, seen.st_gid) != (uid, gid):
        os.fchown(descriptor, uid, gid)


def become(uid: int, gid: int) -> None:
    """Give root up, groups first: there is no way back."""
    os.setgroups([gid])
    os.setgid(gid)
    os.setuid(uid)
    os.environ["HOME"] = str(INSTANCE)


def is_volume(folder: Path) -> bool:
    """Whether something is mounted at *folder*. Where that cannot be said, nobody is warned."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return True
    # Blanks and the like are written as octal numbers there.
    points = (re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), line.split(" ")[4]) for line in lines)
    return str(folder) in points


if __name__ == "__main__":
    main(sys.argv[1:])
