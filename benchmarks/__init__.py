"""Side-by-side measurements: sknn, scikit-learn, skorch and a hand-written torch loop.

``python -m benchmarks`` runs all of them, ``python -m benchmarks mnist --repeats 5`` one;
``python -m benchmarks --help`` names them.

==================  ============================================================================
`_contenders`       the ways to fit the same network to the same batches
`_torch_loop`       what one would write by hand with torch
`_image_loop`       the same for images, with the networks in `_image_problems`
`_keras`            Keras in a process of its own, which runs the script `_keras_images`
`_measure`          interleaved timing, latency, comparisons of several contenders
`_memory`           peak memory of a fit in a process of its own; images: `_image_memory`, searches:
                    `_search_memory`
`_peaks`            how the peak of a process is measured
`_data`             data sets, and the kind of problem that they are
`_machine`          what the numbers were measured on
`_report`           the table
`_fits`, `_predictions`, `_searches`, `_imports`, `_scores`, `_images`, `_image_scores`,
`_series`, `_series_sets`, `_forecasts`,
`_tables`, `_cuda`  benchmarks; the data of tables in `_table_data`, sets of series in
                    `_series_data`, and peers on them in `_series_peers`
==================  ============================================================================
"""
