"""Benchmarks: times and memory, measured alone on a machine."""
