import numpy as np
import pytest

from sknn.inspection._axes import picture_axes, value_scale

plt = pytest.importorskip("matplotlib.pyplot")


def test_new_figures_have_a_grid_without_ticks() -> None:
    axes = picture_axes(5, None, n_columns=3)
    assert axes.shape == (5,)
    figure = axes[0].figure
    assert len(figure.axes) == 6
    assert not any(ax.axison for ax in figure.axes)
    assert axes[0].get_gridspec().get_geometry() == (2, 3)


@pytest.mark.parametrize(("n", "grid"), [(1, (1, 1)), (4, (2, 2)), (5, (2, 3)), (16, (4, 4))])
def test_grids_are_about_square(n: int, grid: tuple[int, int]) -> None:
    assert picture_axes(n, None)[0].get_gridspec().get_geometry() == grid


def test_few_pictures_need_few_columns() -> None:
    assert picture_axes(2, None, n_columns=8)[0].get_gridspec().get_geometry() == (1, 2)


def test_size_follows_the_pictures() -> None:
    square = picture_axes(4, None)[0].figure.get_size_inches()
    tall = picture_axes(4, None, aspect=2)[0].figure.get_size_inches()
    assert tuple(tall) == (square[0], 2 * square[1])


def test_given_axes_are_drawn_on() -> None:
    _, grid = plt.subplots(2, 2)
    chosen = picture_axes(3, grid)
    assert list(chosen) == list(grid.ravel()[:3])
    assert list(picture_axes(1, grid[1, 1])) == [grid[1, 1]]
    assert plt.get_fignums() == [grid[0, 0].figure.number]


def test_bad_axes() -> None:
    _, grid = plt.subplots(1, 2)
    with pytest.raises(ValueError, match="axes has 2 Axes, but 3 are needed"):
        picture_axes(3, grid)
    with pytest.raises(TypeError, match="axes must hold Axes of matplotlib; got Figure"):
        picture_axes(1, grid[0].figure)


def test_scales() -> None:
    signed = value_scale(np.array([-3.0, 1.0]))
    assert (signed["vmin"], signed["vmax"]) == (-3, 3)
    positive = value_scale(np.array([0.5, 2.0]))
    assert (positive["vmin"], positive["vmax"]) == (0, 2)
    assert value_scale(np.zeros(3))["vmax"] == 1
