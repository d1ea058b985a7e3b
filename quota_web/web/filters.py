"""The filters and globals of the templates.

Times stand in the viewer's zone where it is known, else in the server's with its name; the page's
script then puts them into the viewer's.
"""

import re
from collections.abc import Callable
from datetime import tzinfo

from flask import Flask
from markupsafe import Markup, escape

from quota_web.core import checkout, clock, labels
from quota_web.core.language import gettext as _
from quota_web.core.times import iso_text
from quota_web.version import __version__
from quota_web.web import account_state, formats, svg, zone

ISO_TIME = re.compile(r"\b(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")


def init_app(app: Flask, fixed: tzinfo | None = None) -> None:
    """Give the templates their filters; *fixed* is the one zone of all times, where set."""
    times = TimeElements((lambda: fixed) if fixed else zone.shown)
    app.jinja_env.filters.update(
        percent=formats.percent,
        level=formats.level,
        amount=formats.amount,
        plan=formats.plan_label,
        ms=formats.milliseconds,
        number=formats.number,
        iso=formats.iso,
        epoch=formats.epoch,
        whole_day=formats.whole_day,
        span=formats.span,
        state=account_state.state,
        status_word=labels.status,
        is_failing=account_state.is_failing,
        is_low=account_state.is_low,
        is_unlimited=account_state.is_unlimited,
        own_windows=account_state.own_windows,
        other_windows=account_state.other_windows,
        clock=times.clock,
        short_time=times.short,
        time_on=times.on,
        short_day=times.day,
        countdown=times.countdown,
        ago=times.ago,
        with_times=times.within,
    )
    app.jinja_env.globals.update(
        labels=labels,
        hourly_bars=svg.hourly_bars,
        bar=svg.bar,
        chart_height=svg.height,
        command=checkout.COMMAND,
        version=__version__,
    )
    app.context_processor(lambda: {"now": clock.now()})


class TimeElements:
    """Filters that write `<time>` elements; page.js rewrites their text in the viewer's zone and
    keeps it current.
    """

    def __init__(self, zone: Callable[[], tzinfo | None]) -> None:
        self._zone = zone

    def clock(self, at: str | int | None, now: int) -> str | Markup:
        return (
            formats.NO_VALUE
            if at is None
            else _time(at, "clock", _clock_time(at, now, self._zone()))
        )

    def short(self, at: str | int | None, now: int) -> str | Markup:
        """The same in a narrow column, without the name of the zone."""
        return (
            formats.NO_VALUE
            if at is None
            else _time(at, "short", formats.short_time(at, now, self._zone()))
        )

    def on(self, at: str | int, now: int, day: str) -> str | Markup:
        """The time of day under the heading of *day*, `2026-11-24`; the whole moment where it is of
        another, or the page's script may still put it into another zone.
        """
        local = formats.in_zone(formats.epoch(at), self._zone())
        if zone.viewer_zone() is None or f"{local:%Y-%m-%d}" != day:
            return self.clock(at, now)
        return Markup('<time datetime="{}">{}</time>').format(formats.iso(at), f"{local:%H:%M}")

    def day(self, at: str | int, now: int) -> str:
        """The day of a moment in short, such as `Thu`."""
        return formats.short_day(at, now, self._zone())

    def countdown(self, at: str | int | None, now: int) -> str | Markup:
        # From the minute's beginning: rows are cached for a minute, and all must read alike.
        return (
            formats.NO_VALUE
            if at is None
            else _time(at, "countdown", formats.countdown(at, now - now % 60))
        )

    def ago(self, at: str | int | None, now: int) -> str | Markup:
        return _("never") if at is None else _time(at, "ago", formats.ago(at, now))

    def within(self, text: str | None, now: int) -> Markup:
        """A message whose ISO times become times for the reader."""
        parts = ISO_TIME.split(text or "")
        return Markup("").join(
            _time(p, "clock", _clock_time(p, now, self._zone())) if i % 2 else escape(p)
            for i, p in enumerate(parts)
        )


def _clock_time(at: str | int, now: int, zone_shown: tzinfo | None) -> str:
    return formats.clock_time(at, now, zone_shown, named=zone.viewer_zone() is None)


def _time(at: str | int, kind: str, words: str) -> Markup:
    # All three are made here of numbers and fixed words; going through escape would double the cost
    # of a page with many times.
    return Markup(f'<time datetime="{iso_text(formats.epoch(at))}" data-t="{kind}">{words}</time>')  # noqa: S704
