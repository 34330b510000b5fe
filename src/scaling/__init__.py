"""Scaling-law studies of vision models."""
