"""The training parameters that all estimators share, in the order of scikit-learn's MLP."""

from __future__ import annotations

import os
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, Options, StrOptions
from torch import nn

from sknn._parameters import ExplainedParameters, declares_parameters, parameter
from sknn._validation import BELOW_ONE, NOT_NEGATIVE, POSITIVE, POSITIVE_INTEGER
from sknn.training import HORIZON_SCHEDULES, SOLVERS


@declares_parameters
class TrainingParameters(ExplainedParameters):
    """How a network is trained, whatever the network.

    Parameters
    ----------
    {parameters}
    """

    solver: str | Callable[..., torch.optim.Optimizer] = parameter(
        default="adam",
        constraints=[StrOptions({*SOLVERS, "lbfgs"}), callable],
        doc="""{"adam", "sgd", "lbfgs", "adamw", "nadam", "radam", "adamax", "rmsprop", "adagrad", \
        "adadelta"} or torch.optim.Optimizer class
        How the weights are optimised. "lbfgs" uses SciPy on all samples at once; every other
        solver goes through batches. A class, or a `functools.partial` of one, is called with the
        module's parameters and those of `lr`, `betas`, `eps`, `momentum` and `nesterov` that it
        takes.""",
    )
    alpha: float = parameter(
        default=0.0001,
        constraints=[NOT_NEGATIVE],
        doc="""float
        Strength of the L2 penalty: ``alpha / 2 * ||W||^2``, divided by the batch's weight sum,
        is added to the loss, W being the parameters of two or more dimensions. With
        ``solver="adamw"`` it is the decoupled weight decay, and not divided.""",
    )
    batch_size: int | str = parameter(
        default="auto",
        constraints=[StrOptions({"auto", "all"}), POSITIVE_INTEGER],
        doc="""int, "auto" or "all"
        Rows a batch; "auto" is ``min(200, n_samples)``, and "all" every row. Not used by
        "lbfgs".""",
    )
    learning_rate: str = parameter(
        default="constant",
        constraints=[StrOptions({"constant", "invscaling", "adaptive", *HORIZON_SCHEDULES})],
        doc="""{"constant", "invscaling", "adaptive", "cosine", "one_cycle", "warmup_cosine", \
        "step"}
        Schedule of the learning rate, whose peak is `learning_rate_init`.

        - "constant" stays.
        - "invscaling" is ``learning_rate_init / (t + 1)^power_t`` after t samples, and
          "adaptive" is divided by 5 whenever training would stop for want of improvement, until
          it is 1e-6; both act with ``solver="sgd"`` only.
        - "cosine" falls as half a cosine to 0; "warmup_cosine" rises linearly for the first 5 %
          and then does so; "one_cycle" rises from 1/25 for 30 % and falls to nearly 0; "step"
          is divided by 10 after one third and after two thirds. These four run `max_iter`
          epochs, whatever `tol`, and end without a ConvergenceWarning; `partial_fit`, which does
          not know its end, stays at the peak.""",
    )
    learning_rate_init: float = parameter(
        default=0.001,
        constraints=[POSITIVE],
        doc="""float
        The learning rate, or the peak of its schedule. Not used by "lbfgs".""",
    )
    power_t: float = parameter(
        default=0.5,
        constraints=[NOT_NEGATIVE],
        doc="""float
        Exponent of the schedule "invscaling".""",
    )
    max_iter: int = parameter(
        default=200,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Largest number of epochs (of iterations for "lbfgs").""",
    )
    shuffle: bool = parameter(
        default=True,
        constraints=["boolean"],
        doc="""bool
        Whether to draw a new order of the rows for each epoch.""",
    )
    random_state: int | np.random.RandomState | None = parameter(
        default=None,
        constraints=["random_state"],
        doc="""int, RandomState instance or None
        Decides everything random: initial weights, validation part, order of the rows, dropout.
        An int gives the same weights each time. None draws a seed from NumPy's global generator.
        The global generators of Python and torch are left as they were.""",
    )
    tol: float = parameter(
        default=1e-4,
        constraints=[NOT_NEGATIVE],
        doc="""float
        Training stops when loss or validation score has not improved by `tol` for more than
        `n_iter_no_change` epochs. For "lbfgs", the gradient component at which it stops.""",
    )
    verbose: bool | int | str = parameter(
        default=False,
        constraints=["verbose", StrOptions({"bar"})],
        doc="""bool, int or "bar"
        Whether to print a line an epoch: its number, loss, score and time, and loss and score of
        the validation data. "bar" draws a progress bar on the standard error stream instead.""",
    )
    warm_start: bool = parameter(
        default=False,
        constraints=["boolean"],
        doc="""bool
        Whether `fit` goes on from the last weights instead of new ones. Rows that have been
        trained on never become validation rows.""",
    )
    momentum: float = parameter(
        default=0.9,
        constraints=[Interval(Real, 0, 1, closed="both")],
        doc="""float
        Momentum of "sgd" and of solver classes that take one, between 0 and 1.""",
    )
    nesterovs_momentum: bool = parameter(
        default=True,
        constraints=["boolean"],
        doc="""bool
        Whether the momentum is Nesterov's.""",
    )
    early_stopping: bool = parameter(
        default=False,
        constraints=["boolean"],
        doc="""bool
        Whether to watch the score of validation data instead of the training loss, and to end
        with the weights that had the best one. The data are `X_val` and `y_val` if `fit` gets
        them, else a part of the training data, stratified for single-label classification; where
        a class has one row or there are more classes than rows to hold out, a warning says so
        and the part is drawn at random. Not used by "lbfgs".""",
    )
    validation_fraction: float = parameter(
        default=0.1,
        constraints=[BELOW_ONE],
        doc="""float
        Share of the training data that `early_stopping` sets aside if `fit` gets no `X_val`.
        Equal rows stay on one side with `warm_start`, which makes the share inexact where rows
        have many copies.""",
    )
    beta_1: float = parameter(
        default=0.9,
        constraints=[BELOW_ONE],
        doc="""float
        Decay rate of the first moment in "adam" and its kin, in [0, 1).""",
    )
    beta_2: float = parameter(
        default=0.999,
        constraints=[BELOW_ONE],
        doc="""float
        Decay rate of the second moment in "adam" and its kin, in [0, 1).""",
    )
    epsilon: float = parameter(
        default=1e-8,
        constraints=[POSITIVE],
        doc="""float
        Keeps the division by the second moment finite.""",
    )
    n_iter_no_change: float = parameter(
        default=10,
        constraints=[POSITIVE_INTEGER, Options(Real, {np.inf})],
        doc="""int or numpy.inf
        Epochs without an improvement by `tol` before training stops.""",
    )
    max_fun: int = parameter(
        default=15000,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Largest number of loss evaluations of "lbfgs".""",
    )
    max_grad_norm: float | None = parameter(
        default=None,
        constraints=[POSITIVE, None],
        doc="""float or None
        Gradients of a larger Euclidean norm are scaled down to it. Not used by "lbfgs".""",
    )
    module: Any = parameter(
        default=None,
        constraints=[nn.Module, callable, None],
        doc="""torch.nn.Module, callable or None
        What to train instead of the built-in network: a module, which is deep-copied and keeps
        its own initial weights, or a class or factory, which is called with those of
        `n_features_in` and `n_outputs` that it takes (`functools.partial` binds further
        arguments). It maps a batch to outputs of shape (batch, n_outputs), logits for
        classifiers. The parameters that describe the built-in network are not used.""",
    )
    device: str | torch.device = parameter(
        default="auto",
        constraints=[str, torch.device],
        doc="""str or torch.device
        Where to compute: "auto" (CUDA, then MPS, then CPU) or a torch device such as "cuda:1".
        A fitted estimator that is unpickled where the device is missing predicts on the CPU.""",
    )
    precision: str = parameter(
        default="auto",
        constraints=[StrOptions({"auto", "float32", "float64", "bfloat16"})],
        doc="""{"auto", "float32", "float64", "bfloat16"}
        Type of weights and arithmetic. "auto" is float32, but float64 on a CPU for up to 10,000
        samples of any type but float32 and float16, and for "lbfgs". "bfloat16" computes the
        matrix products in bfloat16 and keeps float32 weights; it is faster where the hardware
        has bfloat16 instructions, and slower where it has not.""",
    )
    callbacks: list[Any] | None = parameter(
        default=None,
        constraints=[list, tuple, None],
        doc="""list of skorch callbacks or None
        Instances, or pairs of name and instance, of :class:`skorch.callbacks.Callback`. The
        history that they see has `train_loss`, `train_score`, `valid_loss`, `valid_score`,
        `learning_rate` and `dur` of each epoch. scikit-learn's callbacks are set with
        `set_callbacks`. skorch's loggers and scikit-learn's ProgressBar need packages of their
        own: `pip install tensorboard`, `pip install rich`.""",
    )

    checkpoint: str | os.PathLike[str] | None = parameter(
        default=None,
        constraints=[str, os.PathLike, None],
        doc="""str, os.PathLike or None
        Folder in which `fit` keeps how far it has come, in the file ``checkpoint.sknn``. It is
        written after each epoch; after several, where they are so short that writing would take
        more than 1 % of the time (and more than a quarter of a second in all). Whatever happens
        meanwhile, the file is a whole one. A fit that was interrupted, even killed, is taken up
        by a `fit` with the same data and parameters, in any process and on any object, and ends
        with the weights, bit for bit, that it would have had without the interruption (on the
        same machine, with the same versions and threads). A fit that is over is found so and
        returns at once; delete the file to train anew. Other data or parameters are refused; only
        `verbose`, `device`, `checkpoint_minutes` and callbacks that do nothing but report may
        change. `sknn.load` makes an estimator of the file, with the weights so far. The networks
        of an ensemble have folders of their own in this one. `partial_fit` writes nothing here
        (save between its calls), and "lbfgs" is refused.""",
    )
    checkpoint_minutes: float = parameter(
        default=10,
        constraints=[POSITIVE],
        doc="""float
        How often, in minutes, `checkpoint` is also written within an epoch. The networks of an
        ensemble that are trained together, on a GPU, are kept after epochs only.""",
    )


def refuse_with_lbfgs(solver: Any, name: str, *, off: Any) -> None:
    """Refuse a parameter that draws numbers in training for the solver that needs a fixed loss.

    Parameters
    ----------
    solver : str or callable
        The solver.
    name : str
        The parameter, which is in use.
    off : object
        Its value that draws no numbers, for the error message.

    Raises
    ------
    ValueError
        If the solver is "lbfgs".
    """
    if solver == "lbfgs":
        raise ValueError(
            f"{name} changes the loss from one evaluation to the next, which solver='lbfgs' "
            f"cannot minimise; use another solver or {name}={off}."
        )
