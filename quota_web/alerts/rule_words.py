"""The types of alerts as a person chooses them: sentences that begin with "Tell me when …"."""

from collections.abc import Mapping

from quota_web.alerts.kinds import Alert
from quota_web.core.language import mark

#: In groups, in the order in which they are shown.
GROUPS: tuple[tuple[str, tuple[Alert, ...]], ...] = (
    (
        mark("Quota"),
        (
            Alert.QUOTA_LOW,
            Alert.QUOTA_EXHAUSTED,
            Alert.QUOTA_BACK,
            Alert.QUOTA_RUNOUT,
            Alert.QUOTA_RESET_EARLY,
            Alert.QUOTA_UNUSED,
            Alert.CREDIT_GRANTED,
            Alert.CREDIT_EXPIRING,
        ),
    ),
    (
        mark("Sign-in"),
        (
            Alert.SIGN_IN_SOON,
            Alert.SIGN_IN_NEEDED,
            Alert.DEACTIVATED,
            Alert.STALE,
            Alert.RECOVERED,
            Alert.PLAN_CHANGED,
        ),
    ),
    (
        mark("Everything at once"),
        (Alert.ALL_FAILING, Alert.SITE_RECOVERED, Alert.CHANNEL_FAILING),
    ),
)
SENTENCES: Mapping[Alert, str] = {
    Alert.QUOTA_LOW: mark("little is left of a window"),
    Alert.QUOTA_EXHAUSTED: mark("an account is used up"),
    Alert.QUOTA_BACK: mark("it can be used again"),
    Alert.QUOTA_RUNOUT: mark("a window will probably run out before its reset"),
    Alert.QUOTA_RESET_EARLY: mark("a window resets early"),
    Alert.QUOTA_UNUSED: mark("much of a week is about to be lost"),
    Alert.CREDIT_GRANTED: mark("a banked reset is granted"),
    Alert.CREDIT_EXPIRING: mark("a banked reset ends soon"),
    Alert.SIGN_IN_SOON: mark("a sign-in ends soon"),
    Alert.SIGN_IN_NEEDED: mark("an account needs a sign-in"),
    Alert.DEACTIVATED: mark("ChatGPT deactivates an account"),
    Alert.STALE: mark("an account brings no reading"),
    Alert.RECOVERED: mark("it is fine again"),
    Alert.PLAN_CHANGED: mark("an account’s plan changes"),
    Alert.ALL_FAILING: mark("no account is answered"),
    Alert.SITE_RECOVERED: mark("ChatGPT answers again"),
    Alert.CHANNEL_FAILING: mark("another channel takes no messages"),
}
