"""Diffusion models: what regenerates an input."""
