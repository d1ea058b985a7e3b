"""Which kinds of events every reader may see; all others are the audit, for signed-in people."""

#: What readings and answers showed.
QUOTA = (
    "reset_scheduled",
    "reset_early",
    "reset_banked",
    "reset_provider",
    "corrected",
    "boundary_moved",
    "flapping",
    "window_gone",
    "window_back",
    "used_up",
    "back",
    "plan_changed",
    "credit_granted",
    "credit_used",
    "credit_expired",
    "withdrawn",
    "failing_since",
    "fine_again",
    "sign_in_ended",
)
#: What people did to accounts.
ACCOUNTS = (
    "account_added",
    "account_edited",
    "account_paused",
    "account_resumed",
    "account_deleted",
    "account_replaced",
    "account_archived",
    "credential.signed_in",
    "credential.renewed",
    "credential.renewal_failed",
    "credential.spare_used",
)
#: Alerts that are events of their own: `alerts/kinds.py` says what each is.
ALERTS = (
    "quota.low",
    "quota.exhausted",
    "quota.back",
    "quota.runout",
    "quota.unused",
    "account.sign_in_soon",
    "account.stale",
    "account.recovered",
    "credit.expiring",
    "site.all_failing",
    "site.recovered",
    "site.channel_failing",
    "site.test",
)
#: Alerts that are open from when they are told until something ends them.
OPEN_ALERTS = (
    "quota.low",
    "quota.exhausted",
    "quota.runout",
    "account.sign_in_soon",
    "account.sign_in_needed",
    "account.stale",
    "site.all_failing",
    "site.channel_failing",
)
#: What was done to this dashboard itself.
AUDIT = (
    "signed_in",
    "sign_in_failed",
    "signed_out",
    "setup_link_made",
    "setup_code_refused",
    "password_set",
    "password_changed",
    "password_change_refused",
    "token_created",
    "token_revoked",
    "share_link_created",
    "share_link_revoked",
    "channel_added",
    "channel_edited",
    "channel_deleted",
    "channel_secret_rotated",
    "account_exported",
    "key_rotated",
    "history_rebuilt",
    "history_pruned",
    "database_restored",
)
#: Read by every reader. What is not here is read in a browser session alone.
OPEN = frozenset((*QUOTA, *ACCOUNTS, *ALERTS))
ALL = OPEN | frozenset(AUDIT)
#: How a window's cycle ended, by the kind that says so.
RESETS = ("reset_scheduled", "reset_early", "reset_banked", "reset_provider")
