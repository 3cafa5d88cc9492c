"""From parameters to trained weights."""

from ._adversarial import AdversarialSettings, adversarial_step, make_samples
from ._engine import stacks_networks, train_all
from ._inference import held_out_outputs, join_outputs, predict_outputs, rows_at_once, write_labels
from ._language import sample_tokens, token_log_likelihood
from ._listeners import (
    BAR,
    EpochBar,
    Listener,
    MoveBar,
    PrintEpochs,
    ScikitLearnCallbacks,
    TimeLimit,
)
from ._loop import warn_if_not_converged
from ._randomness import isolated_torch_rng
from ._scores import accuracy, decide_labels, decide_multiclass, explained, r2
from ._settings import FORWARD_FLOPS, TRAINING_FLOPS, Settings, Work
from ._skorch import check_callbacks
from ._stack import stack_key, train_stack
from ._state import TrainingState
from ._steps import check_outputs, forward
from ._threads import PATIENCE, STOP, Interrupted, ended_by, in_threads, raise_if
from ._train import MakeStep, make_training, train
from ._training import DivergenceError, Training
from .checkpoints import CHECKPOINT_FILE, Checkpoint, describe_fit, folder_named, prepare_folder
from .solvers import (
    HORIZON_SCHEDULES,
    SOLVERS,
    Plateau,
    inverse_scaling,
    make_optimizer,
    takes_all_rows,
)
