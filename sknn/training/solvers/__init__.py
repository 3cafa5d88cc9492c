"""Optimizers, schedules and stopping."""

from ._fused import FusedOptimizer, Group, JointOptimizer
from ._optimizer_state import (
    keys_of,
    optimizer_state,
    parameter_keys,
    parted_state,
    restore_optimizer_state,
)
from ._optimizers import SOLVERS, make_optimizer, takes_all_rows
from ._paired import PairedOptimizer
from ._schedules import HORIZON_SCHEDULES, LearningRate, Plateau, inverse_scaling
