"""From parameters to trained weights; the only place where skorch appears."""

# isort: off
from . import _skorch  # noqa: F401 - before others import skorch
# isort: on

from skorch.history import History

from ._batches import (
    Batch,
    Inputs,
    Rows,
    Samples,
    make_rows,
    narrowed,
    number_range,
    row_parts,
)
from ._callback_state import callback_parameters, stateful, stored_callback
from ._callbacks import (
    EpochBar,
    MoveBar,
    PrintEpochs,
    ScikitLearnCallbacks,
    check_callbacks,
    freeze_parameters,
)
from ._checkpoint import CHECKPOINT_FILE, Checkpoint, prepare_folder
from ._devices import (
    Work,
    count_threads,
    prediction_device,
    resolve_device,
    resolve_precision,
    threads_for,
)
from ._fingerprint import fingerprint
from ._images import BYTE_MAXIMUM, ImageRows
from ._inference import predict_outputs, rows_at_once, write_labels
from ._language import sample_tokens, token_log_likelihood
from ._lbfgs import train_lbfgs
from ._net import DivergenceError, Net
from ._optimizers import SOLVERS, make_optimizer
from ._ragged import Ragged, step_positions
from ._randomness import isolated_torch_rng, own_generators
from ._schedules import HORIZON_SCHEDULES, LearningRate, inverse_scaling
from ._scores import accuracy, decide_labels, decide_multiclass, r2
from ._series import PairedRows, SeriesRows
from ._stack import Interrupted, Training, stack_key, train_stack
from ._state import TrainingState
from ._steps import check_outputs, forward, make_step
from ._stopping import Plateau

__all__ = [
    "BYTE_MAXIMUM",
    "CHECKPOINT_FILE",
    "HORIZON_SCHEDULES",
    "SOLVERS",
    "Batch",
    "Checkpoint",
    "DivergenceError",
    "EpochBar",
    "History",
    "ImageRows",
    "Inputs",
    "Interrupted",
    "LearningRate",
    "MoveBar",
    "Net",
    "PairedRows",
    "Plateau",
    "PrintEpochs",
    "Ragged",
    "Rows",
    "Samples",
    "ScikitLearnCallbacks",
    "SeriesRows",
    "Training",
    "TrainingState",
    "Work",
    "accuracy",
    "callback_parameters",
    "check_callbacks",
    "check_outputs",
    "count_threads",
    "decide_labels",
    "decide_multiclass",
    "fingerprint",
    "forward",
    "freeze_parameters",
    "inverse_scaling",
    "isolated_torch_rng",
    "make_optimizer",
    "make_rows",
    "make_step",
    "narrowed",
    "number_range",
    "own_generators",
    "predict_outputs",
    "prediction_device",
    "prepare_folder",
    "r2",
    "resolve_device",
    "resolve_precision",
    "row_parts",
    "rows_at_once",
    "sample_tokens",
    "stack_key",
    "stateful",
    "step_positions",
    "stored_callback",
    "threads_for",
    "token_log_likelihood",
    "train_lbfgs",
    "train_stack",
    "write_labels",
]
