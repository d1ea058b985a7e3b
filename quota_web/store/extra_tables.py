"""The table of what is asked for beside quota, beside those of `models.py`."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String, Table, Text

from quota_web.store.models import metadata

account_extra = Table(
    "account_extra",
    metadata,
    Column("account_id", Integer, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    #: `subscription` or `workspace`.
    Column("kind", String(16), primary_key=True),
    #: The login that was asked about: what is told of one says nothing of another.
    Column("chatgpt_account_id", String(128), nullable=False),
    #: JSON; NULL before the first answer, and where the upstream says that there is none.
    Column("data", Text),
    Column("taken_at", BigInteger),
    #: A request may be under way then.
    Column("asked_at", BigInteger),
    #: Why the last request brought nothing.
    Column("fault_code", String(40)),
    Column("fault_data", Text),
    Column("retry_at", BigInteger),
    #: When a person wanted it asked for again; NULL once it was.
    Column("wanted_at", BigInteger),
)
