"""Attacks: plain functions from signals to membership scores."""

from importlib.metadata import entry_points

from nonmember.attacks import blind as blind
from nonmember.attacks import language as language

for _plugin in entry_points(group="nonmember.attacks"):
    _plugin.load()
