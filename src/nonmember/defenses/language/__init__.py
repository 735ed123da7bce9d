"""Defenses of language models: what becomes of their training records, or of their recipe."""

from nonmember.defenses.language import deduplicate as deduplicate
from nonmember.defenses.language import dp_lora as dp_lora
from nonmember.defenses.language import drop_influential as drop_influential
from nonmember.defenses.language import early_stopping as early_stopping
from nonmember.defenses.language import exclude_layers as exclude_layers
from nonmember.defenses.language import lora_dropout as lora_dropout
from nonmember.defenses.language import soft as soft
from nonmember.defenses.language import weight_decay as weight_decay
