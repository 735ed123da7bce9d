"""Defenses: plain functions that replace one part of how a model comes about, or answers.

Nothing is imported here: those of language models do not wait for PyTorch.
"""
