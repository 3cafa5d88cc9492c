"""From the columns of a table, as numbers, to what networks take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from .features import FIRST_LEVEL, MISSING

DAY, HOUR = 86400, 3600
# The calendar repeats itself after 400 years, here from the 1st of March 0 on, so that a leap day
# is a year's last; 1970 begins so many days later, on a Thursday.
DAYS_BEFORE_1970, DAYS_IN_400_YEARS = 719468, 146097
THURSDAY = 3


class ArrangeTable(nn.Module):
    """Numbers, centered, scaled and within plus or minus `limit`, and the codes of categories.

    What is computed of the columns is the column itself ("" or "time"), or of seconds since 1970
    the "day of year" (1 to 366), the "weekday" (0 is Monday) or the "hour".

    Shapes
    ------
    (n, n_columns), NaN where missing -> (n, n_parts + n_categories)
    """

    centers: Tensor
    scales: Tensor

    def __init__(
        self,
        dtype: torch.dtype,
        parts: Sequence[tuple[int, str]],  # columns, and what is computed of them
        centers: Sequence[float],
        scales: Sequence[float],  # NaN makes all numbers missing
        categories: Sequence[tuple[int, np.ndarray | None]],  # with ascending levels; None: codes
        limit: float,
    ) -> None:
        super().__init__()
        self.dtype = dtype
        self.limit = limit
        places = [[j for j, (_, part) in enumerate(parts) if part in names] for names in GROUPS]
        self.columns = [[parts[j][0] for j in group] for group in places]  # of each group
        self.order = np.argsort([j for group in places for j in group]).tolist()
        self.register_buffer("centers", torch.tensor(centers, dtype=torch.float64))
        self.register_buffer("scales", torch.tensor(scales, dtype=torch.float64))
        self.categories = [column for column, _ in categories]
        self.looked_up = [levels is not None for _, levels in categories]
        for j, (_, levels) in enumerate(categories):
            if levels is not None:
                self.register_buffer(f"levels_{j}", _padded(levels))

    def forward(self, X: Tensor) -> Tensor:
        """Arrange, look up and cast."""
        X = X.double()
        arranged = [self._numbers(X)] if self.order else []
        for j, column in enumerate(self.categories):
            codes = X[:, column]
            if self.looked_up[j]:
                codes = _codes(codes, getattr(self, f"levels_{j}"))
            arranged.append(torch.where(X[:, column].isnan(), MISSING, codes).unsqueeze(1))
        return torch.cat(arranged, 1).to(self.dtype)

    def _numbers(self, X: Tensor) -> Tensor:
        groups = zip(GROUPS.values(), self.columns, strict=True)
        values = torch.cat([of(X[:, columns]) for of, columns in groups if columns], 1)
        if any(self.columns[1:]):
            values = values[:, self.order]
        scaled = (values - self.centers) * self.scales
        # runtimes differ in what they clip NaN to
        return torch.where(scaled.isnan(), scaled, scaled.clamp(-self.limit, self.limit))


def _padded(levels: np.ndarray) -> Tensor:
    """Return ascending levels, and infinity until they are a power of two less one."""
    padded = np.full(2 ** max(len(levels).bit_length(), 1) - 1, np.inf)
    padded[: len(levels)] = levels
    return torch.from_numpy(padded)


def _codes(values: Tensor, levels: Tensor) -> Tensor:
    """Return the codes (n,) of values among padded levels, by binary search; 0 for others."""
    count = torch.zeros_like(values, dtype=torch.int64)  # of levels up to the value
    step = (len(levels) + 1) // 2
    while step:
        middle = levels.index_select(0, count + (step - 1))
        count = torch.where(middle <= values, count + step, count)
        step //= 2
    last = count - 1
    is_level = levels.index_select(0, last.clamp(min=0)) == values
    return torch.where(is_level, last + FIRST_LEVEL, 0).double()


def _day_of_year(seconds: Tensor) -> Tensor:
    """Return 1 to 366 (after H. Hinnant, "chrono-compatible low-level date algorithms")."""
    days = torch.floor(seconds / DAY) + DAYS_BEFORE_1970
    days = days - DAYS_IN_400_YEARS * torch.floor(days / DAYS_IN_400_YEARS)
    year = torch.floor(
        (
            days
            - torch.floor(days / 1460)
            + torch.floor(days / 36524)
            - torch.floor(days / (DAYS_IN_400_YEARS - 1))
        )
        / 365
    )
    leap_days = torch.floor(year / 4) - torch.floor(year / 100)
    since_march = days - (365 * year + leap_days)
    # of the year whose March it is: the 400th is the first of the next 400
    is_leap = (_divides(4, year) & ~_divides(100, year)) | _divides(400, year)
    january_to_february = 31 + 28 + is_leap.double()
    return torch.where(
        since_march < 306, since_march + january_to_february + 1, since_march - 306 + 1
    )


def _divides(divisor: int, numbers: Tensor) -> Tensor:
    return torch.floor(numbers / divisor) * divisor == numbers


def _weekday(seconds: Tensor) -> Tensor:
    """Return 0 for Monday to 6."""
    days = torch.floor(seconds / DAY) + THURSDAY
    return days - 7 * torch.floor(days / 7)


def _hour(seconds: Tensor) -> Tensor:
    """Return the hour, with minutes and seconds as its fraction."""
    return (seconds - DAY * torch.floor(seconds / DAY)) / HOUR


# What parts are computed by, together with others of the group.
GROUPS = {
    ("", "time"): lambda values: values,
    ("day of year",): _day_of_year,
    ("weekday",): _weekday,
    ("hour",): _hour,
}
