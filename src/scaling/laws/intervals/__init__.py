"""Intervals: resamples, profiles, noise and outliers."""
