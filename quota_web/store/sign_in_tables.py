"""The table of sign-ins to ChatGPT, beside those of `models.py`."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table

from quota_web.store.models import metadata

sign_in = Table(
    "sign_in",
    metadata,
    Column("id", Integer, primary_key=True),
    #: Of the browser session that began it; NULL for one in a terminal.
    Column("session_hash", String(64)),
    #: `device` or `link`.
    Column("method", String(6), nullable=False),
    #: The account that it is for; NULL for a new one. Once done, the account that it became.
    Column("account_id", Integer),
    Column("name", String(80), nullable=False),
    #: What is sent to ask whether the code was approved.
    Column("device_sealed", LargeBinary),
    #: What proves at the exchange that the link was ours.
    Column("verifier_sealed", LargeBinary),
    #: Tokens of another login than the account's, until a person says what becomes of them.
    Column("tokens_sealed", LargeBinary),
    Column("state_hash", String(64)),
    #: So that the page can show its link again.
    Column("state_sealed", LargeBinary),
    Column("user_code", String(32)),
    Column("interval_s", Integer, nullable=False),
    Column("next_poll_at", BigInteger),
    #: The process that exchanges the code for tokens; the code works once.
    Column("claim", BigInteger),
    Column("claimed_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    #: NULL while it waits.
    Column("outcome", String(16)),
    #: A word for programs that says more about the outcome.
    Column("code", String(64)),
    Index("ix_sign_in_created_at", "created_at"),
)
