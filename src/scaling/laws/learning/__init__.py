"""What the learning curves and the learning rates of a family's runs say of its laws."""
