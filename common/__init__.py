"""Shared by all packages: errors, atomic files, arrays, locks and limits."""
