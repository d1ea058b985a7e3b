"""The tables of banked resets, beside those of `models.py`."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String, Table

from quota_web.store.models import metadata

reset_credit = Table(
    "reset_credit",
    metadata,
    Column("account_id", Integer, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    Column("credit_hash", String(64), primary_key=True),
    Column("granted_at", BigInteger),
    #: NULL: the list does not say.
    Column("expires_at", BigInteger),
    Column("title", String(200)),
    Column("first_seen", BigInteger, nullable=False),
    #: When it was no longer listed; NULL while it is.
    Column("gone_at", BigInteger),
    #: `used`, `expired` or `unknown`.
    Column("gone_how", String(8)),
)

#: The last time that an account's list was asked for.
reset_credit_list = Table(
    "reset_credit_list",
    metadata,
    Column("account_id", Integer, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    #: What the usage answer said when the list came.
    Column("count", Integer),
    Column("listed_at", BigInteger),
    #: Nothing is asked before: a request is under way, or the last one failed.
    Column("retry_at", BigInteger),
)
