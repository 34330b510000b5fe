"""A run's identity and record: the grid, keys, the store with its leases, tuned rates, the table of runs; no torch."""
