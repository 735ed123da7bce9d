"""Attacks: plain functions from signals to membership scores."""

from importlib import import_module
from importlib.metadata import entry_points

from nonmember.attacks import blind as blind
from nonmember.attacks import blind_inputs as blind_inputs
from nonmember.attacks import classifier as classifier
from nonmember.attacks import language as language
from nonmember.attacks import transfer as transfer

for _plugin in entry_points(group="nonmember.attacks"):
    import_module(_plugin.module)  # the attribute may not be there yet, if it is importing us
