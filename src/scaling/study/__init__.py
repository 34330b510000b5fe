"""What a study may say: its file, its settings and recipes, and every error in it at once; no torch."""
