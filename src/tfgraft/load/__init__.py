"""Loading models: every kind of TensorFlow model becomes a frozen graph with its ends named."""

from tfgraft.load.load import load
from tfgraft.load.model import LoadedModel, NamedTensor, Resource, Signature

__all__ = ["LoadedModel", "NamedTensor", "Resource", "Signature", "load"]
