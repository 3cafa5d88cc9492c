import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sknn.datasets._store import (
    RemoteFile,
    corrupt_file,
    decoding,
    locate,
    reading,
    replacing,
    require_writable,
    resolve_data_home,
)

CONTENT = b"what the publisher offers"


def remote(url: str, content: bytes = CONTENT) -> RemoteFile:
    md5 = hashlib.md5(content).hexdigest()
    return RemoteFile(path="wine/data.csv", url=url, known_hash=f"md5:{md5}")


def test_data_home_is_the_argument_then_sknn_data_then_a_folder_in_the_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "user"))
    monkeypatch.setenv("SKNN_DATA", str(tmp_path / "environment"))
    assert resolve_data_home(str(tmp_path / "argument")) == tmp_path / "argument"
    assert resolve_data_home(None) == tmp_path / "environment"
    assert resolve_data_home("~/data") == tmp_path / "user" / "data"
    monkeypatch.setenv("SKNN_DATA", "")
    assert resolve_data_home(None) == tmp_path / "user" / "sknn_data"
    monkeypatch.delenv("SKNN_DATA")
    assert resolve_data_home(None) == tmp_path / "user" / "sknn_data"


def test_a_relative_data_home_is_named_in_full(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_data_home("data") == tmp_path / "data"


def test_present_file_is_used_without_pooch_or_hash(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)  # makes "import pooch" fail
    path = tmp_path / "wine" / "data.csv"
    path.parent.mkdir()
    path.write_bytes(b"not what the publisher offers")
    assert locate(remote("https://host.invalid/data.csv"), tmp_path, True) == path


def test_download_is_verified_kept_and_not_repeated(publisher: Any, tmp_path: Path) -> None:
    (publisher.folder / "data.csv").write_bytes(CONTENT)
    file = remote(f"{publisher.url}/data.csv")
    for _ in range(2):
        path = locate(file, tmp_path / "new" / "home", True)
        assert path == tmp_path / "new" / "home" / "wine" / "data.csv"
        assert path.read_bytes() == CONTENT
    assert publisher.n_requests == 1
    assert "python-requests" not in publisher.user_agents[0]
    assert list(path.parent.iterdir()) == [path]


def test_download_with_another_hash_is_refused_and_not_kept(publisher: Any, tmp_path: Path) -> None:
    (publisher.folder / "data.csv").write_bytes(b"<html>This page has moved.</html>")
    file = remote(f"{publisher.url}/data.csv")
    with pytest.raises(OSError, match="did not give the published file, whose hash is md5:") as e:
        locate(file, tmp_path, True)
    assert file.url in str(e.value)
    assert hashlib.md5(b"<html>This page has moved.</html>").hexdigest() in str(e.value)
    assert list((tmp_path / "wine").iterdir()) == []


def test_download_without_a_hash_is_verified_by_reading_it(publisher: Any, tmp_path: Path) -> None:
    (publisher.folder / "data.csv").write_bytes(CONTENT)
    file = replace(remote(f"{publisher.url}/data.csv"), known_hash=None)
    for _ in range(2):
        with reading(file, tmp_path, True) as path:
            assert path.read_bytes() == CONTENT
    assert publisher.n_requests == 1
    assert list((tmp_path / "wine").iterdir()) == [path]


def test_download_that_cannot_be_read_is_refused_and_not_kept(
    publisher: Any, tmp_path: Path
) -> None:
    (publisher.folder / "data.csv").write_bytes(CONTENT)
    file = replace(
        remote(f"{publisher.url}/data.csv"), known_hash=None, to_check="the name of the data"
    )
    with (
        pytest.raises(OSError, match="did not give the published file: no table. Check the name"),
        reading(file, tmp_path, True) as path,
    ):
        raise corrupt_file(path, "no table")
    assert list((tmp_path / "wine").iterdir()) == []


def test_present_file_that_cannot_be_read_is_kept(tmp_path: Path) -> None:
    file = replace(remote("https://host.invalid/data.csv"), known_hash=None)
    present = tmp_path / "wine" / "data.csv"
    present.parent.mkdir()
    present.touch()
    with (
        pytest.raises(ValueError, match=r"data\.csv is damaged .*no table"),
        reading(file, tmp_path, True) as path,
    ):
        raise corrupt_file(path, "no table")
    assert present.exists()


def test_replaced_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    with replacing(path) as part:
        part.write_bytes(CONTENT)
        assert not path.exists()
    assert path.read_bytes() == CONTENT
    with pytest.raises(TypeError), replacing(path) as part, part.open("wb") as stream:
        stream.writelines([b"half of", None])  # type: ignore[list-item]
    assert path.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [path]


def test_download_by_hand_names_the_file_where_the_address_does_not(tmp_path: Path) -> None:
    file = remote("https://host.invalid/other.csv")
    with pytest.raises(OSError, match=r"into the folder .* under the name data\.csv, or name"):
        locate(file, tmp_path, False)


def test_failed_download_names_url_and_folder(publisher: Any, tmp_path: Path) -> None:
    file = remote(f"{publisher.url}/data.csv")
    with pytest.raises(OSError, match=r"could not be downloaded .*404") as e:
        locate(file, tmp_path, True)
    assert f"download {file.url} by hand into the folder {tmp_path / 'wine'}" in str(e.value)
    assert list((tmp_path / "wine").iterdir()) == []


def test_without_network_the_error_names_url_and_folder(tmp_path: Path) -> None:
    pytest.importorskip("pooch")
    # Port 9 of this machine: nothing listens there.
    file = remote("http://127.0.0.1:9/data.csv")
    with pytest.raises(OSError, match=r"could not be downloaded .*Check the network") as e:
        locate(file, tmp_path, True)
    assert f"download {file.url} by hand into the folder {tmp_path / 'wine'}" in str(e.value)


def test_missing_file_without_download_names_url_and_folder(tmp_path: Path) -> None:
    file = remote("https://host.invalid/data.csv")
    with pytest.raises(OSError, match=r"data\.csv is not in .*`download_if_missing` is False") as e:
        locate(file, tmp_path, False)
    assert f"download {file.url} by hand into the folder {tmp_path / 'wine'}" in str(e.value)
    assert not (tmp_path / "wine").exists()


def test_without_pooch_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    file = remote("https://host.invalid/data.csv")
    with pytest.raises(ImportError, match=r"pip install 'sknn\[datasets\]'") as e:
        locate(file, tmp_path, True)
    assert file.url in str(e.value)
    assert str(tmp_path / "wine") in str(e.value)


def test_read_only_folder_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("pooch")

    def refuse(**kwargs: Any) -> None:
        raise OSError(30, "Read-only file system")  # chmod would not stop the superuser

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(OSError, match=r"Read-only file system.*`data_home`.*SKNN_DATA") as e:
        locate(remote("http://127.0.0.1:9/data.csv"), tmp_path, True)
    assert str(tmp_path / "wine") in str(e.value)


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="cannot be written to") as e:
        require_writable(tmp_path / "file" / "wine")
    assert str(tmp_path / "file" / "wine") in str(e.value)


@pytest.mark.parametrize(
    "error",
    [
        gzip.BadGzipFile("Not a gzipped file"),
        EOFError("ended early"),
        zlib.error("invalid block type"),
        tarfile.ReadError("not a tar file"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_decoding_errors_name_the_file(error: Exception) -> None:
    with (
        pytest.raises(ValueError, match=r"digits\.gz is damaged .*cannot be decoded.*Delete it"),
        decoding(Path("folder", "digits.gz")),
    ):
        raise error


def test_decoding_passes_other_errors() -> None:
    with pytest.raises(PermissionError), decoding(Path("digits.gz")):
        raise PermissionError


FETCH = """
import sys, time
from pathlib import Path
from sknn.datasets import _cifar10
from sknn.datasets._store import RemoteFile
url, md5, home, ready = sys.argv[1:]
_cifar10._ARCHIVE = RemoteFile("cifar10/archive.tar.gz", url, f"md5:{md5}")
_cifar10._BATCH_FILES = {"train": ["a.bin"], "all": ["a.bin", "b.bin"]}
unpack = _cifar10._unpack
def unpack_slowly(*args):
    time.sleep(0.3)  # long enough for the other to find the archive
    unpack(*args)
_cifar10._unpack = unpack_slowly
Path(ready).touch()
while len(list(Path(ready).parent.iterdir())) < 2:
    time.sleep(0.01)
folder = _cifar10._locate_folder(["batches.meta.txt", "a.bin"], home, True)
assert (folder / "a.bin").read_bytes() == b"a" * 1000
"""


@pytest.mark.serial
def test_processes_that_want_the_same_files_wait_for_each_other(
    publisher: Any, tmp_path: Path
) -> None:
    archive = publisher.folder / "archive.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in {"batches.meta.txt": b"", "a.bin": b"a" * 1000, "b.bin": b"b"}.items():
            member = tarfile.TarInfo(f"folder/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    md5 = hashlib.md5(archive.read_bytes()).hexdigest()
    (tmp_path / "ready").mkdir()
    home = tmp_path / "home"
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                FETCH,
                f"{publisher.url}/archive.tar.gz",
                md5,
                str(home),
                str(tmp_path / "ready" / str(i)),
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(2)
    ]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    assert publisher.n_requests == 1
    assert [path.name for path in (home / "cifar10").iterdir()] == ["cifar-10-batches-bin"]


@pytest.mark.parametrize("way", ["locate", "reading"])
def test_threads_that_want_the_same_file_download_it_once(
    way: str, publisher: Any, tmp_path: Path
) -> None:
    (publisher.folder / "data.csv").write_bytes(CONTENT)
    file = remote(f"{publisher.url}/data.csv")

    def fetch(_: int) -> bytes:
        if way == "locate":
            return locate(file, tmp_path, True).read_bytes()
        with reading(file, tmp_path, True) as path:
            return path.read_bytes()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(fetch, range(4))) == [CONTENT] * 4
    assert publisher.n_requests == 1
    assert [path.name for path in (tmp_path / "wine").iterdir()] == ["data.csv"]
