"""Benchmarks of tfgraft; run from the repository's root, not part of the distribution."""
