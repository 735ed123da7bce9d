"""What a model writes becomes records as those that began them are: prompt, end and marks."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nonmember.errors import ModelError
from nonmember.models.text import Encoded, Form
from nonmember.training import self_prompted
from nonmember.types import Access

END = 2
FORM = Form(limit=32)


class Writer:
    """A model that only answers: it writes what it is given, and notes what it was asked."""

    tokenizer = SimpleNamespace(eos_token_id=END)
    context = None
    access: Access = "text"

    def __init__(self, answers: list[np.ndarray | None]) -> None:
        self.answers = answers
        self.asked: tuple[list[list[int]], dict[str, Any]] = ([], {})

    def statistics(self, _encoded: Any, **_settings: Any) -> dict[str, np.ndarray]:
        raise AssertionError("nobody asks for numbers here")

    def sample(self, prompts: Any, **settings: Any) -> list[np.ndarray | None]:
        self.asked = ([prompt.tolist() for prompt in prompts], settings)
        return self.answers


def shot(ids: list[int], first: int) -> Encoded:
    return Encoded(np.array(ids), np.arange(len(ids)) >= first, "", False, "", FORM)


def written(model: Writer, shots: list[Encoded], texts: int) -> dict[str, np.ndarray]:
    return self_prompted.write(model, shots, texts=texts, prompt_tokens=3, most=4, seed=7)


def test_prompts_are_what_precedes_the_scored_and_its_first_tokens_in_turn() -> None:
    plain, answer = shot([10, 11, 12, 13, 14], 1), shot([20, 21, 22, 23, 24, 25, 26], 4)
    model = Writer([np.array([5])] * 3)
    written(model, [plain, answer], 3)
    prompts, settings = model.asked
    assert prompts == [[10, 11, 12], [20, 21, 22, 23, 24, 25], [10, 11, 12]]
    assert settings["most"] == [4, 4, 4] and settings["seed"] == 7


def test_records_hold_prompt_and_answer_and_an_end_where_their_form_is_scored_on_one() -> None:
    plain, ended = shot([10, 11, 12, 13], 1), shot([20, 21, 22, 23, 24, END], 2)
    short, full = np.array([5, 6]), np.array([5, 6, 7, 8])
    found = written(Writer([short, short, full, full]), [plain, ended], 4)
    records = self_prompted.read(found, FORM)
    assert [one.ids.tolist() for one in records] == [
        [10, 11, 12, 5, 6],
        [20, 21, 22, 23, 5, 6, END],
        [10, 11, 12, 5, 6, 7, 8],
        [20, 21, 22, 23, 5, 6, 7, 8],  # cut off, not ended
    ]
    assert [int(np.argmax(one.scored)) for one in records] == [1, 2, 1, 2]
    assert all(one.scored[-1] and one.form is FORM for one in records)


def test_texts_without_an_answer_are_left_out_and_none_at_all_is_refused() -> None:
    first, second = shot([10, 11, 12, 13], 1), shot([20, 21, 22, 23], 2)
    found = written(Writer([None, np.array([5])]), [first, second], 2)
    (record,) = self_prompted.read(found, FORM)
    assert record.ids.tolist() == [20, 21, 22, 23, 5] and not record.scored[:2].any()
    with pytest.raises(ModelError, match="the model answers no numbers"):
        written(Writer([None, None]), [first, second], 2)
