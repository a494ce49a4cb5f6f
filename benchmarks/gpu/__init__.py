"""What can be shown on a machine with a GPU only; see docs/gpu.md."""
