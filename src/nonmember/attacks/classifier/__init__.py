"""Attacks on classifiers. Logits are the target's unless a name says whose they are.

Larger scores mean likelier members. A candidate that cannot be scored gets NaN, never 0.
"""

from nonmember.attacks.classifier import adaptive as adaptive
from nonmember.attacks.classifier import label_only as label_only
from nonmember.attacks.classifier import learned as learned
from nonmember.attacks.classifier import population as population
from nonmember.attacks.classifier import reference as reference
from nonmember.attacks.classifier import threshold as threshold
from nonmember.attacks.classifier import trajectory as trajectory
