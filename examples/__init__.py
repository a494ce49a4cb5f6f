"""Examples; run from the repository's root, such as `python -m examples.demo`."""
