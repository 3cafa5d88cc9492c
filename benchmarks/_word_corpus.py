"""A corpus of English for word vectors: dictionaries and books that Debian packages.

``apt-get download`` brings them (82 MB), ``dpkg-deb`` unpacks them, and paragraphs are what is
learned from: two dictionaries of the language (GCIDE, WordNet's glosses), two of computing (FOLDOC,
Jargon), a book on politics (the Anarchist FAQ) and a collection of quotations (fortunes).
"""

from __future__ import annotations

import gzip
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

PACKAGES = {
    "dict-gcide": "usr/share/dictd/gcide.dict.dz",
    "dict-wn": "usr/share/dictd/wn.dict.dz",
    "dict-foldoc": "usr/share/dictd/foldoc.dict.dz",
    "dict-jargon": "usr/share/dictd/jargon.dict.dz",
    "anarchism": "usr/share/doc/anarchism/markdown/*",
    "fortunes": "usr/share/games/fortunes/*",
}
# Pronunciations, sources, links and addresses are no text.
NOISE = re.compile(r"\\[^\\\n]*\\|\[[^\]]*(Webster|WordNet)[^\]]*\]|\]\([^)]*\)|https?://\S+|\{|\}")
WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
SHORTEST = 4  # words a paragraph


def read_corpus(folder: Path) -> list[list[str]]:
    """Return the words of all paragraphs, each paragraph once; the folder keeps them."""
    file = folder / "corpus.txt"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _unpack(folder)
        lines = dict.fromkeys(" ".join(words) for words in _paragraphs(folder))
        file.write_text("\n".join(lines), encoding="ascii")
    return [line.split() for line in file.read_text(encoding="ascii").split("\n")]


def _unpack(folder: Path) -> None:
    missing = [name for name in PACKAGES if not list(folder.glob(f"{name}_*.deb"))]
    if missing:
        subprocess.run(["apt-get", "download", *missing], cwd=folder, check=True)
    for name in PACKAGES:
        (package,) = folder.glob(f"{name}_*.deb")
        subprocess.run(["dpkg-deb", "-x", package, folder / name], check=True)


def _paragraphs(folder: Path) -> Iterator[list[str]]:
    for name, pattern in PACKAGES.items():
        for file in sorted((folder / name).glob(pattern)):
            if file.is_dir() or file.suffix in (".dat", ".u8"):
                continue
            content = file.read_bytes()
            if content[:2] == b"\x1f\x8b":
                content = gzip.decompress(content)
            for paragraph in re.split(r"\n\s*\n|\n%\n", content.decode("utf-8", "replace")):
                words = WORD.findall(NOISE.sub(" ", paragraph).lower())
                if len(words) >= SHORTEST:
                    yield words
