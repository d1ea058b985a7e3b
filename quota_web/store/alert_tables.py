"""The tables of alerts, beside those of `models.py`."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from quota_web.store.models import metadata

#: What of an account or of all is known to have been told, and may be told again or not.
alert_state = Table(
    "alert_state",
    metadata,
    #: 0 for what concerns all accounts; no foreign key for that reason.
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    #: The key of a window or the id of a credit; empty where the kind concerns the whole account.
    Column("window_key", String(120), primary_key=True),
    Column("kind", String(40), primary_key=True),
    #: The lowest threshold that was reached, in percent left, or the step in hours.
    Column("level", Float),
    #: Counts what was told, so that each telling has a key of its own.
    Column("episode", Integer, nullable=False),
    #: Since when it is told and not over; NULL: nothing is.
    Column("open_since", BigInteger),
    #: Whether it may be told; false until the state before it has come back.
    Column("armed", Boolean, nullable=False),
    #: A reading that waits for a second one to agree, or the last look of a chore.
    Column("seen_at", BigInteger),
    Column("seen_value", Float),
)

#: A place to which alerts are sent.
channel = Table(
    "channel",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), nullable=False, unique=True),
    #: `webhook` or `apprise`.
    Column("kind", String(10), nullable=False),
    Column("url_sealed", LargeBinary, nullable=False),
    #: What signs a webhook's requests.
    Column("secret_sealed", LargeBinary),
    #: JSON: a list of alert types; NULL: those that are on by default.
    Column("kinds", Text),
    #: JSON: a list of account ids; NULL: all.
    Column("accounts", Text),
    #: JSON: a list of percents left; NULL: the default ones.
    Column("thresholds", Text),
    Column("quiet", Text),
    #: NULL: the language of the settings.
    Column("language", String(8)),
    Column("digest", String(40)),
    #: `on` or `off`.
    Column("state", String(10), nullable=False),
    Column("failing_since", BigInteger),
    Column("last_error", Text),
    Column("created_at", BigInteger, nullable=False),
)

#: An event that is to be sent through a channel, was, or could not be.
delivery = Table(
    "delivery",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("event_id", Integer, ForeignKey("event.id"), nullable=False),
    Column("channel_id", Integer, ForeignKey("channel.id"), nullable=False),
    Column("message_id", String(40)),
    Column("due_at", BigInteger, nullable=False),
    Column("claimed_by", BigInteger),
    Column("claimed_until", BigInteger),
    Column("tries", Integer, nullable=False, default=0),
    #: `waiting`, `sent`, `dropped` or `failed`.
    Column("state", String(10), nullable=False),
    Column("sent_at", BigInteger),
    Column("error", Text),
    UniqueConstraint("event_id", "channel_id"),
    Index("ix_delivery_state_due_at", "state", "due_at"),
)
