"""Fitting: the global optimum of a law on a table, and the choice among laws."""
