"""Files that are replaced as a whole or not at all."""

from __future__ import annotations

import errno
import glob
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows, where leftovers stay
    fcntl = None


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when all of it has reached the disk.

    Whatever happens before that, a power failure included, `path` is what it was.
    """
    # ``~`` is the home folder; a symbolic link stays one, and what it points to is replaced
    target = Path(os.path.realpath(os.path.expanduser(path)))
    with naming(path):
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder; name a file in it", str(path))
        if target.exists() and not target.is_file():  # a pipe, for instance
            with open(target, "wb") as file:
                yield file
            return
        temporary, descriptor = _new_file(target)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                os.replace(temporary, target)  # while the lock is held
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        _sync_folder(target.parent)


def _new_file(target: Path) -> tuple[Path, int]:
    """Open a new file beside another one, with the permissions of that, and lock it."""
    # O_EXCL: the name is new; the mode leaves the permissions to the umask, as open() does
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    present = os.stat(target) if target.exists() else None
    while True:
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
        descriptor = os.open(temporary, flags, 0o666 if present is None else 0o600)
        try:
            if present is not None:
                _take_over(present, descriptor)
            _lock(descriptor)
            if os.path.samestat(os.fstat(descriptor), os.stat(temporary)):
                return temporary, descriptor
        except FileNotFoundError:  # taken for a leftover before it was locked
            os.close(descriptor)
        except BaseException:
            os.close(descriptor)
            raise


def _take_over(present: os.stat_result, descriptor: int) -> None:
    """Give a file the owner, if that is allowed, and the permissions of another one."""
    if hasattr(os, "fchown"):
        with suppress(OSError):
            os.fchown(descriptor, present.st_uid, present.st_gid)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, stat.S_IMODE(present.st_mode))


def _lock(descriptor: int) -> bool:
    """Lock a file until it is closed; False if another process has, or nobody can."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def remove_leftovers(folder: str | os.PathLike[str], name: str) -> None:
    """Remove what killed processes left half-written of a file, and nothing being written."""
    for leftover in Path(folder).glob(f".{glob.escape(name)}.*.tmp"):
        with suppress(OSError):
            descriptor = os.open(leftover, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            try:
                if _lock(descriptor):
                    os.unlink(leftover)
            finally:
                os.close(descriptor)


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Make errors of the operating system name a path."""
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
