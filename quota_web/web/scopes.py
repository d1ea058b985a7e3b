"""Which endpoint needs which scope, and who has which: the one table of both."""

from dataclasses import dataclass

from flask import Flask

#: What an endpoint needs. `public`: nothing; `read`, `refresh`, `write`: what API tokens can be
#: allowed, too; `session`: a person, because credentials or the sign-in itself are shown or
#: changed.
PUBLIC, READ, REFRESH, WRITE, SESSION = "public", "read", "refresh", "write", "session"

#: Every endpoint's scope. One that is missing here is an error at start, and closed.
SCOPES: dict[str, str] = {
    "static": PUBLIC,
    "health.healthz": PUBLIC,
    "health.readyz": PUBLIC,
    "metrics.index": READ,
    "sign_in.login": PUBLIC,
    "sign_in.logout": SESSION,
    "dashboard.index": READ,
    "dashboard.refresh": REFRESH,
    "accounts.show": READ,
    "accounts.chart_svg": READ,
    "reading_comparison.show": READ,
    "history.index": READ,
    "history.hours_csv": READ,
    "history.compare_svg": READ,
    "history.lane_svg": READ,
    "history.lanes_json": READ,
    "api.results": READ,
    "api.history": READ,
    "api.forecast": READ,
    "api.next": READ,
    "openapi.description": READ,
    "event_log.events": READ,
    "event_log.events_csv": READ,
    "event_log.cycles": READ,
    "event_log.cycles_csv": READ,
    "event_log.history_csv": READ,
    "event_log.events_page": READ,
    "event_log.resets_page": READ,
    "calendar.resets": READ,
    "calendar.shared": PUBLIC,
    "embeds.badge": PUBLIC,
    "embeds.board": PUBLIC,
    "embeds.chart": PUBLIC,
    "auth.index": SESSION,
    "auth.new": SESSION,
    "auth.edit": SESSION,
    "auth.preview": SESSION,
    "auth.save": WRITE,
    "auth.delete_confirm": SESSION,
    "auth.delete": WRITE,
    "auth.pause": WRITE,
    "auth.resume": WRITE,
    "renewal.press": SESSION,
    "renewal.switch": SESSION,
    "extras.press": SESSION,
    "chatgpt.new": SESSION,
    "chatgpt.begin": SESSION,
    "chatgpt.show": SESSION,
    "chatgpt.state": SESSION,
    "chatgpt.callback": SESSION,
    "chatgpt.cancel": SESSION,
    "chatgpt.add": SESSION,
    "settings.index": SESSION,
    "settings.password": SESSION,
    "settings.token_create": SESSION,
    "settings.token_revoke": SESSION,
    "settings.language": SESSION,
    "settings.share_create": SESSION,
    "settings.share_revoke": SESSION,
    "alerts.index": SESSION,
    "alerts.save": SESSION,
    "alerts.delete": SESSION,
    "alerts.test": SESSION,
    "alerts.rotate": SESSION,
}
#: These answer without a look at the principal, and without the database.
PLAIN = frozenset({"static", "health.healthz", "health.readyz"})

_EVERYTHING = frozenset({PUBLIC, READ, REFRESH, WRITE, SESSION})
#: Which principal may do what. A visitor is a request without a sign-in while QUOTA_AUTH is off.
MAY = {
    "stranger": frozenset({PUBLIC}),
    "visitor": frozenset({PUBLIC, READ, REFRESH}),
    "token": frozenset({PUBLIC, READ, REFRESH}),
    "writing token": frozenset({PUBLIC, READ, REFRESH, WRITE}),
    "session": _EVERYTHING,
    "proxy": _EVERYTHING,
}


@dataclass(frozen=True, slots=True)
class Principal:
    """The sender of a request: a kind out of MAY, and the name that the audit gets."""

    kind: str
    actor: str
    user: str | None = None

    def may(self, scope: str) -> bool:
        return scope in MAY[self.kind]


STRANGER = Principal("stranger", "stranger")
VISITOR = Principal("visitor", "anybody")


def check(app: Flask) -> None:
    """Refuse to start with an endpoint that says nothing about who may use it."""
    missing = sorted(set(app.view_functions) - set(SCOPES))
    if missing:
        raise RuntimeError(f"no scope declared in scopes.SCOPES for: {', '.join(missing)}")
