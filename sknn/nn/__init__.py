"""Torch modules and functions; no scikit-learn, no skorch."""

from .activations import ACTIVATIONS, Activation, describe_activations, find_activation
from .adversarial import ADVERSARIAL_LOSSES, AdversarialLoss, AdversarialNetwork
from .airbench import AirbenchNetwork, WhiteningConv
from .answers import ValueLayer
from .attention import AttentionEncoder, sinusoidal_positions
from .augmentation import AUGMENTATIONS, FlipAverage, describe_augmentations, make_augmentation
from .autoencoder import (
    AutoencoderNetwork,
    CodesOf,
    ConvDecoder,
    ConvEncoder,
    ReconstructionsOf,
    dense_coders,
    draw_weights,
)
from .backprop import DenseBackprop, cut, flat_order
from .convolutional import IMAGE_POOLINGS, ConvNetwork, Convolution
from .defaults import float32_everywhere, own_defaults
from .dense import DenseNetwork
from .encoder_decoder import LabelDecoder, ValueDecoder
from .ensemble import EnsembleNetwork, SideBySide, average_outputs
from .features import (
    FIRST_LEVEL,
    MISSING,
    UNKNOWN,
    FeatureEncoder,
    NumberEncoding,
    PeriodicEncoding,
)
from .images import INITIALIZATIONS, ImageNetwork, output_size
from .inception import InceptionEncoder, LiteEncoder
from .layers import Embedding, TokenEmbedding, dropped_levels, per_layer
from .losses import (
    CLASSIFICATION_LOSSES,
    LIKELIHOODS,
    PROBABILITY_ACTIVATIONS,
    REGRESSION_LOSSES,
    CallableLoss,
    ClassificationLoss,
    GaussianLoss,
    Loss,
    QuantilesLoss,
    ReconstructionLoss,
    RegressionLoss,
    declared_activation,
    describe_losses,
    make_classification_loss,
    make_regression_loss,
    weighted_mean,
)
from .randomness import Generators, generator_on
from .recurrent import CELLS, RecurrentEncoder
from .residual import ResidualNetwork
from .rocket import FeatureNetwork, RocketFeatures
from .series import (
    SERIES_POOLINGS,
    Noise,
    SeriesConvolution,
    SeriesEncoder,
    SeriesNetwork,
    Standardize,
    Stem,
    Unstandardize,
    valid_steps,
)
from .stack import StackedBackprop
from .table_inputs import ArrangeTable
from .tracing import LayerTrace, trace_layers
from .walks import first_parameter, moved, parameters_of, set_mode
