"""Builders: from an unpacked package to a frozen graph, one module for each way models are shipped."""
