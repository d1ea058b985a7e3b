"""The tables. docs/schema.md explains them; migrations/ makes them; a test holds the two together.

Times are epoch seconds, UTC. The two series tables, `reading` and `rollup`, are narrow and lie in
key order (WITHOUT ROWID on SQLite), because their size and the speed of the charts depend on it.
Nothing cascades onto them: a migration that rebuilds `account` must not be able to delete history.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

#: Constraint names spelled out, so that a migration can name what it changes on both databases.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)

account = Table(
    "account",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), nullable=False),
    #: The name folded for comparing; NULL once deleted, which frees the name.
    Column("name_key", String(255), unique=True),
    #: `followed` (belongs to a file) or `managed` (in this database only).
    Column("origin", String(10), nullable=False),
    Column("source_path", Text),
    Column("source_hash", String(64)),
    Column("source_gone_at", BigInteger),
    Column("chatgpt_account_id", String(128), index=True),
    Column("chatgpt_user_id", String(200)),
    Column("email", String(320)),
    #: The user that answers name; an answer that names another one is not stored.
    Column("answer_user_id", String(200)),
    Column("paused_at", BigInteger),
    Column("deleted_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("status", String(24), nullable=False),
    Column("fault_code", String(40)),
    Column("fault_data", Text),
    Column("http_status", Integer),
    Column("attempted_at", BigInteger),
    Column("taken_at", BigInteger),
    #: When a refresh was last answered from the stored reading, because asking was pointless.
    Column("cached_at", BigInteger),
    #: first_at of the run of equal attempts that is still going on.
    Column("run_first_at", BigInteger),
    Column("failures", Integer, nullable=False, default=0, server_default="0"),
    Column("interval_s", Integer),
    Column("next_due_at", BigInteger, index=True),
    Column("requested_at", BigInteger),
    Column("claim_id", BigInteger),
    Column("claimed_at", BigInteger),
    #: Grows with every change of this row, claims aside, and of what is known of the account.
    Column("version", BigInteger, nullable=False, server_default="0"),
)

credential = Table(
    "credential",
    metadata,
    Column("account_id", Integer, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    Column("access_sealed", LargeBinary, nullable=False),
    Column("refresh_sealed", LargeBinary),
    Column("id_sealed", LargeBinary),
    Column("access_expires_at", BigInteger),
    Column("access_fp", String(32), nullable=False),
    Column("refresh_fp", String(32), index=True),
    Column("client_id", String(128)),
    Column("fedramp", Boolean, nullable=False, default=False),
    Column("key_id", String(16), nullable=False),
    Column("version", Integer, nullable=False, default=1),
    Column("updated_at", BigInteger, nullable=False),
    #: `own` (signed in here), `copy` (pasted, imported) or `file` (another program renews it).
    Column("kind", String(4), nullable=False, server_default="copy"),
    #: `on`, `off`, `unsure` (an answer was lost) or `dead`; of the renewal, never of the account.
    Column("renewal", String(8), nullable=False, server_default="off"),
    #: Why it is not `on`.
    Column("renewal_code", String(64)),
    #: When the schedule renews it next; NULL: never.
    Column("renew_at", BigInteger),
    Column("renewed_at", BigInteger),
    #: Renewals in a row that were not taken, and that were refused as requests.
    Column("renewal_failures", Integer, nullable=False, server_default="0"),
    Column("renewal_refusals", Integer, nullable=False, server_default="0"),
    #: When the upstream refused the access token, for which a renewal waits.
    Column("refused_at", BigInteger),
    #: JSON: tokens that were kept aside, the newest first.
    Column("spare_sealed", LargeBinary),
)

#: The claims on refresh tokens: a token that stands here is sent by no other process, nor again.
renewal = Table(
    "renewal",
    metadata,
    #: HMAC of the refresh token, so the same token under two names is one row.
    Column("refresh_fp", String(32), primary_key=True),
    #: No reference: a token that was used stays known when its account is gone.
    Column("account_id", Integer, nullable=False),
    Column("claim_id", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    #: NULL while it is under way, or where its process died.
    Column("outcome", String(16)),
    Column("ended_at", BigInteger),
    Column("code", String(64)),
    Index("ix_renewal_claim_id", "claim_id", unique=True),
)

limit_window = Table(
    "limit_window",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Integer, ForeignKey("account.id"), nullable=False),
    Column("key", String(120), nullable=False),
    Column("upstream_name", String(200)),
    Column("length_s", Integer),
    Column("used_percent", Float),
    Column("resets_at", BigInteger),
    Column("taken_at", BigInteger),
    Column("spend_limit", String(64)),
    Column("spend_used", String(64)),
    Column("spend_unit", String(64)),
    #: When a fresh answer no longer had this window; NULL while it has.
    Column("gone_at", BigInteger),
    #: When its used percent last rose: an account whose windows rise is in use.
    Column("rose_at", BigInteger),
    Index("uq_limit_window_account_id_key", "account_id", "key", unique=True),
)

reading = Table(
    "reading",
    metadata,
    Column("window_id", Integer, primary_key=True, autoincrement=False),
    Column("taken_at", BigInteger, primary_key=True, autoincrement=False),
    #: NULL marks the moment at which the window was gone from the answer.
    Column("used_percent", Float),
    Column("resets_at", BigInteger),
    Column("flags", SmallInteger, nullable=False, default=0),
    sqlite_with_rowid=False,
)

rollup = Table(
    "rollup",
    metadata,
    Column("span", Integer, primary_key=True, autoincrement=False),
    Column("window_id", Integer, primary_key=True, autoincrement=False),
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    Column("first_used", Float),
    Column("min_used", Float),
    Column("max_used", Float),
    Column("last_used", Float),
    Column("last_at", BigInteger, nullable=False),
    Column("last_resets_at", BigInteger),
    #: By how many percent points the window was used up within the slot.
    Column("rise", Float, nullable=False, default=0),
    Column("count", Integer, nullable=False),
    sqlite_with_rowid=False,
)

account_fact = Table(
    "account_fact",
    metadata,
    Column("account_id", Integer, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    Column("since", BigInteger, primary_key=True, autoincrement=False),
    Column("plan", String(200)),
    Column("allowed", Boolean),
    Column("limit_reached", Boolean),
    Column("reached_type", String(200)),
    Column("spend_reached", Boolean, nullable=False, default=False),
    #: JSON: {"has_credits", "unlimited", "balance", "overage_limit_reached"}.
    Column("credits", Text),
    Column("reset_credits", Integer),
    #: JSON: a list of {"model", "available", "available_at", "credits_would_enable"}.
    Column("model_usage", Text),
    sqlite_with_rowid=False,
)

attempt = Table(
    "attempt",
    metadata,
    Column("account_id", Integer, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    Column("first_at", BigInteger, primary_key=True, autoincrement=False),
    Column("last_at", BigInteger, nullable=False),
    Column("status", String(24), nullable=False),
    Column("http_status", Integer),
    Column("fault_code", String(40)),
    Column("fault_data", Text),
    Column("count", Integer, nullable=False),
    Column("ms_sum", BigInteger, nullable=False),
    Column("ms_max", Integer, nullable=False),
    sqlite_with_rowid=False,
)

forecast = Table(
    "forecast",
    metadata,
    #: 0 for what is said now; else the beginning (UTC) of the day whose first forecast is kept.
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("window_id", Integer, primary_key=True, autoincrement=False),
    Column("made_at", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    #: The reading that it was made from.
    Column("taken_at", BigInteger, nullable=False),
    Column("used_percent", Float, nullable=False),
    Column("resets_at", BigInteger),
    #: Before the reset; NULL where the state says why there is none.
    Column("run_out_probability", Float),
    #: JSON: what `store.forecasts.StoredForecast` holds beside.
    Column("data", Text, nullable=False),
    sqlite_with_rowid=False,
)

account_choice = Table(
    "account_choice",
    metadata,
    #: Always 1: there is one choice.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    #: JSON: a list of [account id, reasons], the account to use first.
    Column("ranked", Text, nullable=False),
    #: JSON: `store.forecasts.StoredPool`; NULL where there are fewer than two accounts.
    Column("pool", Text),
)

event = Table(
    "event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("kind", String(40), nullable=False),
    Column("actor", String(120), nullable=False),
    Column("account_id", Integer, index=True),
    Column("window_id", Integer),
    Column("data", Text),
    #: `kind:account:window:at` of what was judged from readings; a text of their own for alerts.
    Column("dedupe", String(120), unique=True),
    #: When the readings showed it, and when they showed that it had not been so.
    Column("told_at", BigInteger),
    Column("withdrawn_at", BigInteger),
    #: The version of the rules that judged it; NULL for what was not judged from readings.
    Column("rule", Integer),
)

cycle = Table(
    "cycle",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("window_id", Integer, ForeignKey("limit_window.id"), nullable=False),
    #: Counts the cycles of a window from 1 on.
    Column("number", Integer, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    #: `scheduled`, `early`, `banked`, `provider` or `plan`.
    Column("how", String(10), nullable=False),
    Column("used_at_reset", Float, nullable=False),
    Column("peak", Float, nullable=False),
    Column("ran_out_at", BigInteger),
    #: Seconds with nothing left.
    Column("zero_s", BigInteger, nullable=False),
    Column("readings", Integer, nullable=False),
    #: Seconds between the readings around its end, and whether more may have been used in them.
    Column("gap_s", BigInteger, nullable=False),
    Column("is_lower_bound", Boolean, nullable=False),
    Column("rule", Integer, nullable=False),
    UniqueConstraint("window_id", "ended_at"),
)

#: What the judge of each window keeps between its readings, as JSON.
window_state = Table(
    "window_state",
    metadata,
    Column(
        "window_id", Integer, ForeignKey("limit_window.id"), primary_key=True, autoincrement=False
    ),
    #: The last reading that it has seen.
    Column("at", BigInteger, nullable=False),
    Column("rule", Integer, nullable=False),
    Column("state", Text, nullable=False),
)

#: What the judge of each account keeps of its plans and banked resets, as JSON.
account_state = Table(
    "account_state",
    metadata,
    Column("account_id", Integer, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    Column("facts", Text, nullable=False),
)

api_token = Table(
    "api_token",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), nullable=False, unique=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("can_write", Boolean, nullable=False, default=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
)

share_link = Table(
    "share_link",
    metadata,
    Column("id", Integer, primary_key=True),
    #: Of the secret in its address.
    Column("hash", String(64), nullable=False, unique=True),
    #: What it shows, such as `calendar`.
    Column("kind", String(10), nullable=False),
    #: NULL: all accounts.
    Column("account_id", Integer, ForeignKey("account.id")),
    #: Whether names that hold an address, id or token are shown.
    Column("with_names", Boolean, nullable=False, default=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    #: To the hour; NULL: never.
    Column("last_used_at", BigInteger),
)

login_failure = Table(
    "login_failure",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("address", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("ix_login_failure_address_at", "address", "at"),
    Index("ix_login_failure_at", "at"),
)

setting = Table(
    "setting",
    metadata,
    Column("key", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)

site_state = Table(
    "site_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    #: Grows with every change that a page could show; caches and ETags hang on it.
    Column("data_version", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    Column("session_epoch", Integer, nullable=False),
    #: Drawn anew on restore, so that a version number from before means nothing.
    Column("nonce", String(32), nullable=False),
    Column("address_blocked_until", BigInteger),
    #: No renewal of a sign-in begins before, in any process.
    Column("renewal_after", BigInteger),
)

#: Every snapshot in plain words, for people with SQL of their own.
SNAPSHOT_VIEW = """
CREATE VIEW snapshot AS
SELECT a.name AS account, r.taken_at AS taken_at, w.key AS window_key,
       r.used_percent AS used_percent,
       CASE WHEN r.used_percent >= 100 THEN 0 WHEN r.used_percent <= 0 THEN 100
            ELSE 100 - r.used_percent END AS remaining_percent,
       r.resets_at AS resets_at
FROM reading r JOIN limit_window w ON w.id = r.window_id JOIN account a ON a.id = w.account_id
WHERE r.used_percent IS NOT NULL AND a.deleted_at IS NULL
"""
