"""Checks the rows of a backup, which may come from anywhere: what this program would never
write is refused, and what would lead to files of the owner is judged by the folders of this
installation.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Float, Integer, LargeBinary, Table, select, text, update

from quota_web import store
from quota_web.core import faults, names
from quota_web.core.errors import BadInput
from quota_web.core.quota import Status
from quota_web.maintenance import channel_keys
from quota_web.store.accounts import DEMO, FOLLOWED, MANAGED
from quota_web.store.alert_tables import channel
from quota_web.store.models import account, api_token, credential, setting
from quota_web.store.sign_in_tables import sign_in

#: What SQLite may hold in a column; it takes anything in any.
_NUMBERS, _BYTES, _TEXT = ("integer", "real", "null"), ("blob", "null"), ("text", "null")
_ACCOUNT_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
#: Settings that mean nothing in another place, or that only the maker of the backup would know.
_LEFT_BEHIND = ("setup_code_hash", "file_act:%")


def require_ours(conn: Connection, file: Path) -> None:
    """Raise BadInput where a row holds what this program never writes."""
    for table in store.models.metadata.sorted_tables:
        wrong = " OR ".join(f"typeof({c.name}) NOT IN {_kinds(c)}" for c in table.columns)
        # The names are those of our own tables.
        if conn.execute(text(f"SELECT 1 FROM {table.name} WHERE {wrong} LIMIT 1")).first():  # noqa: S608
            raise _foreign(file, table, "a value of the wrong kind")
    for row in conn.execute(select(account)):
        for column, is_ours in _ACCOUNT.items():
            value = getattr(row, column)
            if value is not None and not is_ours(value):
                raise _foreign(file, account, f"row {row.id}: {column}")
    if (found := channel_keys.foreign_column(conn)) is not None:
        raise _foreign(file, channel, found)


def _kinds(column: "Column[Any]") -> tuple[str, ...]:
    if isinstance(column.type, LargeBinary):
        return _BYTES
    # Booleans and the larger and smaller whole numbers are kept as one kind.
    is_number = isinstance(column.type, Integer | Float) or column.type.python_type is bool
    return _NUMBERS if is_number else _TEXT


def _foreign(file: Path, table: Table, what: str) -> BadInput:
    return BadInput(
        "file", f"{file}: table {table.name} holds what this program never writes ({what})"
    )


def _is_name(value: str) -> bool:
    steers = "/" in value or "\\" in value or value.startswith(".")
    return 0 < len(value) <= names.MAX_NAME and value.isprintable() and not steers


def _is_fault_data(value: str) -> bool:
    try:
        faults.stored("http", value)
    except (ValueError, RecursionError):
        return False
    return value.startswith("{")


_ACCOUNT: dict[str, Callable[[Any], bool]] = {
    "name": _is_name,
    "origin": {FOLLOWED, MANAGED, DEMO}.__contains__,
    "status": {str(status) for status in Status}.__contains__,
    "chatgpt_account_id": lambda value: _ACCOUNT_ID.fullmatch(value) is not None,
    "fault_data": _is_fault_data,
}


def settle_files(conn: Connection, folders: Iterable[Path]) -> list[str]:
    """Let accounts follow files of these folders only; returns the names of those that follow none
    from now on.

    One whose file lies elsewhere goes on with the file of its name in the first folder that has
    it. Where none has, the tokens that are stored are all there is: it is kept by the database.
    """
    folders = list(folders)
    kept = []
    followed = select(account).where(account.c.origin == FOLLOWED, account.c.deleted_at.is_(None))
    for row in conn.execute(followed).all():
        path = Path(row.source_path or "")
        if path.parent in folders and path.name.endswith(names.FILE_SUFFIX):
            continue
        files = [folder / (row.name + names.FILE_SUFFIX) for folder in folders]
        found = next((file for file in files if file.is_file()), None)
        values: dict[str, Any] = {"source_path": str(found), "source_hash": None}
        if found is None:
            kept.append(row.name)
            values = {
                "source_path": None,
                "source_hash": None,
                "source_gone_at": None,
                "origin": MANAGED,
            }
        conn.execute(update(account).where(account.c.id == row.id).values(values))
    return sorted(kept)


def leave_behind(conn: Connection) -> None:
    """Drop what belongs to the place that the backup comes from."""
    for pattern in _LEFT_BEHIND:
        conn.execute(setting.delete().where(setting.c.key.like(pattern)))
    conn.execute(sign_in.delete())
    known = select(account.c.id).where(account.c.deleted_at.is_(None))
    conn.execute(credential.delete().where(credential.c.account_id.not_in(known)))


def token_names(conn: Connection) -> list[str]:
    """The API tokens that work with this database."""
    return list(conn.execute(select(api_token.c.name).order_by(api_token.c.name)).scalars())
