"""scikit-learn estimators that train torch networks."""

from ._base import NeuralEstimator
from ._calibration import (
    Calibration,
    fit_quantile_shift,
    fit_temperature,
    fit_variance_factor,
)
from ._fitted import FittedParts, on_the_cpu, pairs_rows, parts_of
from ._shared import SharedData
from ._together import FitTask, bytes_per_fit, fit_together, flops_per_fit, stacking_key
from .decomposition import Autoencoder, AutoencoderOutlierDetector
from .dense import NeuralClassifier, NeuralRegressor
from .generative import AdversarialGenerator, frechet_distance
from .images import ConvClassifier, ConvRegressor
from .sequences import (
    EncoderDecoderClassifier,
    EncoderDecoderRegressor,
    SequenceGenerator,
    StepClassifier,
    StepRegressor,
)
from .series import (
    AttentionClassifier,
    AttentionRegressor,
    ConvSeriesClassifier,
    ConvSeriesRegressor,
    RecurrentClassifier,
    RecurrentRegressor,
    RocketFormat,
)
from .tabular import TableFormat, TabularClassifier, TabularRegressor
