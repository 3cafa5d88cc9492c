"""Files that are replaced as a whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when all of it has reached the disk.

    It is written beside `path`, as ``.{name}.{random}.tmp``, and renamed. Whatever happens before
    that, a power failure included, `path` is what it was. A path that is no regular file, such as
    a pipe, is written to directly.

    Parameters
    ----------
    path : str or os.PathLike
        Where the file goes. A symbolic link stays one, and what it points to is replaced.

    Yields
    ------
    BinaryIO
        The file to write to.

    Raises
    ------
    OSError
        If the file cannot be written; it names `path`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sknn.storage import atomic_write
    >>> path = Path(tempfile.mkdtemp(), "numbers")
    >>> with atomic_write(path) as file:
    ...     written = file.write(b"1 2 3")
    >>> path.read_bytes()
    b'1 2 3'
    """
    target = Path(os.path.realpath(path))
    with naming(path):
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder; name a file in it", str(path))
        if target.exists() and not target.is_file():
            with open(target, "wb") as file:
                yield file
            return
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
        # O_EXCL: the name is new; the mode leaves the permissions to the umask, as open() does
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
        descriptor = os.open(temporary, flags, 0o666)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        _sync_folder(target.parent)


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Make errors of the operating system name a path.

    Parameters
    ----------
    path : str or os.PathLike
        The path that the user has given.

    Raises
    ------
    OSError
        Of the same kind, with `path` as its file name.
    """
    try:
        yield
    except OSError as error:
        name = os.fspath(path)
        if error.filename == name:
            raise
        raise type(error)(error.errno, error.strerror or str(error), name) from error


def _sync_folder(folder: Path) -> None:
    """Let the new name reach the disk too, where the system can do that."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    with suppress(OSError):  # some network file systems refuse; the file itself is safe
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
