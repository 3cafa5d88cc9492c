"""Side-by-side measurements: sknn, scikit-learn, skorch and a hand-written torch loop.

``python -m benchmarks`` runs all of them, ``python -m benchmarks mnist --repeats 5`` one;
``python -m benchmarks --help`` names them.

==================  ============================================================================
`_contenders`       the ways to fit the same network to the same batches
`_torch_loop`       what one would write by hand with torch
`_measure`          interleaved timing, latency, comparisons of several contenders
`_memory`           peak memory of a fit in a process of its own
`_data`             data sets, and the kind of problem that they are
`_machine`          what the numbers were measured on
`_report`           the table
`_fits`, `_predictions`, `_imports`, `_scores`, `_cuda`   the benchmarks
==================  ============================================================================
"""
