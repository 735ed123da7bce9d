"""Classifiers as targets, whatever they come as: found, read, and asked for logits."""

from nonmember.models.classifiers.loading import load
from nonmember.models.classifiers.source import ClassifierSource, find, of

__all__ = ["ClassifierSource", "find", "load", "of"]
