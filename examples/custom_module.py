"""A custom torch module in a grid search.

`module=` takes a class or factory; it is called with `n_features_in` and `n_outputs` where it has
parameters of these names, so it need not know the data. `functools.partial` binds its other
parameters, and partials can be searched like any other value.
"""

from __future__ import annotations

from functools import partial

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sknn import NeuralClassifier


class ResidualNetwork(nn.Module):
    """Layers that each add to what comes in: h + relu(W h + b)."""

    def __init__(self, n_features_in: int, n_outputs: int, width: int, depth: int = 2) -> None:
        super().__init__()
        self.first = nn.Linear(n_features_in, width)
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.last = nn.Linear(width, n_outputs)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_features_in) to logits of shape (batch, n_outputs)."""
        hidden = torch.relu(self.first(X))
        for block in self.blocks:
            hidden = hidden + torch.relu(block(hidden))
        return self.last(hidden)


def main() -> None:
    """Search for the width, and score on digits not seen."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, stratify=y, random_state=0)
    network = NeuralClassifier(
        learning_rate="cosine", learning_rate_init=0.01, max_iter=30, random_state=0
    )
    search = GridSearchCV(
        Pipeline([("scale", StandardScaler()), ("network", network)]),
        {"network__module": [partial(ResidualNetwork, width=width) for width in (16, 64)]},
        cv=3,
    ).fit(X, y)
    for parameters, score in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        width = parameters["network__module"].keywords["width"]
        print(f"width {width:3d}: accuracy {score:.3f} in 3-fold cross-validation")
    best = search.best_estimator_["network"]
    print(f"\n{best.n_parameters_} parameters, test accuracy {search.score(X_test, y_test):.3f}")
    print(best.module_)


if __name__ == "__main__":
    main()
