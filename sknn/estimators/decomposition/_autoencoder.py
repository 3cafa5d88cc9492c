"""Autoencoders as transformers."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, _fit_context
from sklearn.callback import with_callbacks
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sknn._hints import available_if
from sknn._parameters import declares_parameters, parameter
from sknn._validation import NOT_NEGATIVE, POSITIVE_INTEGER, validated
from sknn.data import DenseRows, check_numbers, in_float_type
from sknn.estimators._checks import check_weights, takes_streams
from sknn.estimators._inputs import array_like
from sknn.nn import AutoencoderNetwork, CodesOf, ReconstructionsOf, first_parameter
from sknn.training import Training, forward, predict_outputs, rows_at_once

from ._family import AutoencoderEstimator
from ._samples import measured, samples_of_fit


def is_variational(estimator: Any) -> bool:
    """Raise AttributeError, which hides a method, where codes have no distribution."""
    if not estimator.variational:
        raise AttributeError("codes have a distribution with variational=True only.")
    return True


@declares_parameters
class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, AutoencoderEstimator):
    """Network that writes samples as a few numbers, their codes, and reads them back.

    A nonlinear :class:`sklearn.decomposition.PCA`: an encoder makes codes of samples
    (:meth:`transform`), a decoder samples of codes (:meth:`inverse_transform`), and both are
    trained so that samples come back as they were [1]_. X holds vectors, whose columns are
    standardized within, or images, as arrays of shape (n_samples, height, width) or (n_samples,
    height, width, channels) or as flat rows with `image_shape`. Reconstructions have the form of X:
    bytes are bytes, images images, and tables have their columns and are of the same library.

    `noise_amount` makes it a denoising autoencoder [2]_, `sparsity` a sparse one, and
    `variational` a variational one [3]_, whose codes are close to normally distributed, so that
    new samples can be drawn (:meth:`sample`).

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    AutoencoderOutlierDetector : Outliers by the errors of an autoencoder.
    sklearn.decomposition.PCA : The best linear codes.

    References
    ----------
    .. [1] G. Hinton and R. Salakhutdinov, "Reducing the dimensionality of data with neural
       networks", Science 313, 2006.
    .. [2] P. Vincent et al., "Stacked denoising autoencoders", JMLR 11, 2010.
    .. [3] D. Kingma and M. Welling, "Auto-encoding variational Bayes", ICLR 2014, arXiv:1312.6114.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sknn.decomposition import Autoencoder
    >>> X = load_digits().images.astype("uint8")
    >>> autoencoder = Autoencoder(
    ...     2, architecture="dense", hidden_layer_sizes=64, random_state=0
    ... ).fit(X)
    >>> codes = autoencoder.transform(X)
    >>> codes.shape
    (1797, 2)
    >>> images = autoencoder.inverse_transform(codes)
    >>> images.shape, images.dtype
    ((1797, 8, 8), dtype('uint8'))

    Two numbers explain more than the first four principal components:

    >>> pca = PCA(4).fit(X.reshape(-1, 64))
    >>> bool(autoencoder.score(X) > pca.explained_variance_ratio_.sum())
    True
    """

    variational: bool = parameter(  # type: ignore[misc]
        default=False,
        constraints=["boolean"],
        doc="""bool
        Whether a code is a normal distribution, of which the encoder gives mean and variance and
        the decoder gets a draw. Training maximises the evidence lower bound, with a normal
        likelihood of unit variance in the units of `standardize`, or a Bernoulli likelihood with
        ``loss="log_loss"``. :meth:`transform` gives the means.""",
    )
    beta: float = parameter(  # type: ignore[misc]
        default=1.0,
        constraints=[NOT_NEGATIVE],
        doc="""float
        Weight of the divergence of codes from the standard normal distribution, with `variational`.
        Above 1 codes are closer to it, and reconstructions worse (Higgins et al., 2017).""",
    )

    __metadata_request__transform: ClassVar[Any] = {}

    def __sklearn_tags__(self) -> Any:
        """Say that codes have the float type of X."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @available_if(takes_streams)
    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Train for one epoch on these samples, going on from where the last call ended.

        Codes are in the units of the last call with two samples at least.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, height, width[, channels])
            Samples; the units in which the network sees all are those of the first call.
        y : None
            Not used.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative.

        Returns
        -------
        self : Autoencoder
            The autoencoder after one more epoch.
        """
        return self._partial_fit(X, None, sample_weight)

    def _conclude(self, training: Training) -> None:
        """Find the units of codes, also where training was interrupted."""
        super()._conclude(training)
        kind, network = self.code_penalty[0], training.module
        assert isinstance(network, AutoencoderNetwork)
        if kind == "variational":  # close to 0 and 1 as they are
            return
        if len(training.train) < 2:  # a part of a stream, which has no deviation
            return
        with torch.no_grad():
            network.location.zero_()
            network.scale.fill_(1)
        codes, weights = measured(
            self,
            training,
            samples_of_fit(training),
            lambda batch: forward(CodesOf(network), batch, self._compute_dtype),
        )
        if not np.isfinite(codes).all():  # of a training that has diverged, which says so
            return
        mean = np.average(codes, axis=0, weights=weights)
        deviation = np.sqrt(np.average((codes - mean) ** 2, axis=0, weights=weights))
        deviation[~(deviation > 0)] = 1.0
        if kind == "sparse":  # whose zeros stay
            mean = np.zeros_like(mean)
        with torch.no_grad():
            network.location.copy_(torch.from_numpy(mean))
            network.scale.copy_(torch.from_numpy(deviation))

    @property
    def _n_features_out(self) -> int:
        """Number of columns that `transform` returns."""
        return self.n_components_

    def transform(self, X: Any) -> np.ndarray:
        """Return the codes of samples; with `variational` the means of their distributions.

        Of the samples that it was fitted to, components have a mean of 0 and a standard deviation
        of 1; those of sparse codes are divided by it alone, and those of variational ones are as
        they are.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples of the form of those in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            In the float type of X.
        """
        check_is_fitted(self)
        fitted = self._as_it_is()
        codes, dtype = fitted._compute_outputs(X, CodesOf(fitted.module_))
        return in_float_type(codes.cpu().numpy(), dtype)

    def inverse_transform(self, X: Any) -> Any:
        """Return the samples that codes stand for.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes.

        Returns
        -------
        ndarray of shape (n_samples, n_features) or (n_samples, ...), or DataFrame
            In the form of the X that `fit` got: integers are rounded, within the range of their
            type, and DataFrames have its columns, and the index of codes that come as one.

        Raises
        ------
        ValueError
            If X has another number of columns than codes, or is not finite.
        """
        check_is_fitted(self)
        fitted = self._as_it_is()
        codes = check_numbers(array_like(X, "X"), dtype=[np.float64, np.float32])
        if codes.shape[1] != fitted.n_components_:
            raise ValueError(
                f"X has {codes.shape[1]} columns, but codes of this autoencoder have "
                f"{fitted.n_components_} (n_components)."
            )
        return fitted._read(codes, getattr(X, "index", None))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the share of the variance of X that reconstructions explain.

        One minus the sum of squared errors, divided by the sum of squared deviations from the mean
        of X, both in the units of `standardize`. Of principal components, this is the sum of
        `explained_variance_ratio_` on the training samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples.
        y : None
            Not used.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        float
            R2: 1 is perfect, 0 no better than the mean.

        Raises
        ------
        ValueError
            If X has another form than the samples in `fit`, or squared errors overflow.
        """
        sums: list[Tensor] = []  # of each part: deviations from the first sample, their squares
        origin: Tensor | None = None
        weights = check_weights("sample_weight", sample_weight, X)
        rest = None if weights is None else torch.from_numpy(weights)

        def measure(outputs: Tensor, samples: Tensor) -> Tensor:
            nonlocal rest, origin
            wide = samples.cpu().double()
            taken = torch.ones(len(samples), dtype=torch.float64)
            if rest is not None:
                taken, rest = rest[: len(samples)], rest[len(samples) :]
                wide, taken = wide[taken > 0], taken[taken > 0]
            if len(wide):
                origin = wide[0].clone() if origin is None else origin
                wide = wide - origin  # so that no digit is lost to a large mean; constants are 0
                sums.append(torch.stack([taken @ wide, taken @ wide.square()]))
            return self._residuals(outputs, samples).square().sum(1)

        errors, _ = self._measure(X, measure)
        errors = errors.astype(np.float64)
        if weights is not None:
            errors, weights = errors[weights > 0], weights[weights > 0]
        total, squares = torch.stack(sums).sum(0)
        counted = float(len(errors)) if weights is None else float(weights.sum())
        spread = float((squares - total.square() / counted).sum())
        error = float(np.average(errors, weights=weights)) * counted
        if not math.isfinite(error + spread):
            raise ValueError(
                "squared errors of X overflow: its numbers are much larger than those of the "
                "training samples, or the weights of module_ are too large. Scale X as these."
            )
        if spread <= 0:
            return 1.0 if error == 0 else 0.0
        return 1 - error / spread

    def reconstruction_error(self, X: Any) -> np.ndarray:
        """Return the squared Euclidean distance of each sample from its reconstruction.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            Sums over the numbers of a sample, in the units of X, before anything is rounded.
        """
        check_is_fitted(self)
        units = torch.from_numpy(self._format.units)

        def measure(outputs: Tensor, samples: Tensor) -> Tensor:
            residuals = self._residuals(outputs, samples)
            return residuals.mul_(units.to(residuals)).square_().sum(1)

        errors, dtype = self._measure(X, measure)
        return in_float_type(errors, dtype)

    # -------------------------------------------------------------------------- variational

    @available_if(is_variational)
    @validated({"n_samples": [POSITIVE_INTEGER], "random_state": ["random_state"]})
    def sample(
        self, n_samples: int = 1, *, random_state: int | np.random.RandomState | None = None
    ) -> Any:
        """Return new samples: reconstructions of codes that are drawn from a normal distribution.

        Parameters
        ----------
        n_samples : int, default=1
            Number of samples.
        random_state : int, RandomState instance or None, default=None
            Draws the codes.

        Returns
        -------
        ndarray of shape (n_samples, n_features) or (n_samples, ...), or DataFrame
            In the form of the X that `fit` got.
        """
        check_is_fitted(self)
        fitted = self._as_it_is()
        rng = check_random_state(random_state)
        return fitted._read(rng.standard_normal((n_samples, fitted.n_components_)), None)

    @available_if(is_variational)
    @validated({"n_draws": [POSITIVE_INTEGER], "random_state": ["random_state"]})
    def elbo(
        self,
        X: Any,
        *,
        n_draws: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> np.ndarray:
        """Return the evidence lower bound of the logarithm of each sample's probability.

        The mean logarithm of the likelihood of a sample, given codes drawn from its distribution,
        less the divergence of that distribution from the standard normal one, whatever `beta`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples.
        n_draws : int, default=1
            Codes that are drawn for each sample.
        random_state : int, RandomState instance or None, default=None
            Draws them.

        Returns
        -------
        ndarray of shape (n_samples,)
            In natural units (nats). With ``loss="squared_error"`` densities are those of X in the
            units of `standardize`.
        """
        check_is_fitted(self)
        seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
        network, loss = self.module_, self._loss
        device = first_parameter(network).device
        generator = torch.Generator(device)
        generator.manual_seed(seed)
        constant = 0.0
        if self.loss == "squared_error":
            constant = 0.5 * math.log(2 * math.pi) * self._targets.n_columns

        def measure(outputs: Tensor, samples: Tensor) -> Tensor:
            mean, log_variance = outputs[:, self._targets.n_columns :].chunk(2, 1)
            costs = torch.zeros_like(mean[:, 0])
            for _ in range(n_draws):
                drawn = torch.empty_like(mean).normal_(generator=generator)
                decoded = network.decode(mean + (0.5 * log_variance).exp() * drawn)
                costs += loss.reconstruction(decoded, samples)
            return -(costs / n_draws + loss.penalty(outputs) + constant)

        bounds, dtype = self._measure(X, measure)
        return in_float_type(bounds, dtype)

    def _read(self, codes: np.ndarray, index: Any) -> Any:
        """Return what codes (n, n_components) stand for, in the form of X."""
        with self._own_defaults():
            parameter = first_parameter(self.module_)
            rows = DenseRows(codes, parameter.device, parameter.dtype)
            n_rows = rows_at_once(self._work.layer_size, parameter.device)
            with self._prediction_threads(len(codes), parameter.device):
                module = ReconstructionsOf(self.module_)
                outputs = predict_outputs(module, rows, self._compute_dtype, n_rows)
            self._refuse_overflow(outputs)
            values = self._loss.activate(outputs).cpu().numpy()
        return self._format.restore(values, self, index)
