"""From parameters to trained weights."""

from ._engine import train_all
from ._inference import predict_outputs, rows_at_once, write_labels
from ._language import sample_tokens, token_log_likelihood
from ._listeners import EpochBar, Listener, MoveBar, PrintEpochs, ScikitLearnCallbacks
from ._loop import warn_if_not_converged
from ._randomness import isolated_torch_rng
from ._scores import accuracy, decide_labels, decide_multiclass, r2
from ._settings import Settings
from ._skorch import History, check_callbacks
from ._stack import stack_key, train_stack
from ._state import TrainingState
from ._steps import check_outputs, forward
from ._threads import PATIENCE, Interrupted, in_threads, raise_if
from ._train import make_training, train
from ._training import DivergenceError, Training
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
    "Listener",
    "MoveBar",
    "Plateau",
    "PrintEpochs",
    "ScikitLearnCallbacks",
    "Settings",
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
    "in_threads",
    "inverse_scaling",
    "isolated_torch_rng",
    "make_optimizer",
    "make_training",
    "predict_outputs",
    "prepare_folder",
    "r2",
    "raise_if",
    "rows_at_once",
    "sample_tokens",
    "stack_key",
    "stateful",
    "token_log_likelihood",
    "train",
    "train_all",
    "train_stack",
    "warn_if_not_converged",
    "write_labels",
]
