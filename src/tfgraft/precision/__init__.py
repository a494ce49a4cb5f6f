"""Precision: what `optimize(precision=...)` adds to a pipeline, accuracy budgets, and checks of what was built."""
