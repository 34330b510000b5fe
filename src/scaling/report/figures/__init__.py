"""Figures: tables in, plotnine figures out."""
