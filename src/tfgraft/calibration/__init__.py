"""Calibration: the ranges of activations, observed while a model runs on representative data."""
