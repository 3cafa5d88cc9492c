"""From parameters to trained weights; the only place where skorch appears."""

# isort: off
from . import _skorch  # noqa: F401 - before others import skorch
# isort: on

from skorch.history import History

from ._callbacks import (
    EpochBar,
    MoveBar,
    PrintEpochs,
    ScikitLearnCallbacks,
    check_callbacks,
    freeze_parameters,
)
from ._engine import train_all
from ._inference import predict_outputs, rows_at_once, write_labels
from ._language import sample_tokens, token_log_likelihood
from ._lbfgs import train_lbfgs
from ._net import DivergenceError, Net
from ._randomness import isolated_torch_rng, own_generators
from ._scores import accuracy, decide_labels, decide_multiclass, r2
from ._stack import Training, stack_key, train_stack
from ._state import TrainingState
from ._steps import check_outputs, forward, make_step
from ._threads import PATIENCE, Interrupted, in_threads, raise_if
from ._work import FORWARD_FLOPS, TRAINING_FLOPS, Work
from .checkpoints import (
    CHECKPOINT_FILE,
    Checkpoint,
    callback_parameters,
    prepare_folder,
    stateful,
)
from .solvers import (
    HORIZON_SCHEDULES,
    SOLVERS,
    LearningRate,
    Plateau,
    inverse_scaling,
    make_optimizer,
)

__all__ = [
    "CHECKPOINT_FILE",
    "FORWARD_FLOPS",
    "HORIZON_SCHEDULES",
    "PATIENCE",
    "SOLVERS",
    "TRAINING_FLOPS",
    "Checkpoint",
    "DivergenceError",
    "EpochBar",
    "History",
    "Interrupted",
    "LearningRate",
    "MoveBar",
    "Net",
    "Plateau",
    "PrintEpochs",
    "ScikitLearnCallbacks",
    "Training",
    "TrainingState",
    "Work",
    "accuracy",
    "callback_parameters",
    "check_callbacks",
    "check_outputs",
    "decide_labels",
    "decide_multiclass",
    "forward",
    "freeze_parameters",
    "in_threads",
    "inverse_scaling",
    "isolated_torch_rng",
    "make_optimizer",
    "make_step",
    "own_generators",
    "predict_outputs",
    "prepare_folder",
    "r2",
    "raise_if",
    "rows_at_once",
    "sample_tokens",
    "stack_key",
    "stateful",
    "token_log_likelihood",
    "train_all",
    "train_lbfgs",
    "train_stack",
    "write_labels",
]
