import os
import stat
import sys
from pathlib import Path

import pytest

from sknn.storage import atomic_write, remove_leftovers


def write_and_raise(path: Path, error: BaseException) -> None:
    with atomic_write(path) as file:
        file.write(b"new")
        raise error


def test_the_old_file_stays_until_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_nothing_else(
    error: type[BaseException], tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(error):
        write_and_raise(path, error())
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with atomic_write(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_the_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "ours") as file:
        file.write(b"1")
    (tmp_path / "plain").write_bytes(b"1")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "plain")]
    assert modes[0] == modes[1]


def test_errors_name_the_path_that_was_given(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path, error in [
        (tmp_path / "missing" / "file", FileNotFoundError),
        (tmp_path / "file" / "file", NotADirectoryError),
        (tmp_path, IsADirectoryError),
    ]:
        with pytest.raises(error) as caught, atomic_write(path):
            pass
        assert caught.value.filename == str(path)


def test_an_error_while_writing_names_the_path(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(OSError, match="No space left") as caught:
        write_and_raise(path, OSError(28, "No space left on device"))
    assert caught.value.filename == str(path)
    assert not os.listdir(tmp_path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux")
def test_a_device_is_written_to_and_not_replaced() -> None:
    with pytest.raises(OSError, match="No space left") as caught, atomic_write("/dev/full") as file:
        file.write(b"1")
    assert caught.value.filename == "/dev/full"
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_file_that_is_replaced_hands_its_permissions_on(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(mode)
    with atomic_write(path) as file:
        file.write(b"new")
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.read_bytes() == b"new"


def test_the_home_folder_has_a_short_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with atomic_write("~/file") as file:
        file.write(b"1")
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks that end with their process")
def test_leftovers_are_removed_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    (tmp_path / ".file.0123.tmp").write_bytes(b"left by a process that was killed")
    (tmp_path / ".other.0123.tmp").write_bytes(b"of another file")
    with atomic_write(tmp_path / "file") as file:
        file.write(b"1")
        remove_leftovers(tmp_path, "file")
        assert len(os.listdir(tmp_path)) == 2
    remove_leftovers(tmp_path, "file")
    assert sorted(os.listdir(tmp_path)) == [".other.0123.tmp", "file"]
