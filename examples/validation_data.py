"""Validation data through a Pipeline.

A Pipeline transforms what it is told to by `transform_input`, so that the validation samples
reach the network scaled by the training samples' mean and deviation. Early stopping then watches
them, and `history_` has their loss and accuracy for each epoch.
"""

from __future__ import annotations

import sklearn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sknn import NeuralClassifier


def main() -> None:
    """Fit the digits with a validation part, and print the history."""
    sklearn.set_config(enable_metadata_routing=True)
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, stratify=y, random_state=0)
    X, X_val, y, y_val = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)

    network = NeuralClassifier(
        learning_rate_init=0.005, early_stopping=True, n_iter_no_change=5, random_state=0
    )
    model = Pipeline(
        [("scale", StandardScaler()), ("network", network.set_fit_request(X_val=True, y_val=True))],
        transform_input=["X_val"],
    )
    model.fit(X, y, X_val=X_val, y_val=y_val)

    print("epoch  training loss  validation loss  validation accuracy")
    for number, epoch in enumerate(network.history_, start=1):
        print(
            f"{number:5d}  {epoch['train_loss']:13.4f}  {epoch['valid_loss']:15.4f}"
            f"  {epoch['valid_score']:19.4f}"
        )
    print(f"\nbest validation accuracy {network.best_validation_score_:.4f}")
    print(f"test accuracy            {model.score(X_test, y_test):.4f}")


if __name__ == "__main__":
    main()
