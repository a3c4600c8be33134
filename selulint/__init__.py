"""A linter, with fixes, for self-normalizing neural networks."""

__version__ = "0.1.0"
