"""Faults of disks and of processes leave the last checkpoint, from which a fit goes on."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import EpochTimer

from sknn import NeuralClassifier
from sknn.training import CHECKPOINT_FILE
from sknn.training.checkpoints import _checkpoint
from tests.helpers import assert_same_weights, run_python

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = StandardScaler().fit_transform(load_breast_cancer().data)[:300]
y = load_breast_cancer().target[:300]


def make_classifier(**parameters: Any) -> NeuralClassifier:
    parameters = {"max_iter": 10, "learning_rate_init": 0.01, "random_state": 0} | parameters
    return NeuralClassifier((10,), **parameters)


@pytest.fixture
def half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the checkpoint of a fit that was interrupted after its third epoch."""
    folder = tmp_path / "checkpoints"
    monkeypatch.setattr(_checkpoint, "LARGEST_SHARE", np.inf)  # write after each epoch
    with pytest.raises(KeyboardInterrupt):
        make_classifier(checkpoint=folder, callbacks=[Fails(4)]).fit(X, y)
    return folder


class Fails(EpochTimer):
    """Ends a fit; it counts as a callback that does nothing but report."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        super().on_epoch_end(net, **kwargs)
        if len(net.history) == self.at:
            raise KeyboardInterrupt


def take_up(folder: Path) -> None:
    """Fit with a checkpoint, which has to end as a fit without one."""
    model = make_classifier(checkpoint=folder).fit(X, y)
    assert_same_weights(model, make_classifier().fit(X, y))


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it_before_training(
    tmp_path: Path,
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")
    for folder in (file, file / "folder"):
        model = make_classifier(checkpoint=folder)
        with pytest.raises(OSError, match=str(file)):
            model.fit(X, y)
        assert not hasattr(model, "module_")
    assert file.read_bytes() == b"content"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_an_error_that_names_it_before_training(half_done: Path) -> None:
    before = (half_done / CHECKPOINT_FILE).read_bytes()
    half_done.chmod(0o500)
    try:
        model = make_classifier(checkpoint=half_done)
        with pytest.raises(PermissionError, match=str(half_done)):
            model.fit(X, y)
    finally:
        half_done.chmod(0o700)
    assert (half_done / CHECKPOINT_FILE).read_bytes() == before
    take_up(half_done)


@pytest.mark.parametrize("call", ["fsync", "open", "replace"])
def test_a_disk_that_fails_leaves_the_last_checkpoint(
    call: str, half_done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = half_done / CHECKPOINT_FILE
    before = path.read_bytes()
    real = getattr(os, call)

    def fail(*args: Any, **kwargs: Any) -> Any:
        is_ours = call == "fsync" or CHECKPOINT_FILE in str(args[0])
        is_reading = call == "open" and not args[1] & (os.O_WRONLY | os.O_RDWR)
        if is_ours and not is_reading:
            raise OSError(28, "No space left on device")
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        model = make_classifier(checkpoint=half_done)
        with pytest.raises(OSError, match=f"No space left on device: '{path}'"):
            model.fit(X, y)
    assert model.n_iter_ == 4  # the epoch after the checkpoint's
    assert model.predict(X).shape == y.shape
    assert path.read_bytes() == before
    assert [each.name for each in half_done.iterdir()] == [CHECKPOINT_FILE]
    take_up(half_done)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="limits are POSIX's")
def test_a_file_system_that_is_full_leaves_the_last_checkpoint(half_done: Path) -> None:
    """The limit of a file's size stands for the disk's: the kernel itself refuses to write."""
    path = half_done / CHECKPOINT_FILE
    before = path.read_bytes()
    code = f"""
    import resource
    from pathlib import Path
    from tests.training.checkpoints.test_faults import X, make_classifier, y
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        make_classifier(checkpoint=Path({str(half_done)!r})).fit(X, y)
    except OSError as error:
        print(error)
    """
    root = Path(__file__).parents[3]
    assert f"'{path}'" in run_python(code, PYTHONPATH=str(root))
    assert path.read_bytes() == before
    assert [each.name for each in half_done.iterdir()] == [CHECKPOINT_FILE]
    take_up(half_done)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 kB, where one may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_the_last_checkpoint(half_done: Path, small_disk: Path) -> None:
    content = (half_done / CHECKPOINT_FILE).read_bytes()
    (small_disk / CHECKPOINT_FILE).write_bytes(content)
    disk = os.statvfs(small_disk)  # the new file is written beside the old one
    (small_disk / "other").write_bytes(bytes(disk.f_bavail * disk.f_bsize - len(content) // 2))
    model = make_classifier(checkpoint=small_disk)
    with pytest.raises(OSError, match=f"No space left.*{small_disk / CHECKPOINT_FILE}"):
        model.fit(X, y)
    assert (small_disk / CHECKPOINT_FILE).read_bytes() == content
    (small_disk / "other").unlink()
    take_up(small_disk)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.999])
@pytest.mark.parametrize("harm", ["cut off", "altered"])
def test_a_damaged_checkpoint_is_refused_and_not_written_over(
    harm: str, share: float, half_done: Path
) -> None:
    path = half_done / CHECKPOINT_FILE
    content = bytearray(path.read_bytes())
    place = int(share * len(content))
    if harm == "cut off":
        del content[place:]
    else:
        content[place] ^= 1
    path.write_bytes(content)
    model = make_classifier(checkpoint=half_done)
    with pytest.raises(ValueError, match=str(path)):
        model.fit(X, y)
    assert not hasattr(model, "module_")
    assert path.read_bytes() == bytes(content)


# Forks, so that each fit need not import torch anew. A child takes up the fit that the one before
# it was killed in, and the last one stores the weights.
KILLS = """
    import os, signal, sys, time, warnings
    from pathlib import Path
    import numpy as np
    from sknn import NeuralClassifier
    from sknn.training.checkpoints import _checkpoint

    warnings.simplefilter("ignore")
    _checkpoint.LARGEST_SHARE = np.inf  # write after each epoch
    folder, n_kills = Path(sys.argv[1]), int(sys.argv[2])
    rng = np.random.default_rng(int(sys.argv[3]))
    X = np.random.default_rng(0).normal(size=(200, 10))
    y = (X[:, 0] > 0).astype(int)

    def fit(number, checkpoint):
        model = NeuralClassifier(
            (20,),
            batch_size=20,
            max_iter=8,
            dropout=0.2,
            early_stopping=True,
            n_iter_no_change=100,
            n_estimators=1 + number % 2,
            random_state=number,
            checkpoint=checkpoint,
            checkpoint_minutes=1e-9 if number % 4 < 2 else 10,
        ).fit(X, y)
        return [p.detach().numpy() for p in model.module_.parameters()]

    def fit_in_child(number, path, weights):
        child = os.fork()
        if child == 0:
            np.savez(weights, *fit(number, path))
            os._exit(0)
        return child

    def wait(child, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if os.waitpid(child, os.WNOHANG)[0]:
                return True
            time.sleep(0.0005)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return False

    done, half_written, number = 0, 0, 0
    while done < n_kills:
        path, weights = folder / str(number), folder / f"{number}.npz"
        start = time.monotonic()
        expected = fit(number, folder / f"alone {number}")
        seconds = time.monotonic() - start
        without = fit(number, None)
        assert all((a == b).all() for a, b in zip(expected, without, strict=True))
        while True:
            patience = rng.uniform(0, seconds) if done < n_kills else 600
            if wait(fit_in_child(number, path, weights), patience):
                break
            done += 1
            half_written += any(path.rglob("*.tmp"))
        stored = np.load(weights)
        assert len(stored.files) == len(without)
        for name, array in zip(stored.files, without, strict=True):
            assert (stored[name] == array).all(), (number, name)
        assert not any(path.rglob("*.tmp"))
        number += 1
    print(done, half_written)
    """


@pytest.mark.serial
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize("n_kills", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_a_fit_that_is_killed_at_any_moment_ends_with_the_weights_of_one_that_was_not(
    n_kills: int, tmp_path: Path
) -> None:
    script = textwrap.dedent(KILLS)
    seed = int.from_bytes(os.urandom(4), "little")
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(tmp_path), str(n_kills), str(seed)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, f"seed {seed}: {run.stderr}"
    done, half_written = map(int, run.stdout.split())
    assert done == n_kills
    if n_kills == 50:  # saving takes much of the time of so small a fit
        assert half_written > 0
