"""The bar and the signal to stop."""

from sknn.model_selection._progress import Progress


def test_a_bar(capfd):
    progress = Progress(4, verbose=True)
    for index in (0, 2, 2, 0, 3):  # some again, after memory was too little
        progress.fitted(index)
    progress.close()
    printed = capfd.readouterr()
    assert "3/4" in printed.err
    assert "4/4" not in printed.err
    assert not printed.out


def test_silence(capfd):
    for progress in (Progress(4), Progress(verbose=True)):
        progress.fitted(0)
        progress.close()
    assert capfd.readouterr() == ("", "")


def test_the_signal_to_stop():
    progress = Progress()
    assert not progress.should_stop()
    progress.stop()
    assert progress.should_stop()
