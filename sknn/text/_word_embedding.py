"""Word vectors as a transformer."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable
from typing import Any, ClassVar, cast

import numpy as np
import torch
from joblib import effective_n_jobs
from sklearn.base import _fit_context, clone
from sklearn.utils import check_random_state, metadata_routing

from sknn._documentation import links_to_documentation
from sknn._hints import available_if
from sknn._parameters import declares_parameters
from sknn.compiled import is_available
from sknn.data import fingerprint, resolve_device
from sknn.training import (
    Checkpoint,
    EpochBar,
    Interrupted,
    Listener,
    MoveBar,
    PrintEpochs,
    describe_fit,
    folder_named,
)

from ._checks import check_documents
from ._corpus import Corpus, encode_corpus, learn_corpus
from ._counts import count_pairs
from ._tokenizer import Tokenizer
from ._word_batches import CountBatches, SamplingBatches
from ._word_loops import CountLoop, Pairs, SamplingLoop
from ._word_parameters import RATES, WordParameters
from ._word_training import (
    Learner,
    WordSettings,
    WordTraining,
    put_words_back,
    word_progress,
)
from ._word_vectors import WordVectors

# GloVe's weight of a count x is (x / x_max)^POWER.
POWER = 0.75


def _is_sampled(model: Any) -> bool:
    """Say whether vectors can learn from a part of the texts."""
    if model.method == "glove":
        raise AttributeError(
            "partial_fit learns from a part of the texts, but method='glove' needs the counts of "
            "all; use fit, or another method."
        )
    return True


@links_to_documentation
@declares_parameters
class WordEmbedding(WordVectors, WordParameters):
    """Vectors of words, learned from texts without labels.

    Words that occur in similar company get similar vectors. "skipgram" predicts from each word
    those around it, "cbow" each word from the mean of those around it, both by telling them from
    words drawn at random [1]_; "glove" makes products of vectors fit the logarithms of how often
    words occur near each other [2]_. `transform` gives the mean vector of each text.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    vectors_ : ndarray of shape (n_tokens, vector_size), dtype float32
        The vector of each token; that of id 0, which stands for all unknown words, is zeros. With
        "glove" it is the sum of the vector of the word and of that of the word as company.
    vocabulary_ : dict
        The id of each token, which is its row in `vectors_`: that of `tokenizer_`.
    tokenizer_ : Tokenizer
        What splits texts into words. It keeps its words when it is fitted to other texts, so that
        it can come before a network with ``embedding=words.vectors_``.
    counts_ : ndarray of shape (n_tokens,)
        How often each token occurred; unknown words are not counted. Not for vectors from a file.
    n_iter_ : int
        Number of epochs.
    loss_curve_ : list of float
        Mean loss of each epoch: of a word with those it is told from, or of a count, before its
        step. It may rise while the learning rate falls, and vectors get better nevertheless:
        with a higher rate they follow the text that they are in.
    history_ : list of dict
        For each epoch its number, `train_loss`, `learning_rate` and its seconds, `dur`.

    See Also
    --------
    Tokenizer : Texts to sequences of tokens, for estimators with an embedding layer.
    sknn.inspection.plot_words : A map of words.

    Notes
    -----
    With several threads all learn at the same vectors without waiting for each other, so that
    results differ from run to run; with one, `random_state` decides them bit by bit. Unknown words
    are left out before neighbours are looked for. Texts of more than 10,000 words are cut. All
    neighbours of a word are told from the same random words [3]_.

    References
    ----------
    .. [1] T. Mikolov, I. Sutskever, K. Chen, G. Corrado and J. Dean, "Distributed representations
       of words and phrases and their compositionality", NeurIPS 2013, arXiv:1310.4546.
    .. [2] J. Pennington, R. Socher and C. D. Manning, "GloVe: global vectors for word
       representation", EMNLP 2014.
    .. [3] S. Ji, N. Satish, S. Li and P. Dubey, "Parallelizing word2vec in shared and distributed
       memory", IEEE Transactions on Parallel and Distributed Systems 30(9), 2019,
       arXiv:1604.04661.

    Examples
    --------
    >>> from sknn.text import WordEmbedding
    >>> texts = ["red wine and white wine", "white bread and brown bread"] * 100
    >>> words = WordEmbedding(vector_size=8, min_count=1, random_state=0).fit(texts)
    >>> words.vectors_.shape
    (7, 8)
    >>> words.transform(["white wine", "brown bread"]).shape
    (2, 8)
    >>> len(words.most_similar("wine", n=3))
    3
    """

    # The argument is X by another name, and no metadata to route.
    __metadata_request__fit: ClassVar = {"raw_documents": metadata_routing.UNUSED}
    __metadata_request__partial_fit: ClassVar = {"raw_documents": metadata_routing.UNUSED}
    __metadata_request__transform: ClassVar = {"raw_documents": metadata_routing.UNUSED}

    # ----------------------------------------------------------------------------- learning

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, raw_documents: Iterable[Any], y: Any = None) -> WordEmbedding:
        """Learn words and their vectors.

        Parameters
        ----------
        raw_documents : iterable of str, or of lists of str
            The texts, or their words.
        y : None
            Ignored.

        Returns
        -------
        self : WordEmbedding
            The fitted transformer. Ctrl-C leaves it fitted, with the vectors so far, and is raised
            again.

        Raises
        ------
        TypeError
            If a text or a word is not a str.
        ValueError
            If there are no texts, no word occurs `min_count` times, the device is missing, the
            checkpoint is that of another fit, or the loss diverges.
        """
        documents = check_documents(raw_documents)
        draft = copy.copy(self)
        corpus = draft._learn_words(documents)
        checkpoint = draft._open_checkpoint(corpus)
        draft._begin()
        learner = draft._make_learner(corpus)
        training = draft._make_training(learner, draft.max_iter, checkpoint, falls=True)
        return self._run(draft, training)

    @available_if(_is_sampled)
    @_fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, raw_documents: Iterable[Any], y: Any = None) -> WordEmbedding:
        """Go through texts once, with the words of the first call.

        The first call, of this or of `fit`, decides on the words; later ones leave out those that
        are new. The learning rate stays at `learning_rate_init`.

        Parameters
        ----------
        raw_documents : iterable of str, or of lists of str
            The texts, or their words.
        y : None
            Ignored.

        Returns
        -------
        self : WordEmbedding
            The fitted transformer.

        Raises
        ------
        TypeError
            If a text or a word is not a str.
        ValueError
            As in `fit`; if `vector_size` is no longer that of the vectors; or if these come from a
            file, which does not have all that learning goes on from.
        """
        documents = check_documents(raw_documents)
        draft = copy.copy(self)
        if not hasattr(self, "vectors_"):
            corpus = draft._learn_words(documents)
            draft._begin()
        else:
            draft._check_goes_on()
            corpus = encode_corpus(documents, draft.tokenizer_)
            seen = np.bincount(corpus.tokens, minlength=len(draft.counts_))
            draft.counts_ = draft.counts_ + seen
            # a call that is refused or interrupted must not have changed these
            draft._inputs, draft._outputs = draft._inputs.copy(), draft._outputs.copy()
            draft.history_, draft._random = list(draft.history_), copy.deepcopy(draft._random)
        learner = draft._make_learner(corpus)
        training = draft._make_training(learner, 1, None, falls=False)
        return self._run(draft, training)

    def _learn_words(self, documents: list[Any]) -> Corpus:
        """Fit the tokenizer; return the texts as its words, and begin with random numbers."""
        tokenizer = Tokenizer(lowercase=True) if self.tokenizer is None else clone(self.tokenizer)
        self.tokenizer_ = tokenizer.set_params(min_count=self.min_count)
        corpus, self.counts_ = learn_corpus(documents, self.tokenizer_)
        if not len(corpus):
            raise ValueError("No text has a word of the tokenizer's vocabulary.")
        random = check_random_state(self.random_state)
        if self.random_state is None:  # which is all that NumPy's global generator is asked for
            random = np.random.RandomState(random.randint(2**31))
        self._random = copy.deepcopy(random)
        return corpus

    def _check_goes_on(self) -> None:
        if not hasattr(self, "_inputs"):
            raise ValueError(
                "partial_fit cannot go on from vectors that come from a file of word2vec or GloVe: "
                "it lacks those of words as company. Files of sknn.save have them."
            )
        if self._inputs.shape != self.vectors_.shape:
            raise ValueError(
                f"partial_fit with method={self.method!r} cannot go on from vectors of "
                "method='glove', which have biases beside them; `fit` begins anew."
            )
        if self.vectors_.shape[1] != self.vector_size:
            raise ValueError(
                f"vector_size={self.vector_size}, but the vectors have {self.vectors_.shape[1]} "
                "dimensions; `fit` or `sklearn.base.clone` begins anew."
            )

    def _begin(self) -> None:
        """Draw first vectors; those of words as company are zeros, but with GloVe."""
        n_tokens, size, random = self.tokenizer_.n_tokens_, self.vector_size, self._random
        is_glove = self.method == "glove"
        columns = size + 1 if is_glove else size  # of which the last is GloVe's bias
        shape, spread = (n_tokens, columns), 0.5 / columns if is_glove else 1 / size
        self._inputs = random.uniform(-spread, spread, shape).astype(np.float32)
        self._outputs = np.zeros(shape, np.float32)
        if is_glove:
            self._outputs = random.uniform(-spread, spread, shape).astype(np.float32)
            self._outputs[0] = 0
        self._inputs[0] = 0
        self.history_ = []

    def _make_learner(self, corpus: Corpus) -> Learner:
        """Return what learns: compiled functions on a CPU, torch elsewhere and without numba."""
        device = self._resolve_device()
        vectors = self._inputs, self._outputs
        is_compiled = device.type == "cpu" and is_available()
        n_workers, random = effective_n_jobs(self.n_jobs), self._random
        if self.method == "glove":
            counts = count_pairs(corpus, self.tokenizer_.n_tokens_, self.window)
            order = random.permutation(len(counts[0]))
            rows, columns, values = (each[order] for each in counts)
            pairs = Pairs(rows, columns, values)
            weights = {"x_max": self.x_max, "power": POWER}
            if is_compiled:
                return CountLoop(pairs, vectors, **weights, n_workers=n_workers)
            return CountBatches(pairs, vectors, random, **weights, device=device)
        arguments: dict[str, Any] = {
            "is_cbow": self.method == "cbow",
            "window": self.window,
            "negative": self.negative,
            "subsample": self.subsample,
        }
        if is_compiled:
            arguments["n_workers"] = n_workers
            return SamplingLoop(corpus, self.counts_, vectors, random, **arguments)
        return SamplingBatches(corpus, self.counts_, vectors, random, **arguments, device=device)

    def _resolve_device(self) -> torch.device:
        if self.device == "auto" and not torch.cuda.is_available():
            return torch.device("cpu")
        return resolve_device(self.device)

    def _make_training(
        self, learner: Learner, max_epochs: int, checkpoint: Checkpoint | None, *, falls: bool
    ) -> WordTraining:
        rate = self.learning_rate_init
        listeners: list[Listener] = []
        if self.verbose == "bar":
            listeners.append(MoveBar(EpochBar(), ""))
        elif self.verbose:
            listeners.append(PrintEpochs(""))
        settings = WordSettings(
            max_epochs=max_epochs,
            rate=RATES[self.method] if isinstance(rate, str) else rate,
            falls=falls and self.method != "glove",
        )
        return WordTraining(learner, settings, self.history_, listeners, checkpoint)

    def _open_checkpoint(self, corpus: Corpus) -> Checkpoint | None:
        """Find out where an interrupted fit goes on, before anything is drawn."""
        folder = folder_named(self.checkpoint)
        if folder is None:
            return None
        words = np.array(list(self.tokenizer_.vocabulary_), dtype=object)
        digests = {
            "texts": fingerprint(corpus.tokens),
            "ends of texts": fingerprint(corpus.ends),
            "words": fingerprint(words),
        }
        checkpoint = Checkpoint(
            folder,
            self.checkpoint_minutes,
            describe_fit(self, digests, torch.float32, None),
            lambda training: copy.copy(self)._with(cast(Any, training)),
            progress_of=word_progress,
            put_back=put_words_back,
        )
        checkpoint.begin_with(self._random)
        return checkpoint

    def _run(self, draft: WordEmbedding, training: WordTraining) -> WordEmbedding:
        """Learn, and take over what has come of it, also when that was interrupted."""
        try:
            training.run()
        except (KeyboardInterrupt, Interrupted):
            self._take_over(draft._with(training))
            raise
        self._take_over(draft._with(training))
        if not any(self.loss_curve_[-training.settings.max_epochs :]):
            warnings.warn(
                "Nothing was learned, and vectors are as they were before: no text has two known "
                "words near each other, or subsample left none (subsample=0 leaves all).",
                stacklevel=5,  # the caller of `fit`, which is wrapped twice
            )
        return self

    def _take_over(self, draft: WordEmbedding) -> None:
        """Take what a draft has learned, and bring a generator of the user's to where it stands."""
        self.__dict__.update(draft.__dict__)
        if isinstance(self.random_state, np.random.RandomState):
            self.random_state.set_state(self._random.get_state())

    def _with(self, training: WordTraining) -> WordEmbedding:
        """Take over the vectors of a training."""
        training.learner.arrays()  # which brings them here
        if self.method == "glove":
            self.vectors_ = self._inputs[:, :-1] + self._outputs[:, :-1]
        else:
            self.vectors_ = self._inputs
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, raw_documents: Iterable[Any], y: Any = None) -> np.ndarray:
        """Learn vectors and return the mean vector of each text.

        Parameters
        ----------
        raw_documents : iterable of str, or of lists of str
            The texts, or their words.
        y : None
            Ignored.

        Returns
        -------
        X : ndarray of shape (n_documents, vector_size), dtype float32
            As from `transform`.

        Raises
        ------
        TypeError, ValueError
            Those of `fit` and `transform`.
        """
        documents = check_documents(raw_documents)  # a generator can be read only once
        return self.fit(documents).transform(documents)

    @property
    def n_iter_(self) -> int:
        """Number of epochs."""
        return len(self.history_)

    @property
    def loss_curve_(self) -> list[float]:
        """Mean loss of each epoch."""
        return [epoch["train_loss"] for epoch in self.history_]
