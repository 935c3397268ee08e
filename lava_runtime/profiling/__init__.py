"""Profiles of recorded runs: events and costs by time step, core and layer."""
