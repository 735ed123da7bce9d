"""Defenses of classifiers: another recipe of training, or another way to answer."""

from nonmember.defenses.classifier import adv_reg as adv_reg
from nonmember.defenses.classifier import clip_confidence as clip_confidence
from nonmember.defenses.classifier import constant_confidence as constant_confidence
from nonmember.defenses.classifier import diffence as diffence
from nonmember.defenses.classifier import distillation as distillation
from nonmember.defenses.classifier import dp_sgd as dp_sgd
from nonmember.defenses.classifier import early_stopping as early_stopping
from nonmember.defenses.classifier import hamp as hamp
from nonmember.defenses.classifier import hamp_output as hamp_output
from nonmember.defenses.classifier import label_smoothing as label_smoothing
from nonmember.defenses.classifier import memguard as memguard
from nonmember.defenses.classifier import mixup as mixup
from nonmember.defenses.classifier import mixup_mmd as mixup_mmd
from nonmember.defenses.classifier import relaxloss as relaxloss
from nonmember.defenses.classifier import selena as selena
from nonmember.defenses.classifier import temperature as temperature
