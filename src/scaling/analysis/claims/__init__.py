"""What the text asserts: each claim a file ``cNN_name.py`` with a ``claim`` in it, found by its name."""
