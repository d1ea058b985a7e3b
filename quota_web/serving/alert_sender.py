"""The thread that sends alerts: in a service only, and never the schedule's own, since a receiver
may take its time.
"""

import logging
import threading
from typing import TYPE_CHECKING

from flask import Flask

from quota_web import store
from quota_web.core import clock
from quota_web.core.errors import QuotaError
from quota_web.services import Services

if TYPE_CHECKING:
    from quota_web.alerts.delivery_pass import DeliveryPass
    from quota_web.alerts.delivery_plan import Saying
    from quota_web.alerts.senders import Senders

logger = logging.getLogger(__name__)

EXTENSION = "quota_alert_sender"
#: How often it looks for what is due, and does its chores.
LOOK_S, CHORES_S = 5.0, 60.0
#: The pause after something went wrong.
PAUSE_S = 15.0
#: How long a stop waits for messages under way, and after that for what came of them to be written
#: down.
STOP_S, CUT_S = 2.0, 1.0


def start(app: Flask) -> None:
    """Start sending in this process."""
    app.extensions[EXTENSION] = AlertSender(app)
    app.extensions[EXTENSION].start()


def stop(app: Flask) -> None:
    """Send nothing more; what was answered is written down."""
    sender: AlertSender | None = app.extensions.pop(EXTENSION, None)
    if sender is not None:
        sender.stop()


def look(now: int) -> None:
    """Read what a round begins with, and do nothing about it. Raises BadDatabase."""
    with store.database.reading() as conn:
        store.delivery_claims.is_any_due(conn, now)
        store.channels.list_all(conn)


class AlertSender:
    """The sending of one process."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._services: Services = app.extensions["quota_services"]
        self._stop = self._services.stop
        self._senders: Senders | None = None
        self._chores_at = clock.monotonic() + LOOK_S
        self._said: str | None = None
        self._thread = threading.Thread(target=self._run, name="quota-alerts", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let messages under way end, and cut those that take too long."""
        self._stop.set()
        self._thread.join(STOP_S)
        if self._thread.is_alive() and self._senders is not None:
            self._senders.close()
            self._thread.join(CUT_S)

    def _run(self) -> None:
        # Loaded beside the start of the service, which does not wait for it.
        from quota_web.alerts.delivery_pass import DeliveryPass
        from quota_web.alerts.delivery_plan import Saying
        from quota_web.alerts.senders import Senders

        settings = self._services.settings
        saying = Saying(settings.timezone, settings.public_url, settings.language)
        self._senders = Senders(settings)
        made = DeliveryPass(self._senders, self._services.cipher, saying, self._stop)
        with self._app.app_context():
            while not self._stop.is_set():
                self._stop.wait(self._round(made, saying))

    def _round(self, made: "DeliveryPass", saying: "Saying") -> float:
        """Send what is due; returns how long to wait."""
        from quota_web.alerts import channel_chores

        try:
            if clock.monotonic() >= self._chores_at:
                self._chores_at = clock.monotonic() + CHORES_S
                channel_chores.run(clock.now(), saying, self._services.settings.refresh_interval)
            found = made.run()
        except QuotaError as error:
            self._say(str(error))
            return PAUSE_S
        except Exception as error:
            self._say(f"sending alerts failed: {type(error).__name__}")
            logger.debug("sending alerts failed", exc_info=True)
            return PAUSE_S
        self._said = None
        return 0.0 if found else LOOK_S

    def _say(self, text: str) -> None:
        """Once, until it goes well again."""
        if text != self._said:
            logger.error("alerts: %s", text)
        self._said = text
