"""Whoever fine-tunes protected records with Hugging Face's Trainer trains on those.

What counts is what its model is given: raw records say token 10 again and again, those that
stand in for them token 20. And what does not reach it: a data set swapped in a callback.
"""

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import Trainer, TrainerCallback, TrainingArguments

RAW, REWRITTEN, PADDING = 10, 20, 0
RECORDS, LENGTH = 12, 5


class Rows(Dataset[dict[str, Tensor]]):
    """Records of one repeated token each."""

    def __init__(self, tokens: list[int]) -> None:
        self.tokens = tokens

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, place: int) -> dict[str, Tensor]:
        ids = torch.full((LENGTH,), self.tokens[place])
        return {"input_ids": ids, "labels": ids, "number": torch.tensor(place)}


class Noting(nn.Module):
    """Guesses the next token from the last, and notes per epoch which it was given, of whom."""

    def __init__(self) -> None:
        super().__init__()
        self.guess = nn.Embedding(32, 32)
        self.epochs: list[Counter[tuple[int, int]]] = []

    def forward(self, input_ids: Tensor, labels: Tensor, number: Tensor) -> dict[str, Tensor]:
        for row, place in zip(input_ids.tolist(), number.tolist(), strict=True):
            self.epochs[-1].update((place, token) for token in row)
        logits = self.guess(input_ids)[:, :-1].flatten(0, 1)
        return {"loss": nn.functional.cross_entropy(logits, labels[:, 1:].flatten())}


class Epochs(TrainerCallback):  # type: ignore[misc]
    """Opens a page for each epoch, and may stop after some updates."""

    def __init__(self, model: Noting, stop: int | None = None) -> None:
        self.model, self.stop = model, stop

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        self.model.epochs.append(Counter())

    def on_step_end(self, _: Any, state: Any, control: Any, **__: Any) -> None:
        if state.global_step == self.stop:
            control.should_save = control.should_training_stop = True


class Swapping(TrainerCallback):  # type: ignore[misc]
    """Puts other records in the place of those that are trained on, as an epoch begins."""

    def __init__(self, rows: Rows) -> None:
        self.rows, self.trainer, self.swapped = rows, None, 0

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        trainer: Any = self.trainer
        trainer.train_dataset = self.rows
        trainer.train_dataloader = trainer.get_train_dataloader()
        self.swapped += 1


def trainer(
    model: Noting, rows: Rows, folder: Path, *callbacks: TrainerCallback, **more: Any
) -> Trainer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told = TrainingArguments(
            str(folder),
            num_train_epochs=3,
            per_device_train_batch_size=2,
            learning_rate=0.1,
            lr_scheduler_type="constant",
            report_to=[],
            disable_tqdm=True,
            logging_strategy="no",
            save_strategy="no",
            use_cpu=True,
            remove_unused_columns=False,
            dataloader_pin_memory=False,
            **more,
        )
        return Trainer(model, told, train_dataset=rows, callbacks=list(callbacks))


def whole(tokens: list[int]) -> Counter[tuple[int, int]]:
    """Each record once, token by token."""
    return Counter({(place, token): LENGTH for place, token in enumerate(tokens)})


PLAN = [REWRITTEN if place % 3 else RAW for place in range(RECORDS)]
WORKERS = {"dataloader_num_workers": 2, "dataloader_persistent_workers": True}


@pytest.mark.parametrize(
    "more",
    [{}, {"gradient_accumulation_steps": 4}, WORKERS, WORKERS | {"gradient_accumulation_steps": 3}],
    ids=["plain", "accumulation", "workers", "workers and accumulation"],
)
def test_each_epoch_is_given_the_protected_records(tmp_path: Path, more: dict[str, Any]) -> None:
    model = Noting()
    trainer(model, Rows(PLAN), tmp_path, Epochs(model), **more).train()
    assert model.epochs == [whole(PLAN)] * 3
    given = {token for epoch in model.epochs for place, token in epoch if place % 3}
    assert given == {REWRITTEN}, "not one raw token of a record that is rewritten"


@pytest.mark.parametrize("more", [{}, WORKERS], ids=["plain", "workers"])
def test_resumed_it_is_given_the_rest_of_them(tmp_path: Path, more: dict[str, Any]) -> None:
    more = {**more, "gradient_accumulation_steps": 2}
    first, second = Noting(), Noting()
    trainer(first, Rows(PLAN), tmp_path, Epochs(first, stop=5), **more).train()
    assert len(first.epochs) == 2 and first.epochs[0] == whole(PLAN)
    trainer(second, Rows(PLAN), tmp_path, Epochs(second), **more).train(
        resume_from_checkpoint=str(tmp_path / "checkpoint-5")
    )
    assert first.epochs[1] + second.epochs[0] == whole(PLAN)
    assert second.epochs[1:] == [whole(PLAN)]
    assert first.epochs[1] and second.epochs[0], "it was stopped within an epoch"


@pytest.mark.parametrize("more", [{}, WORKERS], ids=["plain", "workers"])
def test_a_data_set_swapped_in_a_callback_is_never_given(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    """The epoch's loader is there before the callback; what it puts elsewhere nobody reads."""
    raw, model = [RAW] * RECORDS, Noting()
    swap = Swapping(Rows([REWRITTEN] * RECORDS))
    made = trainer(model, Rows(raw), tmp_path, Epochs(model), swap, **more)
    swap.trainer = made
    made.train()
    assert swap.swapped == 3
    assert made.train_dataset is swap.rows, "it looks as if it were protected"
    assert model.epochs == [whole(raw)] * 3, "and every epoch trained on every raw token"
