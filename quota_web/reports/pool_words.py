"""What is said of all accounts together, in words of the current language. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from quota_web.core.language import current_language
from quota_web.core.language import gettext as _
from quota_web.foresight.history import DAY, HOUR
from quota_web.foresight.words import chance_in_words, day_in_words, part_of_day
from quota_web.language import formats
from quota_web.reports import outlook
from quota_web.reports.overview import Overview
from quota_web.store.forecasts import StoredPool

#: So many percents of a Plus week are one.
WEEK_UNITS = 100
#: What is said of a shortfall that is nearer than this names no part of a day.
SOON_S = 3 * HOUR
#: From this chance on it is told.
LEAST_CHANCE_TOLD = 0.1


@dataclass(frozen=True, slots=True)
class PoolWords:
    """Short phrases without a full stop; empty where nothing is said."""

    #: Such as `4.1 of 8 weeks left`.
    left: str
    #: Such as `enough until Sunday`.
    outlook: str
    #: Such as `runs dry within a week: 40 %`.
    chance: str
    #: What is added up, in whole sentences.
    note: str

    @property
    def line(self) -> str:
        return " · ".join(filter(None, (self.left, self.outlook, self.chance)))

    @property
    def sentence(self) -> str:
        """The line with what it is about, as it stands beside other things."""
        return _("pool: %(words)s", words=self.line)


def pool_in_words(seen: Overview, now: int, zone: tzinfo | None) -> PoolWords | None:
    """What is said of the pool, days in *zone*; None where `outlook.pool_of` says nothing."""
    pool = outlook.pool_of(seen)
    if pool is None:
        return None
    code = current_language()
    units = (pool.left_units, pool.full_units)
    left, full = (formats.number(round(u / WEEK_UNITS, 1), code) for u in units)
    return PoolWords(
        _("%(left)s of %(full)s weeks left", left=left, full=full),
        _outlook(pool, now, zone),
        _chance(pool),
        " ".join(_notes(pool, {view.account.id: view.account.name for view in seen.accounts})),
    )


def _outlook(pool: StoredPool, now: int, zone: tzinfo | None) -> str:
    chance, first = pool.shortfall_probability, pool.shortfall_in[0]
    if chance is None:
        return ""
    if first is None:
        return _("enough for a week")
    if chance >= 1:
        return _("none can be used now")
    at = pool.made_at + first
    if at - now < SOON_S:
        return _("may run dry within hours")
    in_words = part_of_day if at - now < DAY else day_in_words
    return _("enough until %(time)s", time=in_words(at, now, zone))


def _chance(pool: StoredPool) -> str:
    chance = pool.shortfall_probability
    if chance is None or not LEAST_CHANCE_TOLD <= chance < 1:
        return ""
    return _("runs dry within a week: %(chance)s", chance=chance_in_words(chance))


def _notes(pool: StoredPool, names: Mapping[int, str]) -> list[str]:
    said = [_("A week is that of a Plus account; larger plans count as several.")]
    if left_out := _listed(pool.left_out, names):
        said.append(_("Left out, since it is not known what is left: %(names)s.", names=left_out))
    if assumed := _listed(pool.assumed, names):
        said.append(_("Counted like Plus, for want of a known size: %(names)s.", names=assumed))
    return said


def _listed(account_ids: Sequence[int], names: Mapping[int, str]) -> str:
    return _(", ").join(names[i] for i in account_ids if i in names)
