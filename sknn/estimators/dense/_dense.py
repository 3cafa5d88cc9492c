"""Dense networks: X has a row a sample and a column a feature."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from sknn._documentation import paragraph
from sknn._parameters import declares_parameters, inherited, parameter
from sknn.estimators._base import answer_type
from sknn.estimators._checks import CheckedData
from sknn.estimators._classifier import NeuralClassifierBase
from sknn.estimators._ensemble import EnsembleEstimator
from sknn.estimators._features import (
    EMBEDDING_CONSTRAINTS,
    EMBEDDING_DOC,
    EmbeddingParameters,
    embedding_names,
    encode_features,
)
from sknn.estimators._layers import LayerParameters, dropout_rates, positive_integers
from sknn.estimators._regressor import NeuralRegressorBase
from sknn.estimators._scales import warn_of_inputs, warn_of_targets
from sknn.estimators.targets import ValueTargets
from sknn.nn import DenseNetwork, EnsembleNetwork, FeatureEncoder

from ._format import DenseFormat, refuse_sparse

# Up to so many operations NumPy predicts in a quarter of torch's time (iris, 100 hidden neurons: 25
# us). From 2^18 multiplications on, OpenBLAS shares a product among threads, which may cost ms.
FEW_FLOPS = 2 * 2**18

NUMBER_KINDS = "biuf"
NUMPY_TYPES = {torch.float32: np.float32, torch.float64: np.float64}


@declares_parameters
class DenseEstimator(EnsembleEstimator, EmbeddingParameters, LayerParameters):
    """Input convention and network of the dense estimators.

    Parameters
    ----------
    {parameters}
    """

    # positional, in the order of scikit-learn's MLP
    hidden_layer_sizes: int | Sequence[int] | None = inherited(
        LayerParameters, "hidden_layer_sizes", default=(100,), kw_only=False
    )
    activation: Any = inherited(LayerParameters, "activation", default="relu", kw_only=False)

    numerical_embedding: Any = parameter(
        default=None,
        constraints=EMBEDDING_CONSTRAINTS,
        doc=EMBEDDING_DOC
        + " X has to be dense then.\n"
        + paragraph(
            """It stays as it is: scale it before, since the first frequencies have a standard
            deviation of 0.1 in its units."""
        ),
    )

    _family_attributes: ClassVar[str] = """
        coefs_ : list of ndarray of shape (fan_in, fan_out)
            Weight matrices. On the CPU they are views: what is written into them takes effect.
            With `numerical_embedding` the rows of the first are those of "periodic" embeddings,
            feature by feature, of the features, and of their bins.
        intercepts_ : list of ndarray of shape (fan_out,)
            Bias vectors.
        n_layers_ : int
            Number of layers, the input included.
        n_features_in_ : int
            Number of features.
        estimators_ : list of estimators
            The networks of an ensemble, each a fitted estimator of the same class; it exists with
            ``n_estimators > 1`` only. `n_iter_` is the largest of theirs then, `t_` and
            `n_parameters_` are sums, and `module_` averages their networks. The weights, the
            losses, the scores and the history are those of ``estimators_[i]``, and asking the
            ensemble for them is an AttributeError.
        """

    _format_kind = DenseFormat
    _format: ClassVar[DenseFormat]
    _takes = ("sparse",)
    _can_share_stacks = True

    def _of_this_version(self, state: dict[str, Any]) -> dict[str, Any]:
        if "n_features_in_" in state:
            state.setdefault("_format", DenseFormat(state["n_features_in_"]))
        return super()._of_this_version(state)

    def _warn_of_scales(self, X: Any, targets: Any) -> None:
        if self.module is None:
            warn_of_inputs(X)
        # links such as the exponential reach large numbers soon, directions have no length
        if (
            isinstance(self._targets, ValueTargets)
            and self._targets.unit is None
            and self._loss.is_in_units_of_targets
        ):
            warn_of_targets(targets)

    def __sklearn_tags__(self) -> Any:
        """Say that embeddings take dense X only."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse &= self.numerical_embedding is None or self.module is not None
        return tags

    def _obstacle_to_streams(self) -> str:
        names = self.numerical_embedding
        names = names if isinstance(names, list | tuple) else [names]
        if self.module is None and "piecewise_linear" in names:
            return (
                "the bins of numerical_embedding='piecewise_linear' come from all rows. Pass them "
                "to fit."
            )
        return super()._obstacle_to_streams()

    def _build_network(
        self, data: CheckedData, random_state: np.random.RandomState, dtype: torch.dtype
    ) -> DenseNetwork:
        sizes = positive_integers("hidden_layer_sizes", self.hidden_layer_sizes)
        encoder = self._make_encoder(data, dtype)
        return DenseNetwork(
            data.X.shape[1] if encoder is None else encoder.width,
            sizes,
            self.n_outputs_,
            encoder=encoder,
            activation=self.activation,
            dropout=dropout_rates(self, len(sizes)),
            normalization=self.normalization,
            random_state=random_state,
            dtype=dtype,
        )

    def _make_encoder(self, data: CheckedData, dtype: torch.dtype) -> FeatureEncoder | None:
        """Return what comes before the first layer, if anything does."""
        embeddings = embedding_names(self.numerical_embedding)
        if not embeddings:
            return None
        refuse_sparse(data.X)

        def make() -> FeatureEncoder:
            n_bins = self._resolve_bins(len(data.X))
            weights = data.sample_weight
            return encode_features(
                data.X, weights, embeddings=embeddings, n_bins=n_bins, dtype=dtype
            )

        encoder: FeatureEncoder = data.once("encoder", make)
        return encoder.fresh()

    # -------------------------------------------------------------------------------- predict

    def _compute_outputs(
        self, X: Any, module: torch.nn.Module | None = None
    ) -> tuple[Tensor, np.dtype]:
        if module is None and "module_" in vars(self) and self._format.has_form(X, self):
            outputs = self._few_outputs(X)
            if outputs is not None:
                return outputs, answer_type(X)
        return super()._compute_outputs(X, module)

    def _few_outputs(self, X: Any) -> Tensor | None:
        attributes = vars(self)
        network = attributes["module_"]
        if type(network) is not DenseNetwork or type(X) is not np.ndarray:
            return None
        if X.dtype.kind not in NUMBER_KINDS:  # dates, of which NumPy makes numbers
            return None
        dtype = attributes["_compute_dtype"]
        numpy_type = NUMPY_TYPES.get(dtype)
        n_flops = X.shape[0] * attributes["_work"].forward_flops
        if n_flops > FEW_FLOPS or numpy_type is None:
            return None
        # X is refused, if it has to be, on the usual way; so are outputs that are not finite
        with np.errstate(all="ignore"):
            rows = X.astype(numpy_type, copy=False)
            if not math.isfinite(np.vdot(rows, rows)):
                return None
            outputs = network.few_outputs(rows, dtype)
            if outputs is None or not math.isfinite(np.vdot(outputs, outputs)):
                return None
        return torch.from_numpy(outputs)

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
        if self._members is not None:
            return self._members[0].n_layers_
        return len(self._linear_layers()) + 1

    def _linear_layers(self) -> list[nn.Linear]:
        module = self._learned("module_")
        if isinstance(module, EnsembleNetwork):
            raise AttributeError("each network of an ensemble has its own; see estimators_[i]")
        if not isinstance(module, DenseNetwork):
            raise AttributeError("only the built-in network has layers in this form; see module_")
        return module.linear_layers


@declares_parameters
class NeuralClassifier(DenseEstimator, NeuralClassifierBase):
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
    .. [3] B. Lakshminarayanan, A. Pritzel and C. Blundell, "Simple and scalable predictive
       uncertainty estimation using deep ensembles", NeurIPS 2017, arXiv:1612.01474.

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

    An ensemble of three networks, whose probabilities are averaged:

    >>> ensemble = make_pipeline(
    ...     StandardScaler(),
    ...     NeuralClassifier(n_estimators=3, learning_rate_init=0.05, random_state=0),
    ... )
    >>> round(ensemble.fit(X, y).score(X, y), 2)
    1.0
    >>> len(ensemble[-1].estimators_)
    3
    """


@declares_parameters
class NeuralRegressor(DenseEstimator, NeuralRegressorBase):
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

    loss: str | Callable[[Tensor, Tensor], Tensor] = inherited(
        NeuralRegressorBase, "loss", default="squared_error", kw_only=False
    )
