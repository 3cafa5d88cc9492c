"""Bridges from skorch's callback protocol to printing and to scikit-learn's callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skorch.callbacks import Callback


class PrintEpochs(Callback):
    """Prints loss and validation score of each epoch in scikit-learn's words."""

    needs_data = False

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Print the epoch that ended."""
        epoch = net.history[-1]
        print(f"Iteration {net.n_epochs_run}, loss = {epoch['train_loss']:.8f}", flush=True)
        if "valid_score" in epoch:
            print(f"Validation score: {epoch['valid_score']:.6f}", flush=True)


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
