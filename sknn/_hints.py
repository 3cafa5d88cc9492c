"""What was meant: the names of other libraries, and errors that name the class that was called."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from sklearn.utils._available_if import _AvailableIfDescriptor

Class = TypeVar("Class", bound=type)

# Values of parameters by the names that they have elsewhere; those of a line are alternatives.
VALUES: dict[str, tuple[str, ...]] = {
    "log_loss": (
        *("cross_entropy", "crossentropy", "cross_entropy_loss", "categorical_crossentropy"),
        *("binary_crossentropy", "sparse_categorical_crossentropy", "bce", "ce", "nll", "softmax"),
    ),
    "squared_error": ("mse", "l2", "mse_loss", "mean_squared_error", "squared_loss", "brier"),
    "absolute_error": ("mae", "l1", "l1_loss", "mean_absolute_error"),
    "huber": ("smooth_l1", "huber_loss"),
    "quantile": ("pinball", "pinball_loss"),
    "logistic": ("sigmoid",),
    "identity": ("linear", "none"),
    "lbfgs": ("l_bfgs", "bfgs"),
    "sgd": ("gradient_descent", "momentum", "nesterov"),
    "cosine": ("cosine_annealing", "cosine_decay"),
    "one_cycle": ("onecycle", "onecyclelr"),
    "batch": ("batchnorm", "batch_norm", "bn"),
    "layer": ("layernorm", "layer_norm", "ln"),
    "glorot": ("xavier",),
    "he": ("kaiming",),
    "bfloat16": ("bf16", "mixed", "amp"),
    "float32": ("fp32", "single", "float", "half", "fp16", "float16"),
    "float64": ("fp64", "double"),
    "channels_first": ("nchw",),
    "channels_last": ("nhwc",),
    "average": ("avg", "mean"),
    "flip": ("hflip", "horizontal_flip", "mirror"),
    "rotate": ("rotation",),
    "erase": ("cutout", "random_erasing"),
    "skipgram": ("skip_gram", "sg", "word2vec"),
    "previous": ("ffill", "pad", "forward_fill", "last"),
    "interpolate": ("linear", "interpolation"),
    "all": ("full", "full_batch"),
}

# Parameters and arguments likewise.
KEYWORDS: dict[str, tuple[str, ...]] = {
    "max_iter": ("epochs", "max_epochs", "n_epochs", "num_epochs", "nb_epoch", "n_iter"),
    "learning_rate_init": ("lr", "eta", "eta0", "learning_rate_value"),
    "learning_rate": ("schedule", "scheduler", "lr_scheduler", "lr_schedule"),
    "solver": ("optimizer", "optim", "optimiser"),
    "loss": ("criterion", "objective", "loss_fn", "loss_function"),
    "hidden_layer_sizes": ("hidden_layers", "hidden_units", "layers", "units", "hidden_dims"),
    "hidden_size": ("units", "hidden_units", "hidden_dim", "n_hidden"),
    "alpha": ("weight_decay", "l2", "reg", "regularization"),
    "n_iter_no_change": ("patience",),
    "random_state": ("seed", "random_seed"),
    "validation_fraction": ("validation_split", "val_split", "val_size", "train_split"),
    "module": ("network", "model", "net", "build_fn"),
    "dropout": ("dropout_rate", "drop_rate"),
    "normalization": ("batch_norm", "batchnorm", "norm", "batch_normalization"),
    "augment": ("augmentation", "augmentations", "transform", "transforms"),
    "device": ("cuda", "gpu", "use_gpu"),
    "precision": ("dtype", "amp"),
    "max_grad_norm": ("gradient_clip", "clip_grad", "clipnorm", "gradient_clip_val"),
    "n_estimators": ("ensemble", "n_networks", "n_models"),
    "n_heads": ("num_heads", "heads", "nhead"),
    "n_layers": ("num_layers",),
    "vector_size": ("size", "embedding_dim", "embedding_size", "n_components"),
    "subsample": ("sample",),
    "n_jobs": ("workers", "n_threads"),
    "filters": ("channels", "n_filters", "conv_layers"),
    "checkpoint": ("checkpoint_dir", "checkpoint_path"),
    "past": ("lags", "n_lags", "window", "window_length", "input_size", "input_chunk_length"),
    "horizon": ("fh", "h", "n", "steps", "periods", "prediction_length", "output_chunk_length"),
    "interval": ("level", "levels", "coverage", "prediction_intervals"),
    "freq": ("frequency",),
    "id_column": ("id_col", "unique_id"),
    "time_column": ("time_col", "date_column", "ds"),
    "target_column": ("target_col", "value_column"),
    "sample_weight": ("sample_weights", "weights", "weight"),
    "X_val": ("X_valid", "X_validation", "X_test", "X_dev"),
    "y_val": ("y_valid", "y_validation", "y_test", "y_dev"),
    "sample_weight_val": ("sample_weights_val", "weights_val"),
}

# Arguments of other libraries that hold X and y of the validation data together.
VALIDATION_PAIRS = ("validation_data", "validation_set", "eval_set", "val_data", "valid_data")


def closest(word: str, choices: Iterable[str], elsewhere: dict[str, tuple[str, ...]]) -> str | None:
    """Return which of the choices is meant by a word; None if none is like it."""
    plain = {choice.lower().replace("-", "_"): choice for choice in sorted(choices)}
    wanted = word.lower().replace("-", "_").replace(" ", "_")
    if wanted in plain:
        return plain[wanted]
    for name, others in elsewhere.items():
        if name.lower() in plain and wanted in (other.lower() for other in others):
            return plain[name.lower()]
    like = difflib.get_close_matches(wanted, plain, n=1, cutoff=0.7)
    return plain[like[0]] if like else None


def did_you_mean(word: Any, choices: Iterable[str]) -> str:
    """Return a question, with a space before it; "" if no choice is like the word."""
    meant = closest(word, choices, VALUES) if isinstance(word, str) else None
    return "" if meant is None else f" Did you mean {meant!r}?"


def explains_calls(cls: Class) -> Class:
    """Have a class's own methods name the class that the user called, and what was meant."""
    own = [base for base in cls.__bases__ if base.__module__.startswith("sklearn.base")]
    for name, member in [pair for base in (*own, cls) for pair in vars(base).items()]:
        if name.startswith("_") and name != "__init__":
            continue
        if inspect.isfunction(member):
            setattr(cls, name, _explained(member))
        elif inspect.isfunction(getattr(member, "fn", None)):  # of scikit-learn's available_if
            member.fn = _explained(member.fn)
    return cls


class _Available(_AvailableIfDescriptor):
    """A method of scikit-learn's `available_if`, whose error says why the method is missing."""

    def _check(self, obj: Any, owner: Any) -> None:
        try:
            super()._check(obj, owner)
        except AttributeError as error:
            if isinstance(error.__cause__, AttributeError):
                raise error.__cause__ from None
            raise


def available_if(check: Callable[[Any], bool]) -> Callable[[Callable[..., Any]], Any]:
    """Hide a method for which `check` raises AttributeError; its text is what callers get."""
    return lambda method: _Available(method, check, method.__name__)


def require_call(instance: Any, name: str, *args: Any, **kwargs: Any) -> None:
    """Raise the TypeError that a method would raise for these arguments, without calling it."""
    text = _complaint(getattr(type(instance), name), instance, args, kwargs)
    if text is not None:
        raise TypeError(text)


def _explained(method: Callable[..., Any]) -> Callable[..., Any]:
    if hasattr(method, "_explains_calls"):
        return method

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except TypeError as error:
            text = _complaint(method, self, args, kwargs)
            if text is None:  # it comes from within
                raise
            raise TypeError(text) from error

    call._explains_calls = True  # type: ignore[attr-defined]
    return call


_signature = functools.cache(inspect.signature)


def _complaint(
    method: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> str | None:
    """Say what is wrong with the arguments of a call; None if nothing is."""
    signature = _signature(method)
    try:
        signature.bind(instance, *args, **kwargs)
    except TypeError as error:
        cls, name = type(instance), method.__name__
        called = cls.__name__ if name == "__init__" else f"{cls.__name__}.{name}"
        names = [each for each in signature.parameters if each != "self"]
        unknown = [each for each in kwargs if each not in names]
        if unknown:
            hint = _keyword_hint(unknown[0], names, cls, name)
            return f"{called}() got an unexpected keyword argument {unknown[0]!r}.{hint}"
        if "too many positional" in str(error):
            kinds = [each.kind for each in signature.parameters.values()]
            n_positional = kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD) - 1
            others = f"all but {', '.join(names[:n_positional])}" if n_positional > 0 else "all"
            return f"{called}() got too many positional arguments. Pass {others} by name."
        verb = "is" if str(error).startswith("missing") else "got"
        return f"{called}() {verb} {error}."
    return None


def _keyword_hint(word: str, names: list[str], cls: type, method: str) -> str:
    parameters = list(inspect.signature(cls).parameters)
    if word in VALIDATION_PAIRS:
        whose = "" if method == "fit" else " of fit"
        return f" Validation data are the arguments X_val and y_val{whose}."
    meant = closest(word, names, KEYWORDS)
    if meant is not None:
        return f" Did you mean {meant!r}?"
    if method == "__init__":
        if closest(word, ["X_val", "y_val", "sample_weight"], KEYWORDS):
            return " Data are arguments of fit."
        return ""
    meant = closest(word, parameters, KEYWORDS)
    if meant is None:
        return ""
    return f" {meant} is a parameter of the class: {cls.__name__}({meant}=...)."
