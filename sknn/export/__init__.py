"""Fitted estimators as files that run without this package."""

from ._comparison import ExportError
from ._onnx import export_onnx
from ._program import export_torch

__all__ = ["ExportError", "export_onnx", "export_torch"]
