"""Claims: each is a file ``cNN_name.py`` with a ``claim`` in it, found by its name."""
