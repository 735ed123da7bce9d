"""Defenses: plain functions that replace one part of how a model comes about, or answers."""

from importlib import import_module
from importlib.metadata import entry_points

from nonmember.defenses import classifier as classifier
from nonmember.defenses import language as language

for _plugin in entry_points(group="nonmember.defenses"):
    import_module(_plugin.module)  # the attribute may not be there yet, if it is importing us
