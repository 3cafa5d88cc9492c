"""Kinds of targets: labels, values, sequences of either."""
