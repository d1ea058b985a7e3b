"""Loads what each worker comes to use sooner or later, once for all of them before they are forked:
what a worker loads by itself is in its memory alone, and with it each page that this refers to.

Everywhere else these are loaded when they are used, since most commands never use them.
"""

# ruff: noqa: F401 - to load them is all that is wanted
import apscheduler.executors.pool
import flask_apscheduler

from quota_web.alerts import channel_chores, recording, timed_alerts
from quota_web.extras import reset_credit_pass
from quota_web.foresight import forecast_pass
