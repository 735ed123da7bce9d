"""Defenses of classifiers: another recipe of training, or another way to answer."""
