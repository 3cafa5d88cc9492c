"""The parameters of the estimators for tables."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from sknn._parameters import declares_parameters, inherited, parameter
from sknn._validation import NOT_NEGATIVE, POSITIVE, POSITIVE_INTEGER
from sknn.estimators._ensemble import EnsembleEstimator
from sknn.estimators._features import NUMERICAL_EMBEDDINGS, EmbeddingParameters
from sknn.estimators._layers import LayerParameters

AUTO = StrOptions({"auto"})


@declares_parameters
class TabularParameters(EnsembleEstimator, EmbeddingParameters, LayerParameters):
    """What a user decides about a network for tables.

    Parameters
    ----------
    {parameters}
    """

    categorical_features: Any = parameter(
        default="from_dtype",
        constraints=["array-like", StrOptions({"from_dtype"}), None],
        doc="""array-like of {bool, int, str}, "from_dtype" or None
        Which columns are categories: a mask, column numbers or column names. "from_dtype" takes
        columns of categories and of strings; with None every column has to be a number.""",
    )
    numerical_embedding: Any = inherited(
        EmbeddingParameters, "numerical_embedding", default=NUMERICAL_EMBEDDINGS
    )
    scaling: str | None = parameter(
        default="robust",
        constraints=[StrOptions({"robust", "standard"}), None],
        doc="""{"robust", "standard"} or None
        How numbers are scaled. "robust" takes off the median, divides by the interquartile range
        and clips smoothly, ``x / sqrt(1 + (x / 3)^2)``; "standard" takes off the mean and divides
        by the standard deviation. Missing numbers become the median in any case, and an indicator
        says so.""",
    )
    frequency_scale: float = parameter(
        default=0.1,
        constraints=[POSITIVE],
        doc="""float
        Standard deviation of the first frequencies of "periodic" embeddings, in oscillations an
        interquartile range.""",
    )
    max_onehot: int = parameter(
        default=9,
        constraints=[Interval(Integral, 0, None, closed="left")],
        doc="""int
        Categories with at most so many levels become zeros and a one, others an embedding.""",
    )
    embedding_size: int = parameter(
        default=8,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Learned numbers for each level of a category with many levels.""",
    )
    validation: str = parameter(
        default="folds",
        constraints=[StrOptions({"folds", "holdout"})],
        doc="""{"folds", "holdout"}
        What `early_stopping` watches if `fit` gets no `X_val`. "folds" deals the rows into as many
        parts as there are networks, at most 8, and each network holds out another one: all rows
        are trained on, and the answers of networks that have not seen them make
        `oof_predictions_`. "holdout", and a single network, hold out `validation_fraction`. Of
        fewer than 20 rows none is held out.""",
    )

    hidden_layer_sizes: int | Sequence[int] | None = inherited(
        LayerParameters, "hidden_layer_sizes", default=(128, 128)
    )
    dropout: float | Sequence[float] = inherited(LayerParameters, "dropout", default=0.1)
    n_estimators: Any = parameter(
        default="auto",
        constraints=[POSITIVE_INTEGER, AUTO],
        doc="""int or "auto"
        Number of networks, whose probabilities (`predict_proba`) or predictions are averaged; they
        differ in their initial weights, orders of the rows and held-out rows, and are trained as
        one program. "auto" is 8, and 4 from 200,000 rows on. Their seeds come from `random_state`,
        so the first networks of a larger ensemble are those of a smaller one, if they have the same
        folds. A warm start goes on with all members; if `n_estimators` has grown, further ones
        start from new weights.""",
    )
    solver: Any = inherited(LayerParameters, "solver", default="adamw")
    alpha: Any = parameter(
        default="auto",
        constraints=[NOT_NEGATIVE, AUTO],
        doc="""float or "auto"
        Weight decay of "adamw" (Loshchilov and Hutter, 2019), which is not divided by the batch;
        with other solvers the L2 penalty ``alpha / 2 * ||W||^2``. "auto" is 0.3 for regression, 1
        for two classes and for labels, and 2 / n_classes for several classes.""",
    )
    beta_2: float = inherited(LayerParameters, "beta_2", default=0.99)
    learning_rate: str = inherited(LayerParameters, "learning_rate", default="warmup_cosine")
    learning_rate_init: float = inherited(LayerParameters, "learning_rate_init", default=0.005)
    batch_size: Any = parameter(
        default="auto",
        constraints=[StrOptions({"auto", "all"}), POSITIVE_INTEGER],
        doc="""int, "auto" or "all"
        Rows a batch. "auto" is about 128, and from 10,000 rows on in proportion to their square
        root, so that all batches are of nearly equal size.""",
    )
    max_iter: Any = parameter(
        default="auto",
        constraints=[POSITIVE_INTEGER, AUTO],
        doc="""int or "auto"
        Largest number of epochs. "auto" gives 2,500 updates of the weights, in 30 to 200
        epochs; in 10 at least from 200,000 rows on.""",
    )
    early_stopping: bool = parameter(
        default=True,
        constraints=["boolean"],
        doc="""bool
        Whether to watch the loss of held-out rows, or of `X_val` if `fit` gets it, to end where it
        does not improve, whatever the schedule, and to keep the weights of the best epoch.""",
    )
    n_iter_no_change: Any = parameter(
        default="auto",
        constraints=[POSITIVE_INTEGER, AUTO],
        doc="""int or "auto"
        Epochs without an improvement by `tol` before training stops. "auto" is half of
        `max_iter`, at least 10.""",
    )
    tol: float = inherited(LayerParameters, "tol", default=1e-5)

    hyperparameters: dict[str, Any] | None = parameter(
        default=None,
        constraints=[dict, None],
        doc="""dict or None
        Parameters that are drawn for each network, as RandomizedSearchCV takes them: lists of
        values, or distributions with a method `rvs`. It is a search in one fit: the networks whose
        average does best on held-out rows are chosen greedily, at most 32 drawings, and the others
        are dropped (Caruana et al., 2004; TabPack of Gorishniy et al., 2026). With
        ``validation="folds"`` each drawing has a network a fold, so `n_estimators` is a multiple
        of 8, and "auto" is 32.""",
    )
    calibration: bool = parameter(
        default=True,
        constraints=["boolean"],
        doc="""bool
        Whether held-out rows correct the answers: the logits by a temperature (Guo et al., 2017,
        arXiv:1706.04599), several quantiles by a shift, so that their share of rows is below
        (Romano et al., 2019, arXiv:1905.03222), the variances of ``loss="gaussian"`` by a factor.
        The average of networks with folds keeps its logits, which averaging has made less sure,
        and its quantiles are shifted to shares that are 4 % nearer one half.""",
    )
    time_limit: float | None = parameter(
        default=None,
        constraints=[POSITIVE, None],
        doc="""float or None
        Seconds after which no further epoch begins. What is trained by then depends on the clock;
        None leaves it to `max_iter` and early stopping.""",
    )

    _family_attributes: ClassVar[str] = """
        n_features_in_ : int
            Number of columns.
        oof_predictions_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Out-of-fold answers: for each training row the prediction of the networks that held it
            out; of a classifier the probabilities, or the outputs where its loss defines none. With
            ``validation="folds"`` and two networks or more. Where `hyperparameters` were chosen by
            them, they are a little too good.
        estimators_ : list of estimators
            The networks, each a fitted estimator of the same class, if there are several.
            `n_iter_` is the largest of theirs then, `t_` and `n_parameters_` are sums, and
            `module_` averages their networks. The losses, the scores and the history are those of
            ``estimators_[i]``, and asking the ensemble for them is an AttributeError.
        """
