"""Dense networks: X has a row a sample and a column a feature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import column_or_1d, validate_data
from torch import Tensor, nn

from sknn.nn import ACTIVATIONS, DenseNetwork, per_layer

from ._base import NeuralEstimator
from ._parameters import declares_parameters, parameter
from ._tasks import LOSS_CONSTRAINTS, LOSS_DOC, NeuralClassifierBase, NeuralRegressorBase

# Nothing is copied or cast here: integers stay integers, memmaps stay on the disk.
INPUT_CHECKS: dict[str, Any] = {"accept_sparse": "csr", "dtype": "numeric"}


@declares_parameters
class DenseFamily(NeuralEstimator):
    """Input convention and network of the dense estimators.

    Parameters
    ----------
    {parameters}
    """

    hidden_layer_sizes: int | Sequence[int] = parameter(
        (100,),
        ["array-like", Interval(Integral, 1, None, closed="left")],
        """int or array-like of int
        Units of each hidden layer. An empty tuple is a linear model.""",
        kw_only=False,
    )
    activation: Any = parameter(
        "relu",
        [StrOptions(set(ACTIVATIONS)), callable, list, tuple],
        """str, callable or sequence of them
        Activation function of the hidden layers: "identity", "logistic", "tanh", "relu",
        "leaky_relu", "elu", "celu", "selu", "prelu", "gelu", "silu" (also "swish"), "mish",
        "softplus", "softsign", "relu6", "hardtanh", "hardswish", or a callable that returns a
        :class:`torch.nn.Module`. A sequence has one for each hidden layer.""",
        kw_only=False,
    )
    dropout: float | Sequence[float] = parameter(
        0.0,
        [Interval(Real, 0, 1, closed="left"), "array-like"],
        """float or sequence of float
        Probability with which a hidden unit is set to zero in training; a sequence has one for
        each hidden layer.""",
    )
    normalization: str | None = parameter(
        None,
        [StrOptions({"batch", "layer"}), None],
        """{"batch", "layer"} or None
        Normalization before each hidden activation: over the batch (Ioffe and Szegedy, 2015) or
        over the layer's units (Ba et al., 2016).""",
    )

    def __sklearn_tags__(self) -> Any:
        """Add sparse matrices."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _check_X(self, X: Any) -> Any:
        if self._needs_no_check(X):
            return X
        return _torch_type(validate_data(self, X, reset=False, **INPUT_CHECKS))

    def _check_X_y(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, np.ndarray]:
        is_regressor = isinstance(self, NeuralRegressorBase)
        X, y = validate_data(
            self, X, y, multi_output=True, y_numeric=is_regressor, reset=reset, **INPUT_CHECKS
        )
        if hasattr(y, "toarray"):
            y = y.toarray()
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return _torch_type(X), y

    def _runs_user_code(self) -> bool:
        names = self.activation if isinstance(self.activation, list | tuple) else [self.activation]
        own = self.module is None and any(not isinstance(name, str) for name in names)
        return own or super()._runs_user_code()

    def _draws_torch_numbers(self) -> bool:
        has_dropout = self.module is None and bool(np.any(self.dropout))
        return has_dropout or super()._draws_torch_numbers()

    def _needs_no_check(self, X: Any) -> bool:
        """Say whether validation would hand this X back as it is.

        For the prediction of single rows, which validation makes take twice as long.
        """
        return (
            type(X) is np.ndarray
            and X.ndim == 2
            and X.dtype in (np.float64, np.float32)
            and X.shape[0] > 0
            and X.shape[1] == self.n_features_in_
            and not hasattr(self, "feature_names_in_")
            and bool(np.isfinite(X.sum()))
        )

    def _layer_sizes(self) -> list[int]:
        sizes = self.hidden_layer_sizes
        layers = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
        if any(not isinstance(size, Integral) or size <= 0 for size in layers):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {layers}.")
        return [int(size) for size in layers]

    def _build_network(
        self, X: Any, n_outputs: int, random_state: np.random.RandomState, dtype: torch.dtype
    ) -> DenseNetwork:
        sizes = self._layer_sizes()
        rates = per_layer("dropout", self.dropout, len(sizes))
        for rate in rates:
            if not isinstance(rate, int | float | np.number) or not 0 <= rate < 1:
                raise ValueError(f"dropout must be in [0, 1), got {rate!r}.")
        if self.solver == "lbfgs" and any(rates):
            raise ValueError(
                "dropout changes the loss from one evaluation to the next, which solver='lbfgs' "
                "cannot minimise; use another solver or dropout=0."
            )
        return DenseNetwork(
            X.shape[1],
            sizes,
            n_outputs,
            activation=self.activation,
            dropout=rates,
            normalization=self.normalization,
            random_state=random_state,
            dtype=dtype,
        )

    # ------------------------------------------------------------------------ fitted attributes

    @property
    def coefs_(self) -> list[np.ndarray]:
        """Weight matrices, of shape (fan_in, fan_out), from the first layer to the last."""
        return [layer.weight.detach().cpu().numpy().T for layer in self._linear_layers()]

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """Bias vectors, of shape (fan_out,), from the first layer to the last."""
        return [layer.bias.detach().cpu().numpy() for layer in self._linear_layers()]

    @property
    def n_layers_(self) -> int:
        """Number of layers, the input included."""
        return len(self._linear_layers()) + 1

    def _linear_layers(self) -> list[nn.Linear]:
        module = getattr(self, "module_", None)
        if module is None:
            raise AttributeError(f"this {type(self).__name__} is not fitted yet")
        if not isinstance(module, DenseNetwork):
            raise AttributeError("only the built-in network has layers in this form; see module_")
        return module.linear_layers


def _torch_type(X: Any) -> Any:
    """Cast the few types that torch cannot gather rows of."""
    if X.dtype.kind == "u" and X.dtype.itemsize > 1:
        return X.astype(np.int64)
    if X.dtype == np.longdouble and X.dtype.itemsize > 8:
        return X.astype(np.float64)
    return X


@declares_parameters
class NeuralClassifier(DenseFamily, NeuralClassifierBase):
    """Multi-layer perceptron classifier on torch, in place of scikit-learn's MLPClassifier.

    With equal parameters and `random_state` it goes through the same weights as
    :class:`sklearn.neural_network.MLPClassifier`, and it has further activations, losses,
    solvers, schedules, dropout, normalization, class weights, validation data, devices and
    modules. Binary, multiclass and multilabel problems; dense and sparse input.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}
    classes_ : ndarray of shape (n_classes,)
        The labels; for multilabel problems the numbers of the labels.

    See Also
    --------
    NeuralRegressor : The same network for regression.
    sklearn.neural_network.MLPClassifier : The estimator that this one stands in for.

    References
    ----------
    .. [1] X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward
       neural networks", AISTATS 2010.
    .. [2] D. Kingma and J. Ba, "Adam: A method for stochastic optimization", ICLR 2015,
       arXiv:1412.6980.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sknn import NeuralClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = make_pipeline(
    ...     StandardScaler(), NeuralClassifier(learning_rate_init=0.01, random_state=0)
    ... )
    >>> round(classifier.fit(X, y).score(X, y), 2)
    0.99
    >>> classifier.predict_proba(X[:2]).shape
    (2, 3)
    """


@declares_parameters
class NeuralRegressor(DenseFamily, NeuralRegressorBase):
    """Multi-layer perceptron regressor on torch, in place of scikit-learn's MLPRegressor.

    With equal parameters and `random_state` it goes through the same weights as
    :class:`sklearn.neural_network.MLPRegressor`, and it has further activations, losses,
    solvers, schedules, dropout, normalization, validation data, devices and modules. One or
    several targets; dense and sparse input.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    NeuralClassifier : The same network for classification.
    sklearn.neural_network.MLPRegressor : The estimator that this one stands in for.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sknn import NeuralRegressor
    >>> X, y = make_regression(n_samples=200, n_features=5, random_state=0)
    >>> regressor = NeuralRegressor(
    ...     solver="lbfgs", hidden_layer_sizes=(20,), max_iter=1000, random_state=0
    ... )
    >>> round(regressor.fit(X, y / y.std()).score(X, y / y.std()), 2)
    1.0
    """

    loss: str | Callable[[Tensor, Tensor], Tensor] = parameter(
        "squared_error", LOSS_CONSTRAINTS, LOSS_DOC, kw_only=False
    )
