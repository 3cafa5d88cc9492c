"""Neural networks on torch that behave like every other scikit-learn estimator."""

from typing import TYPE_CHECKING, Any

from ._saving import file_info, load, save
from ._version import __version__ as __version__
from .estimators import (
    AttentionClassifier,
    AttentionRegressor,
    ConvClassifier,
    ConvRegressor,
    ConvSeriesClassifier,
    ConvSeriesRegressor,
    NeuralClassifier,
    NeuralRegressor,
    RecurrentClassifier,
    RecurrentRegressor,
    TabularClassifier,
    TabularRegressor,
)

if TYPE_CHECKING:
    from .export import export_onnx, export_torch

__all__ = [
    "AttentionClassifier",
    "AttentionRegressor",
    "ConvClassifier",
    "ConvRegressor",
    "ConvSeriesClassifier",
    "ConvSeriesRegressor",
    "NeuralClassifier",
    "NeuralRegressor",
    "RecurrentClassifier",
    "RecurrentRegressor",
    "TabularClassifier",
    "TabularRegressor",
    "export_onnx",
    "export_torch",
    "file_info",
    "load",
    "save",
]


def __getattr__(name: str) -> Any:
    """Import the exporters, which bring torch's compiler with them, when they are asked for."""
    if name in ("export_onnx", "export_torch"):
        from . import export

        return getattr(export, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
