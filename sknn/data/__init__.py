"""Rows on their way to a device, with their targets and weights."""

from ._dates import check_numbers, refusing_dates
from ._devices import (
    count_threads,
    prediction_device,
    resolve_device,
    resolve_precision,
    threads_for,
)
from ._fingerprint import fingerprint
from ._images import ImageRows
from ._numbers import (
    array_of,
    as_tensor,
    check_range,
    in_float_type,
    narrowed,
    number_range,
    row_parts,
    torch_type,
)
from ._ragged import Ragged
from ._rows import DenseRows, Inputs, Rows, SparseRows, dense_rows, in_parts, make_rows
from ._samples import Answers, Batch, OwnInputs, Samples, make_answers
from ._scaled import ScaledRows, moments
from ._series import PairedRows, SeriesRows, with_lengths
from ._series_arrays import (
    VALUES_AT_ONCE,
    as_list_of_series,
    check_series_array,
    count_channels,
    count_steps,
    fill_empty,
    join_series,
    known_tokens,
    longest_series,
    repeat_for_steps,
    warn_of_channels_first,
)
