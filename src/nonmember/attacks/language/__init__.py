"""Attacks on causal language models. Token arrays are NaN past the end of each text.

Larger scores mean likelier members. A text with nothing to score gets NaN, never 0.
"""

from nonmember.attacks.language import camia as camia
from nonmember.attacks.language import compared as compared
from nonmember.attacks.language import conditioned as conditioned
from nonmember.attacks.language import ensemble as ensemble
from nonmember.attacks.language import likelihood as likelihood
from nonmember.attacks.language import perturbed as perturbed
from nonmember.attacks.language import petal as petal
from nonmember.attacks.language import reference as reference
from nonmember.attacks.language import rewritten as rewritten
from nonmember.attacks.language import written as written
