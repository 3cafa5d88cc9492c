"""Parameters, input convention and network of autoencoders."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import _fit_context
from sklearn.callback import with_callbacks
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sknn._documentation import paragraph
from sknn._parameters import declares_parameters, inherited, parameter
from sknn._validation import NOT_NEGATIVE, POSITIVE_INTEGER
from sknn.data import dense_rows, in_parts
from sknn.estimators._base import NeuralEstimator
from sknn.estimators._checks import CheckedData, FitArguments
from sknn.estimators._inputs import array_like
from sknn.estimators._layers import positive_integers
from sknn.estimators._modules import build_user_module, try_module
from sknn.estimators._scaled_format import ScaledFormat, require_two
from sknn.estimators._training_parameters import refuse_with_lbfgs
from sknn.estimators.images import ConvEstimator
from sknn.nn import (
    ACTIVATIONS,
    LIKELIHOODS,
    AutoencoderNetwork,
    ConvDecoder,
    ConvEncoder,
    dense_coders,
    describe_activations,
    draw_weights,
    first_parameter,
)
from sknn.training import Work, forward, rows_at_once

from ._scales import scaled
from ._targets import ReconstructionTargets

# Units of the hidden layers that None stands for.
HIDDEN_LAYER_SIZES = {"dense": (512, 128), "conv": (128,)}
FEWEST_EPOCHS = {"dense": 20, "conv": 10}
FEWEST_UPDATES = 1000

LOSS_DOC = "\n".join(f'- "{name}": {text}' for name, text in LIKELIHOODS.items())


@declares_parameters
class AutoencoderEstimator(NeuralEstimator):
    """Base class of the autoencoders.

    Parameters
    ----------
    {parameters}
    """

    n_components: int | None = parameter(
        default=None,
        constraints=[POSITIVE_INTEGER, None],
        kw_only=False,
        doc="""int or None
        Numbers of a code. None is 32, or half the columns of X where these are fewer than 64. More
        than X has columns are for denoising and sparse autoencoders.""",
    )
    architecture: str = parameter(
        default="auto",
        constraints=[StrOptions({"auto", "dense", "conv"})],
        doc="""{"auto", "dense", "conv"}
        The network: dense layers, or convolutions before and transposed convolutions behind dense
        layers. "auto" is "conv" for images and "dense" for vectors.""",
    )
    hidden_layer_sizes: int | Sequence[int] | None = parameter(
        default=None,
        constraints=["array-like", POSITIVE_INTEGER, None],
        doc="""int, array-like of int or None
        Units of each hidden dense layer of the encoder, from X to the code. None is (512, 128), and
        (128,) behind convolutions, each at least `n_components`. An empty tuple without
        convolutions is a linear autoencoder, which spans the space of the principal components.""",
    )
    decoder_layer_sizes: int | Sequence[int] | None = parameter(
        default=None,
        constraints=["array-like", POSITIVE_INTEGER, None],
        doc="""int, array-like of int or None
        The same of the decoder, from the code to X. None is the mirror image of the encoder.""",
    )
    filters: int | Sequence[int] = parameter(
        default=(16, 32),
        constraints=["array-like", POSITIVE_INTEGER],
        doc="""int or array-like of int
        Filters of the convolutions of the encoder, each of which halves the images; the decoder
        has them in reverse.""",
    )
    activation: Any = parameter(
        default="relu",
        constraints=[StrOptions(set(ACTIVATIONS)), callable],
        doc="str or callable\n"
        + paragraph(f"""Activation function of the hidden layers: {describe_activations()}."""),
    )
    encoder: Any = parameter(
        default=None,
        constraints=[nn.Module, callable, None],
        doc="""torch.nn.Module, callable or None
        An encoder of your own: a module, which is copied, or a class or factory, which is called
        with those of `n_components`, `n_outputs` (twice as many with `variational`), and
        `n_features_in` or `image_shape` and `n_channels`, that it takes. It maps batches of shape
        (n, n_features) or (n, channels, height, width) to (n, n_outputs): codes, or with
        `variational` means and logarithms of variances side by side.""",
    )
    decoder: Any = parameter(
        default=None,
        constraints=[nn.Module, callable, None],
        doc="""torch.nn.Module, callable or None
        A decoder of your own, likewise, with `n_outputs` the numbers of a sample. It maps codes
        (n, n_components) to the shape of such a batch, or to (n, n_outputs); to logits with
        ``loss="log_loss"``.""",
    )
    loss: str = parameter(
        default="squared_error",
        constraints=[StrOptions(set(LIKELIHOODS))],
        doc='{"squared_error", "log_loss"}\n'
        "What a reconstruction costs, summed over columns, in the units of `standardize`:\n\n"
        + LOSS_DOC,
    )
    standardize: str | None = parameter(
        default="auto",
        constraints=[StrOptions({"auto", "columns", "whole"}), None],
        doc="""{"auto", "columns", "whole"} or None
        The units in which the network sees X, whose reconstructions come back in those of X.
        "columns" is every column less its mean, divided by its standard deviation; "whole" divides
        all columns by one number, so that those which vary most count most; None is X as it is
        (bytes of images from 0 to 1). "auto" is None with ``loss="log_loss"``, "whole" for images
        and bytes, and else "columns".""",
    )
    noise: str = parameter(
        default="gaussian",
        constraints=[StrOptions({"gaussian", "masking"})],
        doc="""{"gaussian", "masking"}
        What a denoising autoencoder's inputs suffer in training (Vincent et al., 2010): normal
        noise, or numbers that are set to 0, which is the mean where X is standardized.""",
    )
    noise_amount: float = parameter(
        default=0.0,
        constraints=[NOT_NEGATIVE],
        doc="""float
        Standard deviation of the noise in the units of `standardize`, or the share of the numbers
        that are set to 0, below 1. Its targets are clean. 0 is no noise.""",
    )
    sparsity: float = parameter(
        default=0.0,
        constraints=[NOT_NEGATIVE],
        doc="""float
        Weight of the sum of a code's numbers in the loss. Above 0, codes end in a ReLU: their
        numbers are not negative, and most of them are 0.""",
    )
    image_shape: Sequence[int] | None = inherited(ConvEstimator, "image_shape", default=None)
    data_format: str = inherited(ConvEstimator, "data_format", default="channels_last")
    solver: Any = inherited(NeuralEstimator, "solver", default="adamw")
    alpha: float = inherited(NeuralEstimator, "alpha", default=0.01)
    batch_size: int | str = parameter(
        default="auto",
        constraints=[StrOptions({"auto", "all"}), POSITIVE_INTEGER],
        doc="""int, "auto" or "all"
        Samples a batch; "auto" is an eightieth of the training samples, but at least 16 and at
        most 128, and "all" every sample. Not used by "lbfgs".""",
    )
    learning_rate: str = inherited(NeuralEstimator, "learning_rate", default="one_cycle")
    learning_rate_init: float = inherited(NeuralEstimator, "learning_rate_init", default=0.005)
    max_iter: Any = parameter(
        default="auto",
        constraints=[StrOptions({"auto"}), POSITIVE_INTEGER],
        doc="""int or "auto"
        Largest number of epochs (of iterations for "lbfgs"). "auto" is 20, with convolutions 10,
        and for few samples as many as give 1000 updates of the weights; 1000 for "lbfgs".""",
    )

    _family_attributes: ClassVar[str] = """
        n_components_ : int
            Numbers of a code.
        n_features_in_ : int
            Number of features, if X was two-dimensional.
        """

    # an encoder and a decoder take its place
    module: ClassVar[None] = None  # type: ignore[misc]

    _format_kind = ScaledFormat
    _format: ClassVar[ScaledFormat]
    _targets_kind = ReconstructionTargets
    _targets: ClassVar[ReconstructionTargets]
    _takes = ("sparse", "three_d_array")
    _scales_data = True

    _architecture_of_images: ClassVar[str] = "conv"  # that "auto" stands for
    # components that None stands for, where X has twice as many columns at least
    _most_components: ClassVar[int] = 32

    # a class that can be variational declares these as parameters
    variational: ClassVar[bool] = False
    beta: ClassVar[float] = 1.0

    # ------------------------------------------------------------------------------------ fit

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Any:
        """Learn to write samples as codes, and to read them back.

        Ctrl-C ends the training, leaves the estimator fitted with the weights so far, and is
        raised again. With `checkpoint`, a call with the same data and parameters goes on where
        the last one was interrupted.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, height, width[, channels])
            Vectors, which may be a sparse CSR matrix, or images.
        y : None
            Not used.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative.
        X_val : as X, default=None
            Validation samples. They are scored after every epoch, whether or not
            `early_stopping` makes use of them.
        sample_weight_val : array-like of shape (n_val,), default=None
            Their weights.

        Returns
        -------
        self : estimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If X has one sample, is not finite or not of the form that the parameters ask for, or
            training diverges.
        """
        if sample_weight_val is not None and X_val is None:
            raise ValueError("sample_weight_val was given without X_val.")
        validation = None if X_val is None else (X_val, None, sample_weight_val)
        return self._fit(FitArguments(X, None, sample_weight, validation))

    def _learn_features(self, X: Any, sample_weight: np.ndarray | None) -> Any:
        """Learn the units in which the network sees X, and how many numbers codes have."""
        found, targets = self._format, self._targets
        require_two(X, sample_weight)
        if self.architecture == "conv" and not found.has_images:
            raise ValueError(
                'architecture="conv" needs images: X of shape (n_samples, height, width) or '
                "(n_samples, height, width, channels), or image_shape for flat rows."
            )
        self._check_kind()
        kind = self.standardize
        if self.loss == "log_loss":
            if kind not in ("auto", None):
                raise ValueError(
                    f'loss="log_loss" is of X from 0 to 1, which standardize={kind!r} would '
                    "change; use None."
                )
            kind = None
            found = found._replace(is_unit=True)
            found.check_unit(X)
        elif kind == "auto":
            kind = "whole" if found.has_images or found.has_bytes else "columns"
        found, variance = scaled(found, X, sample_weight, kind)
        n_components = self._resolve_components(targets.n_columns)
        n_told = {"plain": 0, "sparse": 1, "variational": 2}[self.code_penalty[0]] * n_components
        targets = replace(targets, n_told=n_told, variance=variance)
        self.__dict__.update(_format=found, _targets=targets, n_components_=n_components)
        return X

    def _check_kind(self) -> None:
        """Refuse parameters that exclude each other, or the solver."""
        if self.sparsity and self.variational:
            raise ValueError("sparsity and variational=True exclude each other; set one of them.")
        if self.noise == "masking" and self.noise_amount >= 1:
            raise ValueError(
                f"noise_amount={self.noise_amount:g} must be below 1: it is the share of the "
                'numbers that noise="masking" sets to 0.'
            )
        if self.noise_amount:
            refuse_with_lbfgs(self.solver, "noise_amount", off=0)
        if self.variational:
            refuse_with_lbfgs(self.solver, "variational=True", off=False)

    @property
    def code_penalty(self) -> tuple[str, float]:
        """What is asked of codes, "plain" for nothing, and how much it weighs in the loss."""
        if self.variational:
            return "variational", float(self.beta)
        return ("sparse", float(self.sparsity)) if self.sparsity else ("plain", 0.0)

    def _resolve_components(self, n_columns: int) -> int:
        if self.n_components is None:
            return min(self._most_components, -(-n_columns // 2))
        if self.n_components > n_columns and not (self.sparsity or self.noise_amount):
            raise ValueError(
                f"n_components={self.n_components} is more than the {n_columns} numbers of a "
                "sample, which could be copied; use fewer, or sparsity or noise_amount above 0."
            )
        return int(self.n_components)

    @property
    def _is_conv(self) -> bool:
        """Whether the built-in network has convolutions."""
        architecture = self.architecture
        if architecture == "auto":
            architecture = self._architecture_of_images
        return self._format.has_images and architecture == "conv"

    def _automatic_batch_size(self, n_samples: int) -> int:
        return min(max(n_samples // 80, 16), 128, n_samples)

    def _resolve_max_iter(self, n_samples: int) -> int:
        if self.max_iter != "auto":
            return int(self.max_iter)
        if self.solver == "lbfgs":
            return 1000
        n_batches = self._count_batches(n_samples)
        fewest = FEWEST_EPOCHS["conv" if self._is_conv else "dense"]
        return max(fewest, math.ceil(FEWEST_UPDATES / n_batches))

    # -------------------------------------------------------------------------------- network

    def _build_network(
        self, data: CheckedData, random_state: np.random.RandomState, dtype: torch.dtype
    ) -> AutoencoderNetwork:
        kind = self.code_penalty[0]
        n_codes = self.n_components_ * (2 if kind == "variational" else 1)
        encoder, decoder = self._build_coders(n_codes, random_state, dtype)
        network = AutoencoderNetwork(
            encoder,
            decoder,
            self.n_components_,
            kind=kind,
            noise=self.noise,
            noise_amount=float(self.noise_amount),
        )
        if self.encoder is not None or self.decoder is not None:
            self._try_coders(network, n_codes, dtype)
        return network

    def _build_coders(
        self, n_codes: int, random_state: np.random.RandomState, dtype: torch.dtype
    ) -> tuple[nn.Module, nn.Module]:
        """Return encoder and decoder, with those of the user's in their places."""
        sample, k = self._format.sample, self.n_components_
        is_conv = self._is_conv
        sizes = self.hidden_layer_sizes
        if sizes is None:
            own = HIDDEN_LAYER_SIZES["conv" if is_conv else "dense"]
            sizes = [max(size, k) for size in own]
        widths = positive_integers("hidden_layer_sizes", sizes)
        back = widths[::-1]
        if self.decoder_layer_sizes is not None:
            back = positive_integers("decoder_layer_sizes", self.decoder_layer_sizes)
        encoder: nn.Module
        decoder: nn.Module
        if is_conv:
            filters = positive_integers("filters", self.filters)
            if not filters:
                raise ValueError('filters is empty; use architecture="dense" for dense layers.')
            assert len(sample) == 3
            encoder = ConvEncoder(sample, filters, widths, n_codes, self.activation)
            decoder = ConvDecoder(k, back, filters[::-1], sample, self.activation)
            for each in (encoder, decoder):
                draw_weights(each, random_state)
        else:
            encoder, decoder = dense_coders(
                math.prod(sample),
                n_codes,
                k,
                widths,
                back,
                activation=self.activation,
                random_state=random_state,
                dtype=dtype,
            )
            if len(sample) > 1:
                encoder = nn.Sequential(nn.Flatten(), encoder)
        given = self._format.module_arguments() | {"n_components": k}
        if self.encoder is not None:
            encoder = build_user_module(self.encoder, given | {"n_outputs": n_codes})
        if self.decoder is not None:
            decoder = build_user_module(self.decoder, given | {"n_outputs": math.prod(sample)})
        return encoder, decoder

    def _try_coders(self, network: AutoencoderNetwork, n_codes: int, dtype: torch.dtype) -> None:
        """Run the user's modules on a sample: what does not fit is refused before training."""
        cpu = torch.device("cpu")
        zeros = self._format.empty_batch(cpu, dtype)
        network.to(dtype)
        n_columns = self._targets.n_columns
        tried = [
            ("encoder", network.encoder, zeros, n_codes),
            ("decoder", network.decoder, zeros.new_zeros(1, self.n_components_), n_columns),
        ]
        for name, module, batch, n_wanted in tried:
            outputs = try_module(module, name, batch)
            n_found = math.prod(outputs.shape[1:])
            is_flat = name == "decoder" or outputs.ndim == 2
            if len(outputs) != 1 or n_found != n_wanted or not is_flat:
                raise ValueError(
                    f"{name} returned outputs of shape {tuple(outputs.shape)} for one sample; "
                    f"shape (1, {n_wanted}) is needed."
                )

    def _runs_user_code(self) -> bool:
        return (
            self.encoder is not None
            or self.decoder is not None
            or callable(self.activation)
            or callable(self.solver)
        )

    def _draws_torch_numbers(self) -> bool:
        return (
            self.noise_amount > 0
            or self.variational
            or bool(self.callbacks)
            or self._runs_user_code()
        )

    def _measure_work(self) -> Work:
        n_columns = self._targets.n_columns
        if self._runs_user_code():
            return Work.of_training(None, layer_size=max(n_columns, 512))
        layers = self._trace_layers()
        return Work.of_training(
            sum(layer.multiplications for layer in layers),
            layer_size=max(n_columns, *(layer.output.numel() for layer in layers)),
        )

    # ------------------------------------------------------------------------ reconstructions

    def _measure(
        self, X: Any, measure: Callable[[Tensor, Tensor], Tensor]
    ) -> tuple[np.ndarray, np.dtype]:
        """Return what `measure` finds of each sample, and the float type of answers.

        It gets the network's outputs (n, n_outputs) and the samples (n, n_columns), some at a time.
        """
        check_is_fitted(self)
        with self._own_defaults(), torch.inference_mode():
            X = self._format.check(array_like(X, "X"), self)
            parameter = first_parameter(self.module_)
            place = parameter.device, parameter.dtype
            n_rows = rows_at_once(self._work.layer_size, parameter.device, training=True)
            found = []
            with self._prediction_threads(X.shape[0], parameter.device):
                for part in in_parts(X, n_rows):
                    batch = self._format.rows(part, *place, self.module_).slice(0, part.shape[0])
                    outputs = forward(self.module_, batch, self._compute_dtype)
                    self._refuse_overflow(outputs)
                    samples = dense_rows(batch).flatten(1)
                    found.append(measure(outputs, samples).cpu().numpy())
        return np.concatenate(found), self._answer_type(X)

    def _residuals(self, outputs: Tensor, samples: Tensor) -> Tensor:
        """Return reconstructions less samples, (n, n_columns), as the network sees them."""
        return self._loss.activate(outputs) - samples
