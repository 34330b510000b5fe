"""Compute-optimal size and data: the frontier and isoFLOP slices."""
