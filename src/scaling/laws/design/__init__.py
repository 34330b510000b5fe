"""Which runs to add: how much each would narrow what is asked of a fitted law, for its cost."""
