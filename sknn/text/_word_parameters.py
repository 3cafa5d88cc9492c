"""The parameters of word vectors."""

from __future__ import annotations

import os

import numpy as np
import torch
from sklearn.utils._param_validation import StrOptions

from sknn._parameters import ExplainedParameters, declares_parameters, parameter
from sknn._validation import NOT_NEGATIVE, POSITIVE, POSITIVE_INTEGER

from ._tokenizer import Tokenizer

# The learning rates that "auto" stands for.
RATES = {"skipgram": 0.025, "cbow": 0.025, "glove": 0.05}


@declares_parameters
class WordParameters(ExplainedParameters):
    """How word vectors are learned.

    Parameters
    ----------
    {parameters}
    """

    method: str = parameter(
        default="skipgram",
        constraints=[StrOptions(set(RATES))],
        kw_only=False,
        doc="""{"skipgram", "cbow", "glove"}
        What vectors learn from. "cbow" takes a fraction of the time of "skipgram".""",
    )
    vector_size: int = parameter(
        default=100,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Number of dimensions.""",
    )
    window: int = parameter(
        default=5,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Largest distance, in words, of two that are seen together. "skipgram" and "cbow" draw one
        from 1 to this for each word, "glove" counts a pair at distance d as 1 / d.""",
    )
    negative: int = parameter(
        default=5,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Number of random words that a word is told from, drawn by their counts to the power 0.75.
        Not used by "glove".""",
    )
    subsample: float = parameter(
        default=1e-3,
        constraints=[NOT_NEGATIVE],
        doc="""float
        Share of the texts above which a word is left out at times: of one with the share f of all
        words, sqrt(subsample / f) + subsample / f is kept, at most all. 0 keeps all words. Not
        used by "glove".""",
    )
    min_count: int = parameter(
        default=5,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Smallest number of occurrences for a word to get a vector; in place of the tokenizer's
        `min_count`.""",
    )
    max_iter: int = parameter(
        default=5,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Number of epochs. GloVe takes more to converge, 25 or so.""",
    )
    learning_rate_init: float | str = parameter(
        default="auto",
        constraints=[POSITIVE, StrOptions({"auto"})],
        doc="""float or "auto"
        Learning rate, which falls linearly to nearly 0 in `fit` and stays in `partial_fit`; that of
        AdaGrad, with "glove", stays. "auto" is 0.025, or 0.05 with "glove".""",
    )
    x_max: float = parameter(
        default=100.0,
        constraints=[POSITIVE],
        doc="""float
        Count from which on all have the same weight; a smaller count x has the weight
        (x / x_max)^0.75. Only for "glove".""",
    )
    tokenizer: Tokenizer | None = parameter(
        default=None,
        constraints=[Tokenizer, None],
        doc="""Tokenizer or None
        What splits texts into words. None is ``Tokenizer(lowercase=True)``, for which signs are
        words too; ``Tokenizer(lowercase=True, token_pattern=r"\\\\w+")`` leaves them out. Texts
        that come as lists of words are not split, but lowered where the tokenizer does so. Its
        `min_count` is not used, but that of the vectors.""",
    )
    n_jobs: int | None = parameter(
        default=None,
        constraints=[int, None],
        doc="""int or None
        Number of threads, -1 for one a processor. None is one, the only number with which results
        are the same each time. Not used on a GPU.""",
    )
    random_state: int | np.random.RandomState | None = parameter(
        default=None,
        constraints=["random_state"],
        doc="""int, RandomState instance or None
        Decides first vectors and everything that is drawn. An int gives the same vectors each
        time, with one thread.""",
    )
    device: str | torch.device = parameter(
        default="auto",
        constraints=[str, torch.device],
        doc="""str or torch.device
        "cpu", or a device like "cuda" on which batches of words learn at once. "auto" is CUDA if
        there is any.""",
    )
    verbose: bool | int | str = parameter(
        default=False,
        constraints=["verbose", StrOptions({"bar"})],
        doc="""bool, int or "bar"
        Whether to print a line an epoch: its number, loss and time. "bar" draws a progress bar on
        the standard error stream instead.""",
    )
    checkpoint: str | os.PathLike[str] | None = parameter(
        default=None,
        constraints=[str, os.PathLike, None],
        doc="""str, os.PathLike or None
        Folder in which `fit` keeps how far it has come, in the file ``checkpoint.sknn``. A fit that
        was interrupted, even killed, is taken up by a `fit` with the same texts and parameters,
        and ends with the vectors, bit for bit, that it would have had without the interruption (if
        it has one thread). `partial_fit` writes nothing here.""",
    )
    checkpoint_minutes: float = parameter(
        default=10,
        constraints=[POSITIVE],
        doc="""float
        How often, in minutes, `checkpoint` is also written within an epoch.""",
    )
