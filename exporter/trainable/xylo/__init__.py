"""A network as a torch module in the integers of a Xylo chip."""
