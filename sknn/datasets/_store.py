"""Find the files of a data set in the data home, or download them into it."""

from __future__ import annotations

import gzip
import os
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Some publishers refuse requests that carry the default name of a Python HTTP library.
_REQUEST_HEADERS = {"User-Agent": "Mozilla/5.0 (compatible; sknn)"}


@dataclass(frozen=True)
class RemoteFile:
    """A file that a publisher offers, and its place in the data home."""

    path: str  # relative to the data home, with forward slashes
    url: str
    # "algorithm:hexadecimal digits"; where none is published, `reading` verifies a download
    known_hash: str | None
    to_check: str = "the network"  # by the reader, if the download fails


class DamagedFileError(ValueError):
    """The content of a file is wrong; `problem` says how."""

    problem: str


def resolve_data_home(data_home: str | os.PathLike[str] | None) -> Path:
    """Return the data home: the argument, else ``SKNN_DATA``, else ``~/sknn_data``."""
    if data_home is None:
        data_home = os.environ.get("SKNN_DATA") or "~/sknn_data"
    return Path(data_home).expanduser().absolute()


def locate(
    file: RemoteFile, data_home: str | os.PathLike[str] | None, download_if_missing: bool
) -> Path:
    """Return the path of a file in the data home; download it if it is not there."""
    with reading(file, data_home, download_if_missing) as path:
        return path


@contextmanager
def reading(
    file: RemoteFile,
    data_home: str | os.PathLike[str] | None,
    download_if_missing: bool,
    *,
    wanted: str | None = None,  # the part of it that is missing in the reader's eyes
) -> Iterator[Path]:
    """Locate a file, or download it, for a block that reads it.

    If the block finds a file damaged that was downloaded just now, as where a server answers any
    request with some page, then it is not kept, and the error is that of a failed download.
    """
    path = resolve_data_home(data_home) / file.path
    if path.is_file():
        yield path
        return
    require_permission(file, data_home, download_if_missing, wanted=wanted)
    with one_at_a_time(path):  # until the file is verified
        was_there = path.is_file()
        if not was_there:
            _download(file, path)
        try:
            yield path
        except DamagedFileError as error:
            if was_there:
                raise
            path.unlink()
            raise OSError(
                f"{file.url} did not give the published file: {error.problem}. Check "
                f"{file.to_check} and try again, {_by_hand(file, path)}"
            ) from error


def require_permission(
    file: RemoteFile,
    data_home: str | os.PathLike[str] | None,
    download_if_missing: bool,
    *,
    wanted: str | None = None,
) -> None:
    """Raise OSError for a missing file that may not be downloaded."""
    path = resolve_data_home(data_home) / file.path
    if not download_if_missing and not path.is_file():
        raise OSError(
            f"{wanted or path.name} is not in {path.parent}, and `download_if_missing` is "
            f"False. Set it to True, {_by_hand(file, path)}"
        )


def unpack(
    archive: RemoteFile,
    data_home: str | os.PathLike[str] | None,
    download_if_missing: bool,
    *,
    into: Path,
    files: list[Path],
    extract: Callable[[Path], None],
) -> None:
    """Have `extract` make the files of an archive unless they exist; delete what was downloaded."""
    missing = _first_missing(files)
    if missing is None:
        return
    path = resolve_data_home(data_home) / archive.path
    wanted = missing.relative_to(path.parent).as_posix()
    require_permission(archive, data_home, download_if_missing, wanted=wanted)
    with one_at_a_time(into):
        if _first_missing(files) is None:  # another process has been first
            return
        had_archive = path.is_file()
        with reading(archive, data_home, download_if_missing, wanted=wanted):
            extract(path)
        if not had_archive:
            path.unlink()


def _first_missing(files: list[Path]) -> Path | None:
    return next((file for file in files if not file.is_file()), None)


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Make other processes and threads wait that are about to write the same file or folder."""
    from filelock import FileLock  # torch brings it

    require_writable(path.parent)
    lock = path.with_name(f".{path.name}.lock")
    with FileLock(lock):
        try:
            yield
        finally:
            with suppress(OSError):  # Windows removes no file that others wait for
                lock.unlink()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; `path` appears when the block is through, or not at all."""
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        part = Path(scratch) / path.name
        yield part
        os.replace(part, path)


def require_writable(folder: Path) -> None:
    """Make sure that the folder exists and takes new files, or say what to do instead."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OSError(
            f"The folder {folder} cannot be written to ({error}). Name a folder that can be "
            "written to in `data_home` or in the environment variable SKNN_DATA."
        ) from error


def check_labels(path: Path, labels: NDArray[np.uint8], n_classes: int) -> None:
    """Raise an error that names the file if a label is not in 0 to n_classes - 1."""
    if labels.max() >= n_classes:
        raise corrupt_file(path, f"a label is {labels.max()}, expected 0 to {n_classes - 1}")


def corrupt_file(path: Path, problem: str) -> DamagedFileError:
    """Return the error for a file with a wrong content."""
    error = DamagedFileError(
        f"{path} is damaged or is another file: {problem}. Delete it and call the function again "
        "to download it, or replace it by the published file."
    )
    error.problem = problem
    return error


@contextmanager
def decoding(path: Path) -> Iterator[None]:
    """Turn the errors of decompression and decoding into one that names the file."""
    try:
        yield
    # BadGzipFile is an OSError; other OSErrors (no permission, no such file) pass.
    except (gzip.BadGzipFile, zlib.error, EOFError, tarfile.TarError, UnicodeDecodeError) as error:
        raise corrupt_file(path, f"it cannot be decoded ({error})") from error


def _by_hand(file: RemoteFile, path: Path) -> str:
    renamed = "" if file.url.rsplit("/", 1)[-1] == path.name else f" under the name {path.name}"
    return (
        f"or download {file.url} by hand into the folder {path.parent}{renamed}, or name a folder "
        f"that contains {file.path} in `data_home` or in the environment variable SKNN_DATA."
    )


def _download(file: RemoteFile, path: Path) -> None:
    """Download to a temporary file, verify its hash if there is one, and move it to its place."""
    try:
        import pooch
    except ImportError as error:
        raise ImportError(
            f"{path.name} is not in {path.parent}, and downloading it needs pooch. Install it by "
            f"`pip install 'sknn[datasets]'`, {_by_hand(file, path)}"
        ) from error

    downloader = pooch.HTTPDownloader(
        progressbar=find_spec("tqdm") is not None, headers=_REQUEST_HEADERS
    )
    try:
        pooch.retrieve(
            file.url,
            known_hash=file.known_hash,
            fname=path.name,
            path=path.parent,
            downloader=downloader,
        )
    except OSError as error:  # the errors of requests are among them
        raise OSError(
            f"{file.url} could not be downloaded ({type(error).__name__}: {error}). Check "
            f"{file.to_check} and try again, {_by_hand(file, path)}"
        ) from error
    except ValueError as error:  # what pooch raises for a wrong hash; the file is not kept
        raise OSError(
            f"{file.url} did not give the published file, whose hash is {file.known_hash} "
            f"({error}). Try again, {_by_hand(file, path)}"
        ) from error
