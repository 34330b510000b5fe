"""Laws of any table of runs: reading it, and what each command says of it."""
