"""The thread that sends alerts: in a service only, and never the schedule's own, since a receiver
may take its time.
"""

import logging
import threading

from flask import Flask

from quota_web.alerts import channel_chores
from quota_web.alerts.delivery_pass import DeliveryPass
from quota_web.alerts.delivery_plan import Saying
from quota_web.alerts.senders import Senders
from quota_web.core import clock
from quota_web.core.errors import QuotaError
from quota_web.services import Services

logger = logging.getLogger(__name__)

EXTENSION = "quota_alert_sender"
#: How often it looks for what is due, and does its chores.
LOOK_S, CHORES_S = 3.0, 60.0
#: The pause after something went wrong.
PAUSE_S = 15.0
#: How long a stop waits for what came of messages to be written down.
STOP_S = 2.0


def start(app: Flask) -> None:
    """Start sending in this process."""
    app.extensions[EXTENSION] = AlertSender(app)
    app.extensions[EXTENSION].start()


def stop(app: Flask) -> None:
    """Send nothing more; what was answered is written down."""
    sender: AlertSender | None = app.extensions.pop(EXTENSION, None)
    if sender is not None:
        sender.stop()


class AlertSender:
    """The sending of one process."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        services: Services = app.extensions["quota_services"]
        settings = services.settings
        self._stop = services.stop
        self._senders = Senders(settings)
        self._saying = Saying(settings.timezone, settings.public_url, settings.language)
        self._pass = DeliveryPass(self._senders, services.cipher, self._saying, self._stop)
        self._chores_at = clock.monotonic() + LOOK_S
        self._said: str | None = None
        self._thread = threading.Thread(target=self._run, name="quota-alerts", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._senders.close()
        self._thread.join(STOP_S)

    def _run(self) -> None:
        with self._app.app_context():
            while not self._stop.is_set():
                self._stop.wait(self._round())

    def _round(self) -> float:
        """Send what is due; returns how long to wait."""
        try:
            if clock.monotonic() >= self._chores_at:
                self._chores_at = clock.monotonic() + CHORES_S
                channel_chores.run(clock.now(), self._saying)
            found = self._pass.run()
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
