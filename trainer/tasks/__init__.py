"""What a network is trained for: targets, loss, answer and metric, by name."""
