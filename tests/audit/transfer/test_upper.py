"""The attack on ancestors: whose answers it is given, and what it makes of them."""

import numpy as np
import worlds_transfer

from nonmember.attacks.classifier.reference import lira
from nonmember.attacks.transfer.upper import parent_lira
from nonmember.audit.threat import of_kind
from nonmember.audit.transfer.means import asks_parents
from nonmember.signals.catalogue import ask


def test_parents_of_references_are_asked_by_a_prefix_of_their_own() -> None:
    question = ask("ref_base_logits")
    assert (question.name, question.whose, question.of) == ("logits", "parents", "candidates")
    assert ask("ref_aug_logits").whose == "reference"
    assert ask("base_logits").whose == "base"
    assert ask("ref_pop_logits").of == "population"


def test_it_alone_asks_parents() -> None:
    of_parents = [one.name for one in of_kind("transfer").values() if asks_parents(one)]
    assert of_parents == ["parent_lira"]


def test_it_is_lira_on_what_the_parents_answer() -> None:
    world = worlds_transfer.transfer()
    given = [world[name] for name in ("base_logits", "labels", "ref_base_logits", "ref_member")]
    np.testing.assert_array_equal(parent_lira(*given), lira(*given))
