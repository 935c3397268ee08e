"""The user's own data: arrays, files by class, and tables."""
