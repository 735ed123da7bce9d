"""Defenses: plain functions that replace one part of how a model comes about."""

from importlib import import_module
from importlib.metadata import entry_points

from nonmember.defenses import deduplicate as deduplicate
from nonmember.defenses import dp_lora as dp_lora
from nonmember.defenses import drop_influential as drop_influential
from nonmember.defenses import early_stopping as early_stopping
from nonmember.defenses import exclude_layers as exclude_layers
from nonmember.defenses import lora_dropout as lora_dropout
from nonmember.defenses import soft as soft
from nonmember.defenses import weight_decay as weight_decay

for _plugin in entry_points(group="nonmember.defenses"):
    import_module(_plugin.module)  # the attribute may not be there yet, if it is importing us
