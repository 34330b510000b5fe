"""What a model learns from a batch: supervised classification."""
