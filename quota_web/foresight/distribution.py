"""Values with weights, and their quantiles."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from operator import itemgetter
from typing import Self


@dataclass(frozen=True, slots=True)
class Distribution:
    """Weighted values in ascending order."""

    values: tuple[float, ...] = ()
    #: The weight of each value and all before it, as a share of the whole.
    shares: tuple[float, ...] = ()

    @classmethod
    def of(cls, weighted: Iterable[tuple[float, float]]) -> Self:
        """From pairs of value and weight, in any order."""
        pairs = sorted(weighted, key=itemgetter(0))
        running = list(accumulate([weight for _, weight in pairs]))
        whole = running[-1] if running else 1.0
        return cls(tuple([value for value, _ in pairs]), tuple([r / whole for r in running]))

    def quantile(self, q: float) -> float | None:
        """The least value with a share of at least *q* (0 to 1) up to it; None without values."""
        if not self.values:
            return None
        return self.values[min(bisect_left(self.shares, q), len(self.values) - 1)]
