"""The parameters of adversarial generators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from sklearn.utils._param_validation import StrOptions
from torch import nn

from sknn._parameters import declares_parameters, inherited, parameter
from sknn._validation import BELOW_ONE, NOT_NEGATIVE, POSITIVE, POSITIVE_INTEGER
from sknn.estimators._base import NeuralEstimator
from sknn.estimators.images._convolutional import ConvEstimator
from sknn.nn import ADVERSARIAL_LOSSES
from sknn.training import HORIZON_SCHEDULES, SOLVERS


@declares_parameters
class AdversarialParameters(NeuralEstimator):
    """What a user decides about two networks that learn against each other.

    Parameters
    ----------
    {parameters}
    """

    latent_size: int = parameter(
        default=100,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Numbers of noise, each standard normal, that a sample is made of.""",
    )
    architecture: str = parameter(
        default="auto",
        constraints=[StrOptions({"auto", "dense"})],
        doc="""{"auto", "dense"}
        The networks. "auto" is convolutional for images, and dense for vectors. "dense" has
        hidden layers of 256, 512 and 1024 units in the generator, each with leaky ReLU (slope
        0.2) and then batch normalization, and a hyperbolic tangent at the end; in the
        discriminator 512 and 256 with leaky ReLU. It is that of many courses, and so are the
        defaults of the training with it.""",
    )
    generator: Any = parameter(
        default=None,
        constraints=["array-like", nn.Module, callable, None],
        doc="""array-like, torch.nn.Module, callable or None
        The generator in place of the built-in one: sizes of hidden dense layers; a list of torch
        layers; a module, which is copied and keeps its initial weights; or a class or factory,
        which is called with those of `latent_size`, `n_classes`, `n_features_in`, `image_shape`
        and `n_channels` that it takes. It maps noise of shape (n, latent_size) to samples of
        shape (n, n_features) or (n, channels, height, width). With y, modules get the numbers
        of the classes, (n,), beside the noise; layers get them as `n_classes` further columns.""",
    )
    discriminator: Any = parameter(
        default=None,
        constraints=["array-like", nn.Module, callable, None],
        doc="""array-like, torch.nn.Module, callable or None
        The discriminator, in the same ways. It maps samples to logits of shape (n, 1). With y,
        modules get the numbers of the classes beside the samples; layers get them as `n_classes`
        further columns, or channels of images.""",
    )
    loss: str = parameter(
        default="standard",
        constraints=[StrOptions(set(ADVERSARIAL_LOSSES))],
        doc="""{"standard", "wasserstein", "hinge"}
        What is learned by. "standard" is the log loss of the discriminator, and for the
        generator minus the logarithm of the probability that its samples are taken for real
        [1]_; "wasserstein" is the difference of the mean outputs, with a penalty of slopes other
        than 1 [2]_; "hinge" asks for outputs above 1 for rows and below -1 for samples.""",
    )
    gradient_penalty: float | str = parameter(
        default="auto",
        constraints=[NOT_NEGATIVE, StrOptions({"auto"})],
        doc="""float or "auto"
        Strength of the penalty of the discriminator's slopes: of their deviation from 1 between
        rows and samples for "wasserstein" [2]_, else half their square at the rows (R1, [3]_).
        "auto" is 10 for "wasserstein", 0 for ``architecture="dense"``, and else 0.02 for images
        and 0.3 for vectors.""",
    )
    penalty_interval: Any = parameter(
        default="auto",
        constraints=[POSITIVE_INTEGER, StrOptions({"auto"})],
        doc="""int or "auto"
        The penalty, which costs as much as the rest of a step, is part of each so many steps, and
        as many times as strong. "auto" is 1 for "wasserstein", and else 8 for images and 4 for
        vectors.""",
    )
    discriminator_steps: int = parameter(
        default=1,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Steps of the discriminator for each of the generator.""",
    )
    average_decay: float | str = parameter(
        default="auto",
        constraints=[BELOW_ONE, StrOptions({"auto"})],
        doc="""float or "auto"
        Samples are made with an average of the generator's weights, of which each step keeps
        this share; less while there have been few steps. 0 takes the weights as they are; "auto"
        is 0 for ``architecture="dense"`` and 0.999 else.""",
    )
    n_clusters: Any = parameter(
        default="auto",
        constraints=[POSITIVE_INTEGER, StrOptions({"auto"}), None],
        doc="""int, "auto" or None
        Groups that stand for labels where there is no y: k-means finds them, and both networks
        see them as they see labels [4]_, so that samples vary as rows do. "auto" is a group for
        each 200 images, but at most 50, for the convolutional networks, and None else. None and 1
        mean no groups.""",
    )
    image_shape: Sequence[int] | None = parameter(
        default=None,
        constraints=["array-like", None],
        doc="""sequence of int or None
        Height, width and, if there are several, channels of images that come as flat rows. None
        takes flat rows as vectors.""",
    )
    data_format: str = inherited(ConvEstimator, "data_format", default="channels_last")
    batch_size: int | str = parameter(
        default="auto",
        constraints=[StrOptions({"auto", "all"}), POSITIVE_INTEGER],
        doc="""int, "auto" or "all"
        Rows a batch, beside which there are as many samples; "auto" is 32 for
        ``architecture="dense"`` and 64 else, and "all" every row.""",
    )
    solver: Any = parameter(
        default="adam",
        constraints=[StrOptions(set(SOLVERS)), callable],
        doc=f"""{{{", ".join(f'"{each}"' for each in SOLVERS)}}} or torch.optim.Optimizer class
        How the weights are optimised, of each network by itself. A class, or a `functools.partial`
        of one, is called with the module's parameters and those of `lr`, `betas`, `eps`, `momentum`
        and `nesterov` that it takes.""",
    )
    learning_rate: str = parameter(
        default="auto",
        constraints=[StrOptions({"auto", "constant", *HORIZON_SCHEDULES})],
        doc="""{"auto", "constant", "cosine", "one_cycle", "warmup_cosine", "step"}
        Schedule of both learning rates, over `max_iter` epochs; `partial_fit` stays at the peak.
        "auto" is "constant" for ``architecture="dense"`` and "cosine" else.""",
    )
    learning_rate_init: Any = parameter(
        default="auto",
        constraints=[POSITIVE, StrOptions({"auto"})],
        doc="""float or "auto"
        The learning rate, or the peak of its schedule. "auto" is 0.0002 for
        ``architecture="dense"``, and 0.001 else.""",
    )
    discriminator_learning_rate: float | None = parameter(
        default=None,
        constraints=[POSITIVE, None],
        doc="""float or None
        The learning rate of the discriminator; None is that of the generator.""",
    )
    beta_1: float = inherited(NeuralEstimator, "beta_1", default=0.5)
    precision: str = inherited(NeuralEstimator, "precision", default="float32")
    max_iter: Any = parameter(
        default="auto",
        constraints=[StrOptions({"auto"}), POSITIVE_INTEGER],
        doc="""int or "auto"
        Epochs. "auto" is as many as give 5000 steps for ``architecture="dense"``, 12,000 for
        images and 8000 else.""",
    )

    _common_attributes: ClassVar[str] = """
        module_ : torch.nn.Module
            Both networks, `generator` and `discriminator`, and the averaged generator, `average`,
            which is None without one.
        history_ : list of dict
            For each epoch `discriminator_loss`, the sum of its mean losses of rows and of samples
            (2 log 2 = 1.39 for "standard" where it cannot tell them apart), and `generator_loss`;
            `train_loss`, which is the former, `train_score`, the share of the rows that were taken
            for real, `learning_rate` at its start, and `dur`, its seconds. None of them says how
            good samples are.
        classes_ : ndarray of shape (n_classes,)
            The labels, if there were any.
        loss_ : float
            The discriminator's loss in the last epoch.
        loss_curve_ : list of float
            The discriminator's loss in each epoch.
        best_loss_ : float
            Its smallest.
        validation_scores_ : None
            There is nothing to validate.
        best_validation_score_ : None
            Likewise.
        n_iter_ : int
            Epochs of the last call of `fit` or `partial_fit`.
        n_outputs_ : int
            Outputs of the discriminator: 1.
        n_parameters_ : int
            Number of trainable parameters, of both networks.
        out_activation_ : str
            Output activation of the discriminator: "logistic" with ``loss="standard"``, else
            "identity".
        t_ : int
            Number of rows seen in training, repetitions included.
        n_features_in_ : int
            Number of features, if X was two-dimensional.
        feature_names_in_ : ndarray of shape (`n_features_in_`,)
            Names of the features, where X has string column names.
        """
