"""Bridges from skorch's callback protocol to printing and to scikit-learn's callbacks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from sklearn.base import is_regressor
from sklearn.callback import FitCallback
from skorch.callbacks import Callback, Initializer, ParamMapper

# fits into 100 columns with the figures of training and validation
BAR = "{percentage:3.0f}%|{bar:10}| {n_fmt}/{total_fmt} epochs [{elapsed}<{remaining}{postfix}]"


def check_callbacks(callbacks: Any) -> list[Any]:
    """Return skorch's callbacks as a list, and refuse what is none."""
    for number, given in enumerate(callbacks):
        is_pair = isinstance(given, tuple | list) and len(given) == 2
        callback = given[1] if is_pair else given
        kind = callback if isinstance(callback, type) else type(callback)
        if issubclass(kind, Callback):
            continue
        if isinstance(callback, FitCallback):
            raise TypeError(
                f"callbacks[{number}] is scikit-learn's {kind.__name__}, which is set with "
                "set_callbacks(...); the parameter is for callbacks of skorch."
            )
        raise TypeError(
            f"callbacks[{number}] is {callback!r}, of class {kind.__name__}; an instance of "
            "skorch.callbacks.Callback is needed. A function becomes one as the method "
            "on_epoch_end(self, net, **kwargs) of a subclass."
        )
    return list(callbacks)


class PrintEpochs(Callback):
    """Prints a line an epoch: its number, losses, scores and time.

    Parameters
    ----------
    name : str, default=""
        What is trained, for the beginning of each line.
    """

    needs_data = False

    def __init__(self, name: str = "") -> None:
        self.name = name

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Print the epoch that ended."""
        epoch = net.history[-1]
        number = f"{net.n_epochs_run:>{len(str(net.max_epochs))}}/{net.max_epochs}"
        if net.max_epochs == 1:  # partial_fit, which does not know how many will come
            number = str(epoch["epoch"])
        seconds = epoch["dur"]
        time = f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
        figures = "; ".join(
            f"{part} {', '.join(values)}" for part, values in _figures(net, epoch).items()
        )
        prefix = f"{self.name}: " if self.name else ""
        # the word of MLPClassifier, whose users look for it
        print(f"{prefix}Iteration {number}: {figures} ({time})", flush=True)


class EpochBar:
    """A progress bar of epochs on the standard error stream, for one or several trainings.

    Parameters
    ----------
    n_trainings : int, default=1
        How many trainings share it.
    """

    def __init__(self, n_trainings: int = 1) -> None:
        self.n_trainings = n_trainings
        self._bar: Any = None

    def open(self, max_epochs: int) -> None:
        """Draw the empty bar for the first training that begins."""
        from tqdm import tqdm

        if self._bar is None:
            total = self.n_trainings * max_epochs
            self._bar = tqdm(total=total, bar_format=BAR, file=sys.stderr)

    def update(self, n_epochs: int, figures: str) -> None:
        """Move on by so many epochs."""
        self._bar.set_postfix_str(figures, refresh=False)
        self._bar.update(n_epochs)

    def leave(self, n_epochs_left: int) -> None:
        """Take away what a training that has ended left undone; the last one closes the bar."""
        if self._bar is None:  # another callback has refused to begin
            return
        self.n_trainings -= 1
        self._bar.total -= n_epochs_left
        if self.n_trainings == 0:
            self._bar.close()


class MoveBar(Callback):
    """Moves a progress bar on after each epoch.

    Parameters
    ----------
    bar : EpochBar
        The bar.
    """

    needs_data = False

    def __init__(self, bar: EpochBar) -> None:
        self.bar = bar
        self.n_shown = 0

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Draw the bar, if this is its first training."""
        self.bar.open(net.max_epochs)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Show the epoch that ended, and those before an interruption."""
        figures = _figures(net, net.history[-1])
        latest = ", ".join(figures.get("validation", figures["training"]))
        prefix = "validation " if "validation" in figures else ""
        self.bar.update(net.n_epochs_run - self.n_shown, prefix + latest)
        self.n_shown = net.n_epochs_run

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Leave the bar as it stands."""
        self.bar.leave(net.max_epochs - self.n_shown)


def tell(message: str, verbose: bool | str) -> None:
    """Print a line, above the bar if ``verbose="bar"`` draws one."""
    if verbose == "bar":
        from tqdm import tqdm

        tqdm.write(message, file=sys.stderr)
    else:
        print(message, flush=True)


def _figures(net: Any, epoch: dict[str, Any]) -> dict[str, list[str]]:
    """Return loss and score of the training and of the validation data, as far as there are any."""
    score = "R2" if is_regressor(net) else "accuracy"
    figures = {}
    for part, key in (("training", "train"), ("validation", "valid")):
        names = {f"{key}_loss": "loss {:#.4g}", f"{key}_score": f"{score} {{:.3f}}"}
        values = [text.format(epoch[name]) for name, text in names.items() if name in epoch]
        if values:
            figures[part] = values
    return figures


class ScikitLearnCallbacks(Callback):
    """Tells :mod:`sklearn.callback` about each epoch.

    Parameters
    ----------
    estimator : estimator
        The estimator that is being fitted.
    context : sklearn.callback.CallbackContext
        Root context of the fit.
    data : dict
        X, y and metadata, as the user gave them.
    fitted_attributes : callable
        Returns the attributes that make a copy of the estimator a fitted one.
    """

    needs_data = False

    def __init__(
        self,
        estimator: Any,
        context: Any,
        data: dict[str, Any],
        fitted_attributes: Callable[[], dict[str, Any]],
    ) -> None:
        self.estimator = estimator
        self.context = context
        self.data = data
        self.fitted_attributes = fitted_attributes

    def skip_epochs(self, n_epochs: int) -> None:
        """Go on with the epochs' numbers after those that were run before an interruption.

        Parameters
        ----------
        n_epochs : int
            How many there were.
        """
        for _ in range(n_epochs):
            self.context.subcontext(task_name="epoch")

    def _report(self, hook: Callable[..., Any]) -> Any:
        return hook(
            estimator=self.estimator,
            reconstruction_attributes=self.fitted_attributes,
            **self.data,
        )

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Open the fit's task."""
        self._report(self.context.call_on_fit_task_begin)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Close the fit's task."""
        self._report(self.context.call_on_fit_task_end)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Open the epoch's task."""
        self.epoch_context_ = self.context.subcontext(task_name="epoch")
        self._report(self.epoch_context_.call_on_fit_task_begin)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Close the epoch's task, and stop if a callback wants to."""
        if self._report(self.epoch_context_.call_on_fit_task_end):
            net.converged = net.stop_training = True


def freeze_parameters(callbacks: Iterable[Callback]) -> bool:
    """Say whether callbacks may freeze a network's parameters while it is trained.

    Parameters
    ----------
    callbacks : iterable of skorch.callbacks.Callback
        The callbacks.

    Returns
    -------
    bool
    """
    return any(
        isinstance(callback, ParamMapper) and not isinstance(callback, Initializer)
        for callback in callbacks
    )
