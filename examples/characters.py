"""A network that writes documentation, one character after the other.

It reads paragraphs of Python's own documentation, which every installation of Python has (and
which differs from version to version, and so do the numbers here). How well it foretells the
next character of other paragraphs is compared with counts of what followed the last two (a
trigram model) and the last four. Then it writes paragraphs itself. The script took 31
seconds on two cores, 24 of them for the fit.
"""

from __future__ import annotations

import textwrap
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pydoc_data.topics import topics

import numpy as np

from sknn.sequences import SequenceGenerator
from sknn.text import Tokenizer

N_CHARACTERS = 200_000  # for training
N_HELD_OUT = 100  # paragraphs
START = -1


def load_paragraphs() -> tuple[list[str], list[str]]:
    """Return paragraphs for training and others for testing, none of them twice."""
    paragraphs = {
        " ".join(part.split()) for topic in topics.values() for part in topic.split("\n\n")
    }
    chosen = sorted(part for part in paragraphs if len(part) >= 80 and part.isascii())
    np.random.default_rng(0).shuffle(chosen)
    held_out, others = chosen[:N_HELD_OUT], chosen[N_HELD_OUT:]
    n_characters = np.cumsum([len(part) for part in others])
    return others[: np.searchsorted(n_characters, N_CHARACTERS)], held_out


class NGrams:
    """How often each token followed the last ones, interpolated with shorter memories.

    P(t | context) = (count(context t) + d P(t | shorter context)) / (count(context) + d), where d
    different tokens followed the context (Witten and Bell, 1991).
    """

    def __init__(self, order: int, n_tokens: int) -> None:
        self.order, self.n_tokens = order, n_tokens
        self.followers: defaultdict[tuple[int, ...], Counter[int]] = defaultdict(Counter)

    def fit(self, X: Sequence[np.ndarray]) -> NGrams:
        """Count what follows contexts of up to ``order - 1`` tokens."""
        for context, token in self._contexts(X):
            for shortened in range(self.order):
                self.followers[context[shortened:]][token] += 1
        return self

    def probability(self, token: int, context: tuple[int, ...]) -> float:
        """Return the probability of a token after others."""
        shorter = self.probability(token, context[1:]) if context else 1 / self.n_tokens
        if context not in self.followers:
            return shorter
        counts = self.followers[context]
        return (counts[token] + len(counts) * shorter) / (counts.total() + len(counts))

    def perplexity(self, X: Sequence[np.ndarray]) -> float:
        """Return exp of the mean negative logarithm of the tokens' probabilities."""
        log_p = [np.log(self.probability(token, context)) for context, token in self._contexts(X)]
        return float(np.exp(-np.mean(log_p)))

    def _contexts(self, X: Sequence[np.ndarray]) -> Iterator[tuple[tuple[int, ...], int]]:
        """Go through all tokens, each with those before it."""
        memory = self.order - 1
        for sequence in X:
            tokens = (START,) * memory + tuple(sequence.tolist())
            for i in range(memory, len(tokens)):
                yield tokens[i - memory : i], tokens[i]


def write(generator: SequenceGenerator, tokenizer: Tokenizer) -> None:
    """Print paragraphs that the network makes up, two of them from a given beginning."""
    prompt = tokenizer.transform(["The statement"])[0]
    written = [
        *generator.sample(2, max_length=300, temperature=0.7, random_state=0),
        *generator.sample(2, prompt=prompt, max_length=300, temperature=0.7, random_state=1),
    ]
    print('made up by the network, the last two from "The statement" on:')
    for text in tokenizer.inverse_transform(written):
        print(textwrap.fill(text, 88, initial_indent="  - ", subsequent_indent="    "))


def main() -> None:
    """Fit network and counts, compare their perplexities, and let the network write."""
    train, held_out = load_paragraphs()
    # Characters that occur once become "<unknown>", so that the models have seen that too.
    tokenizer = Tokenizer(analyzer="char", min_count=2)
    X, X_test = tokenizer.fit_transform(train), tokenizer.transform(held_out)
    print(
        f"{sum(map(len, X)):,} characters for training, {sum(map(len, X_test)):,} for testing, "
        f"{tokenizer.n_tokens_} different ones\n"
    )

    generator = SequenceGenerator(
        hidden_size=192, learning_rate_init=0.02, max_iter=6, random_state=0
    )
    start = time.perf_counter()
    generator.fit(X)
    seconds = time.perf_counter() - start

    print("perplexity of the held-out text: among how many characters each seems to choose")
    print(f"  all equally likely    {tokenizer.n_tokens_:6.2f}")
    for order in (3, 5):
        counts = NGrams(order, tokenizer.n_tokens_).fit(X)
        print(f"  counts of {order} in a row  {counts.perplexity(X_test):6.2f}")
    print(
        f"  SequenceGenerator     {generator.perplexity(X_test):6.2f}, {seconds:.0f} s of fitting\n"
    )
    write(generator, tokenizer)


if __name__ == "__main__":
    main()
