"""Choosing engines by measurement."""
