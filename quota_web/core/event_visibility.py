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
)
#: Read by every reader. What is not here is read in a browser session alone.
OPEN = frozenset((*QUOTA, *ACCOUNTS))
#: How a window's cycle ended, by the kind that says so.
RESETS = ("reset_scheduled", "reset_early", "reset_banked", "reset_provider")
