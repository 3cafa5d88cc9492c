"""A universe as a torch module: fit H0 and Omega_m of flat Lambda-CDM to supernovae.

`module=` takes any torch module, not only neural networks. This one has two parameters, and the
estimator around it minimises the weighted squared error by L-BFGS. SciPy's `curve_fit`, with a
formula of its own, finds the same universe. The figure is written to examples/output/.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import torch
from scipy.optimize import curve_fit
from torch import nn

from sknn import NeuralRegressor
from sknn.datasets import distance_modulus, fetch_supernova, make_supernova

matplotlib.use("Agg")  # figures go to files, no window is needed
import matplotlib.pyplot as plt

OUTPUT = Path(__file__).parent / "output"
SPEED_OF_LIGHT = 299_792.458  # km / s


class FlatUniverse(nn.Module):
    """Distance modulus mu(z) in a flat universe of matter and a cosmological constant.

    mu = 5 log10(d_L / 10 pc), d_L = (1 + z) c / H0 * integral of dz' / E(z') from 0 to z,
    E(z)^2 = Omega_m (1 + z)^3 + 1 - Omega_m.
    """

    def __init__(self, n_nodes: int = 24) -> None:
        super().__init__()
        # Both parameters are of order one, which is what an optimiser likes: h = H0 / 70.
        self.h = nn.Parameter(torch.tensor([1.0]))
        self.omega_m = nn.Parameter(torch.tensor([0.5]))
        nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
        self.register_buffer("nodes", torch.tensor((nodes + 1) / 2))  # on [0, 1]
        self.register_buffer("weights", torch.tensor(weights / 2))

    @property
    def H0(self) -> torch.Tensor:
        """Hubble constant in km / s / Mpc."""
        return 70 * self.h

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Map redshifts of shape (n, 1) to distance moduli of shape (n, 1)."""
        scale = 1 + z * self.nodes  # (n, n_nodes)
        expansion = torch.sqrt(self.omega_m * scale**3 + 1 - self.omega_m)
        integral = z * (self.weights / expansion).sum(1, keepdim=True)
        distance = (1 + z) * SPEED_OF_LIGHT / self.H0 * integral  # Mpc
        return 5 * torch.log10(distance) + 25


def load() -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Return redshift, distance modulus and its standard deviation."""
    try:
        union = fetch_supernova()
    except (OSError, ImportError):  # neither here nor to be had from the network
        z, mu, sigma = make_supernova(random_state=0, return_error=True)
        return z, mu, sigma, "simulated supernovae"
    return union.data, union.target, union.mu_error, "Union2.1 compilation"


def fit_with_sknn(z: np.ndarray, mu: np.ndarray, sigma: np.ndarray) -> NeuralRegressor:
    """Minimise the chi-square: the squared error with weights 1 / sigma^2."""
    universe = NeuralRegressor(
        module=FlatUniverse,
        solver="lbfgs",
        alpha=0,  # no penalty on the parameters
        tol=1e-9,  # on the gradient
        precision="float64",
    )
    return universe.fit(z, mu, sample_weight=1 / sigma**2)


def fit_with_scipy(z: np.ndarray, mu: np.ndarray, sigma: np.ndarray) -> tuple[float, float]:
    """Do the same with SciPy and the formula of sknn.datasets."""
    (omega_m, H0), _ = curve_fit(
        lambda z, omega_m, H0: distance_modulus(z, H0, omega_m),
        z[:, 0],
        mu,
        p0=[0.5, 70],
        sigma=sigma,
        bounds=([0, 1], [1, 200]),
        xtol=1e-12,
        ftol=1e-12,
    )
    return float(omega_m), float(H0)


def chi_square(mu: np.ndarray, predicted: np.ndarray, sigma: np.ndarray) -> float:
    """Sum of the squared residuals in units of their standard deviations."""
    return float(np.sum(((mu - predicted) / sigma) ** 2))


def draw(
    z: np.ndarray, mu: np.ndarray, sigma: np.ndarray, universe: NeuralRegressor, data: str
) -> None:
    """Hubble diagram: distances against redshift, with universes of other Omega_m."""
    H0, omega_m = universe.module_.H0.item(), universe.module_.omega_m.item()
    grid = np.geomspace(z.min(), z.max(), 200)
    figure, (top, bottom) = plt.subplots(
        2, 1, sharex=True, figsize=(7, 6.5), height_ratios=[2, 1], layout="constrained"
    )
    bars = {"fmt": ".", "color": "#8a8f98", "ecolor": "#c9ccd1", "elinewidth": 0.8, "ms": 4}
    top.errorbar(z[:, 0], mu, sigma, label=f"{data} ({len(z)})", **bars)
    top.set(ylabel="distance modulus / mag", title="Hubble diagram")
    bottom.errorbar(z[:, 0], mu - universe.predict(z), sigma, **bars)
    bottom.set(xscale="log", xlabel="redshift", ylabel="difference to the fit / mag", ylim=(-1, 1))
    bottom.xaxis.set_major_formatter(lambda value, position: f"{value:g}")
    lines = [(omega_m, "#d9661f", "-"), (0.0, "#2a6fbb", "--"), (1.0, "#2f8f5b", ":")]
    fitted = distance_modulus(grid, H0, omega_m)
    for value, color, style in lines:
        curve = distance_modulus(grid, H0, value)
        label = rf"$\Omega_m$ = {value:.3f}, fitted" if value == omega_m else None
        label = label or rf"$\Omega_m$ = {value:g}"
        top.plot(grid, curve, style, color=color, lw=2, zorder=3, label=label)
        bottom.plot(grid, curve - fitted, style, color=color, lw=2, zorder=3)
    top.legend(frameon=False)
    for axis in (top, bottom):
        axis.spines[["top", "right"]].set_visible(False)
    OUTPUT.mkdir(exist_ok=True)
    figure.savefig(OUTPUT / "hubble_diagram.png", dpi=150)
    plt.close(figure)


def main() -> None:
    """Fit twice, compare, draw."""
    z, mu, sigma, data = load()
    universe = fit_with_sknn(z, mu, sigma)
    omega_m, H0 = fit_with_scipy(z, mu, sigma)

    print(f"{data}, {len(z)} supernovae\n")
    print("                 Omega_m     H0   chi2")
    ours = chi_square(mu, universe.predict(z), sigma)
    module = universe.module_
    print(f"NeuralRegressor   {module.omega_m.item():.4f}  {module.H0.item():.2f}  {ours:.1f}")
    theirs = chi_square(mu, distance_modulus(z[:, 0], H0, omega_m), sigma)
    print(f"curve_fit         {omega_m:.4f}  {H0:.2f}  {theirs:.1f}")
    draw(z, mu, sigma, universe, data)
    print(f"\nfigure: {OUTPUT / 'hubble_diagram.png'}")


if __name__ == "__main__":
    main()
