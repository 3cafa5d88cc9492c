"""A model is saved, a fit is killed and resumed, and the result leaves Python as an ONNX file.

Run it: ``python examples/saving.py``.
"""

import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import sknn
from sknn import NeuralClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)


def train(checkpoint: Path | None) -> NeuralClassifier:
    """Train for a few seconds."""
    network = NeuralClassifier(
        (200, 200),
        dropout=0.2,
        learning_rate="cosine",
        max_iter=40,
        random_state=0,
        checkpoint=checkpoint,
    )
    return network.fit(X_train, y_train)


def show_saving(folder: Path) -> None:
    """Save a pipeline, and load it."""
    network = NeuralClassifier(
        learning_rate="cosine", learning_rate_init=0.01, max_iter=30, random_state=0
    )
    pipeline = make_pipeline(MinMaxScaler(), network).fit(X_train, y_train)
    path = folder / "digits.sknn"
    sknn.save(pipeline, path)
    loaded = sknn.load(path)
    info = sknn.file_info(path)
    size = path.stat().st_size / 1024
    print(f"{path.name}: {size:.0f} KiB, written by sknn {info.versions['sknn']}")
    print(f"accuracy before saving {pipeline.score(X_test, y_test):.4f}", end=", ")
    print(f"after loading {loaded.score(X_test, y_test):.4f}")

    if onnx_is_installed():
        sknn.export_onnx(pipeline, folder / "digits.onnx")
        import onnxruntime

        session = onnxruntime.InferenceSession(folder / "digits.onnx")
        label, _ = session.run(None, {"X": X_test})
        agreement = np.mean(label == pipeline.predict(X_test))
        print(f"the ONNX file agrees on {agreement:.0%} of the labels")


def onnx_is_installed() -> bool:
    """Say whether the extra `export` is there."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        print(f"no ONNX export: {error}; pip install 'sknn[export]'")
        return False
    return True


def show_resuming(folder: Path) -> None:
    """Kill a process that trains, and go on in this one."""
    context = multiprocessing.get_context("spawn")
    victim = context.Process(target=train, args=(folder,))
    victim.start()
    file = folder / "checkpoint.sknn"
    while victim.is_alive() and not (file.exists() and sknn.load(file).n_iter_ >= 10):
        time.sleep(0.05)
    victim.kill()
    victim.join()
    n_epochs = sknn.load(file).n_iter_
    print(f"killed; {file.name} has {n_epochs} epochs")

    resumed = train(folder)
    print(f"resumed, and trained for {resumed.n_iter_ - n_epochs} more")
    whole = train(None)
    same = all(np.array_equal(a, b) for a, b in zip(resumed.coefs_, whole.coefs_, strict=True))
    print(f"beside a fit without interruption: {'equal, bit for bit' if same else 'DIFFERENT'}")


def main() -> None:
    """Show both."""
    with tempfile.TemporaryDirectory() as folder:
        show_saving(Path(folder))
        print()
        show_resuming(Path(folder, "run"))


if __name__ == "__main__":
    main()
