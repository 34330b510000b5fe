"""Training of cells: one loop, its schedule, checkpoints, the tuning of learning rates and the runner of packs."""
