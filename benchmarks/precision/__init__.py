"""What lower precision costs in accuracy and brings in speed; `python -m benchmarks.precision --help`."""
