"""Training with a defense that needs more than another loss: several networks, or other data."""
