"""Canaries: records made for an audit, each put into the training data if its own coin says so."""

from nonmember.data.canaries.coins import flipped, new_secret, sealing_key, stream
from nonmember.data.canaries.forms import FORMS, Form, form_named

__all__ = ["FORMS", "Form", "flipped", "form_named", "new_secret", "sealing_key", "stream"]
