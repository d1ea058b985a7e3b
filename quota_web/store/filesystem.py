"""The file system under an SQLite database: rights, whether it is a network's, how much is free,
and how private files are written.

The database's own files are never opened here, only looked at: closing any descriptor of them would
drop SQLite's locks.
"""

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from quota_web.core import names
from quota_web.core.errors import BadSetting

MOUNTINFO = Path("/proc/self/mountinfo")
#: File systems on which processes of two machines could meet, and whose shared memory does not
#: reach the other one.
NETWORK_TYPES = frozenset(
    (
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "drvfs",
        "gfs2",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
    )
) | frozenset(("orangefs", "prl_fs", "smb2", "smb3", "smbfs", "vboxsf"))
NETWORK_FUSE = frozenset(
    (
        "ceph-fuse",
        "curlftpfs",
        "davfs",
        "davfs2",
        "gcsfuse",
        "glusterfs",
        "juicefs",
        "moosefs",
        "rclone",
        "s3fs",
        "smbnetfs",
        "sshfs",
        "vmhgfs-fuse",
    )
)
IN_USE = ".in-use"
#: With less than this free, in bytes, room should be made before the database cannot grow.
LOW_SPACE = 200 * 1024 * 1024


def network_type(path: Path) -> str | None:
    """The type of the network file system that *path* lies on, such as `nfs4`; None on a local one,
    or where that cannot be known.
    """
    kind = _type_of(Path(os.path.realpath(path)))
    if kind is None:
        return None
    outer, _, inner = kind.partition(".")
    return (
        kind
        if kind in NETWORK_TYPES or (outer.startswith("fuse") and inner in NETWORK_FUSE)
        else None
    )


def _type_of(path: Path) -> str | None:
    try:
        lines = MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    found: tuple[int, str] | None = None
    for line in lines:
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if not separator or len(fields) < 5:
            continue
        mount = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4]))
        # Of two mounts on one place the later one is on top.
        if (path == mount or mount in path.parents) and (
            found is None or len(mount.parts) >= found[0]
        ):
            found = (len(mount.parts), after.split(" ")[0])
    return found[1] if found else None


def free_bytes(folder: Path) -> int | None:
    """How much this process may still write there; None where that cannot be known."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def size_of(path: Path) -> int:
    """The size of a file in bytes; 0 where there is none."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def beside(file: Path, suffix: str) -> Path:
    """The file of that name with *suffix*, such as `-wal`."""
    return file.with_name(file.name + suffix)


def created(path: Path, *, give: bool = True) -> int:
    """Make a file that only its owner may read, and open it; raises FileExistsError where there is
    one.

    What root makes belongs to the owner of its folder, as SQLite does it with its own files: a
    service that runs as that user must be able to use it. Without *give* it stays root's.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        descriptor = os.open(path.name, flags, 0o600, dir_fd=folder)
        if give:
            _give(descriptor, os.fstat(folder))
    finally:
        os.close(folder)
    return descriptor


def _give(descriptor: int, owner: os.stat_result) -> None:
    """Give what this process has just made to another user; no path is used again, since that user
    may have changed it.
    """
    own = os.fstat(descriptor)
    if os.geteuid() == 0 and (own.st_uid, own.st_gid) != (owner.st_uid, owner.st_gid):
        # Not every container and file system lets root do that; then it is as it was.
        with suppress(OSError):
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


def make_folder(folder: Path) -> None:
    """Make a folder that only its owner may look into, and those above it, where there is none."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        sync_name(folder)
    own = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        # Another one that took its place meanwhile is not empty, or not root's.
        if os.fstat(own).st_uid == os.geteuid() and not os.listdir(own):
            _give(own, os.stat(folder.parent))
    finally:
        os.close(own)


def write_private(file: Path, content: bytes, *, give: bool = True) -> None:
    """Write a file so that no reader ever sees half of it, and only its owner can read it.

    A symbolic link's target is written.
    """
    with writing_private(file, content, give=give):
        pass


@contextmanager
def writing_private(file: Path, content: bytes, *, give: bool = True) -> Iterator[None]:
    """The same around an act that must come when the content is on the disk, and before it can be
    read: where the act fails, the file stays as it was.
    """
    target = file.resolve()
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    temporary = staged(target, content, give=give)
    try:
        yield
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    sync(target.parent)


def hidden_name(name: str, ending: str = "") -> str:
    """A name for a file that will be called *name*: `.name.12345678`, then *ending*.

    Of a long name only the end is in it: there is a limit to names, also of what SQLite puts
    beside.
    """
    rest = f".{secrets.token_hex(4)}{ending}"
    while len(os.fsencode(f".{name}{rest}")) > names.MAX_FILE_NAME_BYTES - len("-journal"):
        name = name[1:]
    return f".{name}{rest}"


def is_staged_name(name: str, suffix: str) -> bool:
    """Whether a file is called as `staged` calls them for a file whose name ends with *suffix*."""
    return re.fullmatch(rf"\..+{re.escape(suffix)}\.[0-9a-f]{{8}}", name) is not None


def staged(target: Path, content: bytes, *, give: bool = True) -> Path:
    """A file beside *target* with this content that survives a power cut, and that only its
    owner can read.
    """
    temporary = target.with_name(hidden_name(target.name))
    descriptor = created(temporary, give=give)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def sync(path: Path) -> None:
    """Make what is in a file, or a new name in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_name(folder: Path) -> None:
    """Make a new folder's name survive a power cut, with all that will be in it."""
    try:
        sync(folder.parent)
    except OSError as error:
        # Names may be made in a folder that may not be read, or of a kind that is never synced;
        # then the system decides when it writes it.
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EINVAL):
            raise


def free_name(path: Path) -> Path:
    """*path*, or with a number where something of the same second has that name."""
    number, name = 1, path
    while os.path.lexists(name):
        number, name = number + 1, beside(path, f"-{number}")
    return name


def require_writable(file: Path) -> None:
    """Raise BadSetting with the line that helps where SQLite could not work: it needs the file and
    its folder writable.

    Making and removing a file is the one test that tells the truth about rights, read-only mounts
    and quotas alike.
    """
    folder = file.parent
    # Both names are this call's own: containers that share a folder have one process id.
    probe = folder / f".probe.{os.getpid()}.{secrets.token_hex(4)}"
    moved = folder / f"{probe.name}.moved"
    try:
        os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        os.rename(probe, moved)
        os.unlink(moved)
    except OSError as error:
        # Where only space is missing, what is stored can still be read.
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise BadSetting(no_entry(folder, error)) from None
    for own in (file, beside(file, "-wal"), beside(file, "-shm"), folder / IN_USE):
        if os.path.exists(own) and not os.access(own, os.R_OK | os.W_OK):
            raise BadSetting(no_entry(own, OSError(errno.EACCES, os.strerror(errno.EACCES))))


def no_entry(path: Path, error: OSError) -> str:
    """One line: what is wrong, the owner, this process's user, and the command that mends it."""
    me = f"{os.geteuid()}:{os.getegid()}"
    if error.errno == errno.EROFS:
        return (
            f"{path}: lies on a read-only file system; mount it writable, or set "
            f"QUOTA_INSTANCE_DIR to a folder that user {me} can write"
        )
    try:
        there = os.stat(path)
    except OSError:
        return f"{path}: {error.strerror}; it must be readable and writable by user {me}"
    whose = (
        f"it belongs to {there.st_uid}:{there.st_gid} with mode {there.st_mode & 0o7777:04o}, "
        f"and this is user {me}"
    )
    folder = path if path.is_dir() else path.parent
    mend = (
        f"chown -R {me} {folder}"
        if there.st_uid != os.geteuid()
        else f"chmod u+rw{'x' if path.is_dir() else ''} {path}"
    )
    return f"{path}: {error.strerror}; {whose}. Mend it with: {mend}"
