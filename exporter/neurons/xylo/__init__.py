"""Neurons of the Xylo chips."""
