"""Generative adversarial networks."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch
from scipy import sparse
from sklearn.base import _fit_context
from sklearn.callback import with_callbacks
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sknn._parameters import declares_parameters
from sknn._validation import POSITIVE_INTEGER, validated
from sknn.estimators._checks import CheckedData, FitArguments
from sknn.estimators._inputs import array_like
from sknn.estimators._layers import positive_integers
from sknn.estimators._scaled_format import ScaledFormat, require_two
from sknn.estimators._validation import require_labels
from sknn.estimators.targets import Conditions
from sknn.nn import AdversarialNetwork, LayerTrace, first_parameter
from sknn.nn.generation import (
    ConvDiscriminator,
    ConvGenerator,
    DenseDiscriminator,
    DenseGenerator,
    initialize,
)
from sknn.training import (
    AdversarialSettings,
    MakeStep,
    Work,
    adversarial_step,
    make_samples,
)

from ._groups import automatic_groups, find_groups
from ._networks import Labelled, build_given, is_sizes, trace_network, try_networks
from ._parameters import AdversarialParameters
from ._recipes import (
    COURSE,
    COURSE_DISCRIMINATOR,
    COURSE_GENERATOR,
    DISCRIMINATOR,
    GENERATOR,
    IMAGES,
    VECTORS,
    Recipe,
)
from ._scales import find_scale

# Noise is drawn for so many samples at once, whatever goes through the network at once, so that
# a seed gives the same ones everywhere.
SAMPLES_AT_ONCE = 1024


def has_labels(estimator: Any) -> bool:
    """Say whether a generator was fitted with labels."""
    return estimator._targets.classes is not None


@declares_parameters
class AdversarialGenerator(AdversarialParameters):
    """Two networks that learn against each other to make rows, or images, like those of X.

    The generator makes samples of noise, and the discriminator learns to tell them from the rows
    of X, by which the generator learns in turn [1]_. X has a row a sample, or holds images as
    :class:`sknn.ConvClassifier` takes them; flat rows are images where `image_shape` says so, else
    vectors. With labels y, samples of a label can be asked for.

    X is scaled, and samples come back in the form of X: bytes as bytes, integers as integers, a
    DataFrame as one of its library, images of the same size and order of dimensions. Networks see
    images and bytes between -1 and 1, columns of other numbers with a mean of 0 and a variance of
    1, or between -1 and 1 with ``architecture="dense"``.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    sknn.sequences.SequenceGenerator : Writes sequences of tokens.
    sklearn.mixture.GaussianMixture : A density that can be sampled from.

    References
    ----------
    .. [1] I. Goodfellow et al., "Generative adversarial nets", 2014, arXiv:1406.2661.
    .. [2] I. Gulrajani et al., "Improved training of Wasserstein GANs", 2017, arXiv:1704.00028.
    .. [3] L. Mescheder, A. Geiger and S. Nowozin, "Which training methods for GANs do actually
       converge?", 2018, arXiv:1801.04406.
    .. [4] S. Liu, T. Wang, D. Bau, J.-Y. Zhu and A. Torralba, "Diverse image generation via
       self-conditioned GANs", 2020, arXiv:2006.10728.

    Examples
    --------
    >>> import numpy as np
    >>> from sknn.generative import AdversarialGenerator
    >>> X = np.random.default_rng(0).normal(size=(1000, 2)) @ [[1, 1], [0, 0.5]] + [3, 0]
    >>> gan = AdversarialGenerator(max_iter=20, random_state=0).fit(X)
    >>> samples = gan.sample(500, random_state=0)
    >>> samples.shape
    (500, 2)
    >>> bool(np.all(np.abs(samples.mean(0) - [3, 0]) < 0.5))
    True
    """

    # neither loss says when to stop, and there is nothing to validate
    alpha: ClassVar[float] = 0.0  # type: ignore[misc]
    power_t: ClassVar[float] = 0.5  # type: ignore[misc]
    tol: ClassVar[float] = 0.0  # type: ignore[misc]
    early_stopping: ClassVar[bool] = False  # type: ignore[misc]
    validation_fraction: ClassVar[float] = 0.1  # type: ignore[misc]
    n_iter_no_change: ClassVar[float] = math.inf  # type: ignore[misc]
    max_fun: ClassVar[int] = 1  # type: ignore[misc]
    module: ClassVar[None] = None  # type: ignore[misc]
    _loss_tells = False
    _scales_data = True

    _format_kind = ScaledFormat
    _format: ClassVar[ScaledFormat]
    _targets_kind = Conditions
    _targets: ClassVar[Conditions]
    _takes = ("three_d_array",)

    # ------------------------------------------------------------------------------------ fit

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Learn to make rows like those of X.

        Ctrl-C ends the training, leaves the generator fitted with the weights so far, and is
        raised again.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, height, width[, channels])
            Rows, or images.
        y : array-like of shape (n_samples,), default=None
            Labels by which samples can be asked for.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        self : AdversarialGenerator
            The fitted generator.

        Raises
        ------
        ValueError
            If there is one row or one class only, X is not finite, a network of the user's
            returns another shape than it should, or training diverges.
        TypeError
            If X is sparse.
        """
        return self._fit(FitArguments(X, y, sample_weight))

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, classes: Any = None
    ) -> Any:
        """Go through rows once more, from the weights and the optimizer's state so far.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, height, width[, channels])
            Rows, or images; by the first ones the scale of all is learned.
        y : array-like of shape (n_samples,), default=None
            Labels, if the first call had some.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.
        classes : array-like of shape (n_classes,), default=None
            All labels that will come, in the first call; None takes those of its y.

        Returns
        -------
        self : AdversarialGenerator
            The fitted generator.
        """
        return self._partial_fit(X, y, sample_weight, classes)

    def _learn_features(self, X: Any, sample_weight: np.ndarray | None) -> Any:
        """Learn the units in which networks see X."""
        if sparse.issparse(X):
            raise TypeError(
                "X is sparse, but samples are dense rows, and the discriminator compares them with "
                "those of X: use '.toarray()'."
            )
        require_two(X, sample_weight)
        location, scale = find_scale(self._format, X, sample_weight, is_bounded=self._is_bounded)
        self.__dict__.update(_format=self._format._replace(location=location, scale=scale))
        return X

    @property
    def _is_bounded(self) -> bool:
        """Whether networks see numbers from -1 to 1."""
        found = self._format
        return self.architecture == "dense" or found.has_images or found.has_bytes

    def _automatic_batch_size(self, n_samples: int) -> int:
        return min(self._recipe.batch_size, n_samples)

    def _resolve_max_iter(self, n_samples: int) -> int:
        if self.max_iter != "auto":
            return int(self.max_iter)
        return math.ceil(self._recipe.n_steps / self._count_batches(n_samples))

    def _resolve_patience(self, max_iter: int) -> float:
        return math.inf

    def _runs_user_code(self) -> bool:
        given = (self.generator, self.discriminator)
        return callable(self.solver) or not all(each is None or is_sizes(each) for each in given)

    def _draws_torch_numbers(self) -> bool:
        return True

    def _make_step(self) -> MakeStep:
        rate = self.discriminator_learning_rate
        return adversarial_step(
            AdversarialSettings(
                discriminator_rate=self._resolve_learning_rate() if rate is None else rate,
                discriminator_steps=int(self.discriminator_steps),
                gradient_penalty=self._resolve_penalty(),
                penalty_interval=self._resolve_interval(),
                average_decay=self._resolve_decay(),
            )
        )

    @property
    def _schedule(self) -> str:
        return self._recipe.schedule if self.learning_rate == "auto" else self.learning_rate

    def _resolve_learning_rate(self) -> float:
        rate = self.learning_rate_init
        return self._recipe.rate if rate == "auto" else float(rate)

    @property
    def _recipe(self) -> Recipe:
        if self.architecture == "dense":
            return COURSE
        return IMAGES if self._format.has_images else VECTORS

    def _resolve_penalty(self) -> float:
        if self.gradient_penalty != "auto":
            return float(self.gradient_penalty)
        return 10.0 if self.loss == "wasserstein" else self._recipe.penalty

    def _resolve_interval(self) -> int:
        if self.penalty_interval != "auto":
            return int(self.penalty_interval)
        if self.loss == "wasserstein":
            return 1
        return 8 if self._format.has_images else 4

    def _resolve_decay(self) -> float:
        decay = self.average_decay
        return self._recipe.average_decay if decay == "auto" else float(decay)

    def _resolve_clusters(self, n_rows: int) -> int:
        """Return the number of groups that stand for labels, where there are none."""
        if has_labels(self):
            return 0
        if self.n_clusters != "auto":
            return 0 if self.n_clusters in (None, 1) else int(self.n_clusters)
        is_default = self.generator is None and self.discriminator is None
        if self.architecture == "dense" or not self._format.has_images or not is_default:
            return 0
        return automatic_groups(n_rows)

    # -------------------------------------------------------------------------------- networks

    def _build_network(
        self, data: CheckedData, random_state: np.random.RandomState, dtype: torch.dtype
    ) -> AdversarialNetwork:
        shape = self._format.sample
        n_groups, groups = self._resolve_clusters(data.n_counted), None
        if n_groups:
            groups = find_groups(data.X, data.sample_weight, self._format, n_groups, random_state)
        n_classes = self._targets.n_classes or n_groups
        generator = self._build_part("generator", shape, n_classes, random_state)
        discriminator = self._build_part("discriminator", shape, n_classes, random_state)
        network = AdversarialNetwork(
            generator,
            discriminator,
            self.latent_size,
            averages=self._resolve_decay() > 0,
            groups=groups,
        )
        if self._runs_user_code():
            try_networks(network, shape, n_classes)
        return network

    def _build_part(
        self, name: str, shape: tuple[int, ...], n_classes: int, random_state: Any
    ) -> nn.Module:
        """Return a network of the user's, or the built-in one."""
        given = getattr(self, name)
        if given is not None and not is_sizes(given):
            return build_given(name, given, self._part_arguments(n_classes))
        sizes = None if given is None else positive_integers(name, given)
        is_course = self.architecture == "dense"
        is_convolutional = sizes is None and not is_course and len(shape) == 3
        part: nn.Module
        if name == "generator" and is_convolutional:
            part = ConvGenerator(self.latent_size, shape, n_classes)
        elif name == "generator":
            part = DenseGenerator(
                self.latent_size,
                sizes or (COURSE_GENERATOR if is_course else GENERATOR),
                shape,
                n_classes,
                course=is_course,
                squashed=self._is_bounded,
            )
        elif is_convolutional:
            part = ConvDiscriminator(shape, n_classes)
        else:
            default = COURSE_DISCRIMINATOR if is_course else DISCRIMINATOR
            part = DenseDiscriminator(sizes or default, shape, n_classes)
        initialize(part, random_state, draws_biases=not (is_course or is_convolutional))
        return part

    def _part_arguments(self, n_classes: int) -> dict[str, Any]:
        """Return what factories of the user's may ask for, by name."""
        arguments = {"latent_size": self.latent_size, "n_classes": n_classes}
        return self._format.module_arguments() | arguments

    def _trace_layers(self) -> list[LayerTrace]:
        return [*self._trace_network("generator"), *self._trace_network("discriminator")]

    def _trace_network(self, name: str) -> list[LayerTrace]:
        """Return the layers of one of the networks, run on one row of zeros."""
        network, parameter = self.module_, first_parameter(self.module_)
        if name == "generator":
            inputs = parameter.new_zeros(1, network.latent_size)
        else:
            inputs = self._format.empty_batch(parameter.device, parameter.dtype)
        n_classes = self._targets.n_classes or len(network.groups or ())
        return trace_network(name, getattr(network, name), inputs, n_classes)

    def _measure_work(self) -> Work:
        if self._runs_user_code():
            weights = [each for each in self.module_.parameters() if each.requires_grad]
            return Work.of_training(None, max(each.numel() for each in weights))
        made, judged = self._trace_network("generator"), self._trace_network("discriminator")
        return Work.of_training(
            sum(each.multiplications for each in made)
            + 2 * sum(each.multiplications for each in judged),
            layer_size=max(each.output.numel() for each in made + judged),
        )

    # ------------------------------------------------------------------------ what it is for

    @validated(
        {
            "n_samples": [POSITIVE_INTEGER],
            "random_state": ["random_state"],
        }
    )
    def sample(
        self,
        n_samples: int = 1,
        *,
        y: Any = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> Any:
        """Make rows like those of X, in their form.

        Parameters
        ----------
        n_samples : int, default=1
            Number of samples.
        y : label or array-like of shape (n_samples,), default=None
            The label of all samples, or of each, of a generator that was fitted with labels. None
            draws them as often as they came in training.
        random_state : int, RandomState instance or None, default=None
            Draws the noise, and labels.

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, ...)
            Samples of the type and shape that X had; a DataFrame of pandas or polars, or a table of
            pyarrow, if X was one.

        Raises
        ------
        ValueError
            If y has labels that the generator does not know, or its samples are not finite.
        """
        check_is_fitted(self)
        fitted = self._as_it_is()
        rng = check_random_state(random_state)
        encoded = fitted._check_labels(n_samples, y, rng)
        seed = rng.randint(np.iinfo(np.int32).max)
        with fitted._own_defaults():
            return fitted._format.restore(fitted._make(n_samples, encoded, seed), fitted)

    def _check_labels(
        self, n_samples: int, y: Any, rng: np.random.RandomState
    ) -> np.ndarray | None:
        """Return numbers of classes or groups (n_samples,), drawn where none were given."""
        if not has_labels(self):
            if y is not None:
                raise ValueError(
                    "y was given, but the generator was fitted without labels; fit it with y."
                )
            groups = self.module_.groups
            return None if groups is None else groups.draw(n_samples, rng)
        if y is None:
            return self._targets.draw(n_samples, rng)
        require_labels(y)
        labels = np.asarray(y)
        if labels.ndim == 0:
            labels = np.full(n_samples, y)
        if labels.shape != (n_samples,):
            raise ValueError(
                f"y has shape {labels.shape}, but n_samples={n_samples}: give one label, or one "
                "for each sample."
            )
        return self._targets.encode(labels)

    @torch.inference_mode()
    def _make(self, n_samples: int, encoded: np.ndarray | None, seed: int) -> np.ndarray:
        """Return samples (n_samples, ...) as the generator makes them."""
        network, parameter = self.module_.sampler, first_parameter(self.module_)
        noise_generator = torch.Generator().manual_seed(seed)
        parts = []
        with self._prediction_threads(n_samples, parameter.device):
            for start in range(0, n_samples, SAMPLES_AT_ONCE):
                n = min(SAMPLES_AT_ONCE, n_samples - start)
                noise = torch.randn(n, self.latent_size, generator=noise_generator)
                noise = noise.to(parameter.device, parameter.dtype)
                labels = None
                if encoded is not None:
                    labels = torch.from_numpy(encoded[start : start + n]).to(parameter.device)
                parts.append(make_samples(network, noise, labels, self._compute_dtype).cpu())
        samples = torch.cat(parts)
        if not bool(samples.isfinite().all()):
            raise ValueError(
                "samples are not finite: the generator's weights have become too large. Fit it "
                "with a smaller learning_rate_init."
            )
        return samples.numpy()

    def discriminate(self, X: Any, y: Any = None) -> np.ndarray:
        """Return how real rows look to the discriminator.

        Parameters
        ----------
        X : as in `fit`
            Rows, or images.
        y : array-like of shape (n_samples,), default=None
            Their labels, where the generator was fitted with labels.

        Returns
        -------
        ndarray of shape (n_samples,)
            Probabilities that they are rows and no samples with ``loss="standard"``; else the
            discriminator's outputs, larger for what looks real.
        """
        check_is_fitted(self)
        fitted = self._as_it_is()
        if y is None and has_labels(self):
            raise ValueError("y is needed, since the generator was fitted with labels.")
        module = fitted.module_
        if y is not None:
            X = array_like(X, "X")
            labels = Conditions.check(array_like(y, "y"), fitted._format.check(X, fitted), "")
            module = Labelled(module, fitted._targets.encode(labels))
        outputs, dtype = fitted._compute_outputs(X, module)
        return fitted._loss.activate(outputs)[:, 0].cpu().numpy().astype(dtype)
