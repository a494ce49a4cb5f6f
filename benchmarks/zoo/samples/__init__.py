"""Samples: real feeds for the models, and what their outputs mean in words."""
