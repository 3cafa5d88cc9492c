"""Estimators of other packages, through skops and its list of allowed types."""

from __future__ import annotations

import io
import zipfile
from typing import Any


def dump_third_party(value: Any) -> bytes:
    """Turn an estimator into bytes.

    Parameters
    ----------
    value : object
        An estimator that holds none of ours.

    Returns
    -------
    bytes
        What :func:`skops.io.dumps` makes of it.
    """
    import skops.io

    return skops.io.dumps(value)


def untrusted_types(content: bytes) -> list[str]:
    """Return the types in an estimator's bytes that skops does not allow by itself.

    Parameters
    ----------
    content : bytes
        What :func:`dump_third_party` returned, or what an attacker made of it.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If the bytes are those of no such estimator.
    """
    _check_archive(content)  # before skops imports all of scikit-learn
    import skops.io

    return skops.io.get_untrusted_types(data=content)


def load_third_party(content: bytes, trusted: list[str]) -> Any:
    """Turn bytes into an estimator.

    Parameters
    ----------
    content : bytes
        As in :func:`untrusted_types`.
    trusted : list of str
        Types that are allowed beside those that skops allows.

    Returns
    -------
    object

    Raises
    ------
    ValueError, TypeError
        If the bytes are those of no such estimator, or hold a type that is not allowed.
    """
    _check_archive(content)
    import skops.io

    return skops.io.loads(content, trusted=trusted)


def _check_archive(content: bytes) -> None:
    """Refuse archives that become larger when they are read: skops stores, it does not compress."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries) or (
        sum(entry.file_size for entry in entries) > len(content)
    ):
        raise ValueError("an archive in it claims to be larger than it is")
