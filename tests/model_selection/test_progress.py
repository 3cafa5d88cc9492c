"""The bar over the epochs of all fits, and the signal to stop."""

from types import SimpleNamespace

import pytest

import sknn.model_selection as ours
from sknn.model_selection import _progress
from sknn.model_selection._progress import Progress


def make_task(index, max_iter=10):
    call = SimpleNamespace(index=index, network=SimpleNamespace(max_iter=max_iter))
    return SimpleNamespace(call=call, n_epochs=0)


@pytest.fixture
def at_once(monkeypatch):
    """Have the bar drawn each time."""
    monkeypatch.setattr(_progress, "INTERVAL", 0.0)


def test_a_bar(capfd, at_once):
    tasks = [make_task(index) for index in range(3)]
    progress = Progress([task.call for task in tasks], verbose=True)
    progress.begin(tasks[:2])
    tasks[0].n_epochs, tasks[1].n_epochs = 3, 4
    assert not progress.should_stop()
    assert "7/30 epochs" in capfd.readouterr().err
    tasks[0].n_epochs = 6  # and there it stops: 4 of its epochs are not run
    progress.end(tasks[0])
    printed = capfd.readouterr().err
    assert "10/26 epochs" in printed
    assert "1/3 fits" in printed
    again = make_task(0)  # since memory was too little
    progress.begin([again, tasks[2]])
    progress.end(again)
    for task in tasks[1:]:
        task.n_epochs = 10
        progress.end(task)
    progress.close()
    printed = capfd.readouterr()
    assert "26/26 epochs" in printed.err
    assert "3/3 fits" in printed.err
    assert not printed.out


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_bar_of_a_search_ends_with_the_epochs_that_were_run(wine, tools, capfd, n_jobs):
    scores = ours.cross_validate(
        tools.classifier(), *wine, verbose=1, n_jobs=n_jobs, return_estimator=True
    )
    n_epochs = sum(estimator.n_iter_ for estimator in scores["estimator"])
    assert n_epochs < 5 * 200
    printed = capfd.readouterr().err
    assert f"{n_epochs}/{n_epochs} epochs" in printed
    assert "5/5 fits" in printed


def test_silence(capfd):
    tasks = [make_task(0)]
    for progress in (Progress([tasks[0].call]), Progress(verbose=True)):
        progress.begin(tasks)
        progress.end(tasks[0])
        progress.close()
    assert capfd.readouterr() == ("", "")


def test_the_signal_to_stop():
    progress = Progress()
    assert not progress.should_stop()
    progress.stop()
    assert progress.should_stop()
