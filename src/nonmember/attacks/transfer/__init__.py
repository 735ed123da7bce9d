"""Attacks on the ancestor of a model: who was in the data that it was pre-trained on?

Only the fine-tuned model is asked. ``ref_member`` says whom the parent of each reference was
pre-trained on. Larger scores mean likelier members.
"""

from nonmember.attacks.transfer import discriminant as discriminant
from nonmember.attacks.transfer import likelihood as likelihood
from nonmember.attacks.transfer import metaclassifier as metaclassifier
from nonmember.attacks.transfer import shared as shared
from nonmember.attacks.transfer import threshold as threshold
from nonmember.attacks.transfer import upper as upper
