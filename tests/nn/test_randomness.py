import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sknn.nn.layers import Dropout
from sknn.nn.randomness import Generators, generator_on, lent_generators

CPU = torch.device("cpu")


def make_generators(seed: int = 0) -> Generators:
    return Generators(torch.Generator().manual_seed(seed), CPU)


def draw_anew(seed: int, draw: Callable[[], Tensor]) -> Tensor:
    """Draw from torch's global generator, and leave it as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return draw()


@pytest.mark.parametrize("context", ["lent", "lent_by_the_call"])
def test_lent_generators_draw_what_their_own_would_and_are_put_back(context: str) -> None:
    generators = make_generators(3)
    before = torch.get_rng_state()
    with getattr(generators, context)():
        drawn = torch.cat([torch.rand(5), torch.empty(3).normal_(), F.dropout(torch.ones(4))])
    further = torch.rand(5, generator=generators.generator)
    assert torch.equal(torch.get_rng_state(), before)
    expected = draw_anew(
        3, lambda: torch.cat([torch.rand(5), torch.empty(3).normal_(), F.dropout(torch.ones(4))])
    )
    assert torch.equal(drawn, expected)
    assert not torch.equal(further, expected[:5])


@pytest.mark.parametrize("context", ["lent", "lent_by_the_call"])
def test_generators_are_put_back_after_an_exception(context: str) -> None:
    before = torch.get_rng_state()

    def interrupt() -> None:
        with getattr(make_generators(), context)():
            torch.rand(3)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert torch.equal(torch.get_rng_state(), before)


def test_layers_draw_from_active_generators() -> None:
    dropout, ones = Dropout(0.5), torch.ones(100)
    expected = draw_anew(1, lambda: dropout(ones))
    before = torch.get_rng_state()
    generators = make_generators(1)
    with generators.active():
        assert torch.equal(dropout(ones), expected)
        assert generator_on(CPU) is generators.generator
        with ThreadPoolExecutor(1) as pool:  # of this thread alone
            assert pool.submit(generator_on, CPU).result() is None
    assert generator_on(CPU) is None
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("context", ["lent", "lent_by_the_call"])
def test_layers_and_global_draws_share_one_sequence(context: str) -> None:
    dropout, ones = Dropout(0.5), torch.ones(100)

    def draw() -> Tensor:
        return torch.cat([dropout(ones), torch.rand(3), dropout(ones)])

    generators = make_generators(1)
    with generators.active(), getattr(generators, context)():
        found = draw()
    assert torch.equal(found, draw_anew(1, draw))


def test_a_loan_within_a_loan_draws_on() -> None:
    generators, other = make_generators(1), make_generators(2)
    with generators.active(), generators.lent():
        drawn = [torch.rand(1)]
        with lent_generators(), generators.lent():
            drawn.append(torch.rand(1))
        with other.lent():
            assert torch.equal(torch.rand(4), draw_anew(2, lambda: torch.rand(4)))
        drawn.append(torch.rand(1))
    assert torch.equal(torch.cat(drawn), draw_anew(1, lambda: torch.rand(3)))


def test_loans_in_threads_wait_for_each_other() -> None:
    def draw(seed: int) -> list[float]:
        numbers: list[float] = []
        generators = make_generators(seed)
        for _ in range(200):
            with generators.lent():
                numbers += torch.rand(2).tolist()
        return numbers

    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(draw, range(8)))
    for seed, found in enumerate(drawn):  # the expected numbers come from the global generator too
        assert found == draw_anew(seed, lambda: torch.rand(400)).tolist()


@pytest.mark.serial
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_fork_while_generators_are_lent_does_not_wait() -> None:
    is_lent, is_over = threading.Event(), threading.Event()

    def lend() -> None:
        with make_generators().lent():
            is_lent.set()
            is_over.wait(timeout=60)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(lend)
        is_lent.wait(timeout=60)
        child = os.fork()
        if child == 0:
            with make_generators().lent():
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        is_over.set()
