"""Canaries: put into training data before a model is trained, and asked after by its audit."""
