"""Makes the app: settings, then each room's init_app, in the order in which they build on each
other.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Protocol

from flask import Flask
from sqlalchemy import Connection

from quota_web import config, services, store
from quota_web.cli import quota
from quota_web.config import Settings
from quota_web.language import catalogue
from quota_web.refresh import hooks
from quota_web.store.accounts import Account
from quota_web.store.recording import Recorded

if TYPE_CHECKING:
    from quota_web.alerts.timed_alerts import TimedAlerts
    from quota_web.extras.extras_pass import ExtrasPass
    from quota_web.extras.reset_credit_pass import ResetCreditPass
    from quota_web.refresh.housekeeping import Chores


class Page(Protocol):
    """A module of `web`."""

    def init_app(self, app: Flask, /) -> None: ...


def create_app(settings: Settings | None = None, *, pages: bool = True) -> Flask:
    """The app for *settings*, or for what the environment says. Raises BadSetting; opens and
    connects to nothing.

    Without *pages* it answers no request: a command is done before they would be loaded.
    """
    settings = settings or config.load()
    app = Flask(
        "quota_web",
        instance_path=str(settings.instance_dir),
        static_folder="web/static",
        template_folder="web/templates",
    )
    app.config["SETTINGS"] = settings
    store.database.init_app(app)
    services.init_app(app)
    catalogue.init_app()
    hooks.init_app(app)
    _add_hooks(app)
    quota.init_app(app)
    if pages:
        _add_schedule(app)
        _add_pages(app)
    return app


def _add_schedule(app: Flask) -> None:
    """Give the schedule what it calls in rooms that it does not import; it starts when a server
    does.
    """
    from quota_web.refresh import scheduler
    from quota_web.reports import state_file

    present: services.Services = app.extensions["quota_services"]
    scheduler.init_app(app, partial(state_file.write_or_log, present), chores())


def chores() -> "Chores":
    """What the schedule tidies up in other rooms."""
    from quota_web.auth import throttle
    from quota_web.foresight import detection_backfill
    from quota_web.maintenance import prune, scheduled_backups
    from quota_web.refresh.housekeeping import Chores
    from quota_web.sign_ins import renewal_service, signing_in

    return Chores(
        purge_deleted=prune.purge_deleted,
        prune=prune.prune,
        forget_failures=throttle.forget_old,
        judge_all=detection_backfill.ensure,
        settle=detection_backfill.settle,
        sign_ins=signing_in.work,
        forget_sign_ins=signing_in.forget_old,
        back_up=scheduled_backups.chore,
        renew_due=lambda: renewal_service.renew_due(
            renewal_service.make(services.services(), "schedule")
        ),
        forget_renewals=renewal_service.forget_old,
    )


def _add_hooks(app: Flask) -> None:
    """What follows a refresh. Loaded when it comes to that: most commands refresh nothing."""

    def forecast() -> None:
        from quota_web.foresight import forecast_pass

        forecast_pass.after_refresh()

    def judge(conn: Connection, recorded: Sequence[Recorded]) -> None:
        from quota_web.foresight import incremental_detection

        incremental_detection.judge_recorded(conn, recorded)

    def alert(conn: Connection, recorded: Sequence[Recorded]) -> None:
        from quota_web.alerts import recording

        recording.judge_recorded(conn, recorded)

    def refused(account: Account) -> hooks.AfterRefusal:
        from quota_web.sign_ins import renewal_service

        present: services.Services = app.extensions["quota_services"]
        with app.app_context():
            renewals = renewal_service.make(present, "schedule")
            # Only the schedule renews by itself, and a person who says so.
            is_schedule = present.wake is not None
            return renewal_service.after_refusal(renewals, account.id, may_send=is_schedule)

    @cache
    def lists() -> "ResetCreditPass":
        from quota_web.extras.reset_credit_pass import ResetCreditPass

        return ResetCreditPass()

    @cache
    def timed() -> "TimedAlerts":
        from quota_web.alerts.timed_alerts import TimedAlerts

        return TimedAlerts()

    filled: hooks.Hooks = app.extensions[hooks.EXTENSION]
    filled.on_sent.append(_load_for_hooks)
    filled.on_recording += [judge, alert]
    filled.on_refused = refused
    filled.on_recorded.append(lambda recorded: lists().note(recorded))
    # Alerts say what the forecasts and lists of this pass say.
    filled.on_finished += [forecast, lambda: lists().run(), lambda: timed().run()]
    if app.config["SETTINGS"].extras:
        _ask_for_extras(filled)


def _load_for_hooks() -> None:
    """Load what the hooks above need; at the first answer or at the end it would be waited for."""
    from quota_web.alerts import recording, timed_alerts
    from quota_web.extras import reset_credit_pass
    from quota_web.foresight import forecast_pass, incremental_detection

    _ = recording, timed_alerts, reset_credit_pass, forecast_pass, incremental_detection


def _ask_for_extras(filled: hooks.Hooks) -> None:
    """Last of all: nothing else waits for what is asked for beside quota."""

    @cache
    def extras() -> "ExtrasPass":
        from quota_web.extras.extras_pass import ExtrasPass

        return ExtrasPass()

    filled.on_recorded.append(lambda recorded: extras().note(recorded))
    filled.on_finished.append(lambda: extras().run())


def _add_pages(app: Flask) -> None:
    """What a browser sees. The guard comes first: what is added after it cannot get around it."""
    from quota_web.web import (
        api,
        assets,
        cached_page,
        compression,
        errors,
        filters,
        language,
        proxy,
        scopes,
        security,
        versioned_cache,
        zone,
    )

    store.database.init_extension(app)
    # Inside of what takes the prefix of a proxy away.
    app.wsgi_app = api.VersionedPaths(app.wsgi_app)  # type: ignore[method-assign]
    proxy.init_app(app)
    compression.init_app(app)
    language.init_app(app)
    zone.init_app(app)
    security.init_app(app)
    errors.init_app(app)
    versioned_cache.init_app(app)
    cached_page.init_app(app)
    assets.init_app(app)
    filters.init_app(app)
    for page in _pages():
        page.init_app(app)
    scopes.check(app)


def _pages() -> Sequence[Page]:
    """What answers requests."""
    from quota_web.web import (
        account_management,
        accounts,
        alerts,
        api,
        calendar,
        chatgpt_sign_in,
        dashboard,
        demo,
        embeds,
        event_log,
        extras,
        frame,
        health,
        history_pages,
        login,
        metrics,
        openapi,
        reading_comparison,
        renewal,
        settings,
    )

    return (
        *(
            login,
            settings,
            dashboard,
            accounts,
            account_management,
            chatgpt_sign_in,
            renewal,
            extras,
        ),
        *(api, openapi, event_log, reading_comparison, calendar, history_pages),
        *(alerts, demo, embeds, frame, health, metrics),
    )
