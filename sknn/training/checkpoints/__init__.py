"""Checkpoints: training goes on after an interruption as if there had been none."""

from ._checkpoint import CHECKPOINT_FILE, Checkpoint, folder_named, prepare_folder
from ._fit_record import describe_fit
