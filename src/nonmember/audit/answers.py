"""The answers of a finished plan, by the names under which attacks ask for them."""

from inspect import signature
from typing import Any

import numpy as np

from nonmember.audit.plan import Plan
from nonmember.audit.records import Fit
from nonmember.audit.scoring import Fetch
from nonmember.audit.subject import Target
from nonmember.data.split import Split
from nonmember.evaluation.intervals import mean_interval
from nonmember.signals.catalogue import ask, extractor
from nonmember.signals.derive import DERIVED, mean
from nonmember.signals.store import Store


def fetcher(target: Target, todo: Plan, store: Store) -> Fetch:
    """Signals of all candidates by name; each is put together, or derived, once."""
    held: dict[str, Any] = {"texts": [one.text for one in target.candidates]}

    def fetch(name: str) -> Any:
        if name not in held:
            question = ask(name)
            if question.name in DERIVED:
                function = DERIVED[question.name]
                prefix = name.removesuffix(question.name)
                needs = (prefix + need for need in signature(function).parameters)
                held[name] = function(*(fetch(need) for need in needs))
            else:
                provider = extractor(question.name)
                shards = todo.answers[target.name, question.whose, provider.name]
                held[name] = _gathered(question.name, shards, store)
        return held[name]

    return fetch


def _gathered(array: str, addresses: tuple[str, ...], store: Store) -> np.ndarray:
    """The shards of one array, padded with NaN to one width."""
    shards = [store.array(address, array) for address in addresses]
    width = max(shard.shape[1] for shard in shards)
    whole = np.full((sum(len(shard) for shard in shards), width), np.nan, dtype=shards[0].dtype)
    start = 0
    for shard in shards:
        whole[start : start + len(shard), : shard.shape[1]] = shard
        start += len(shard)
    return whole


def fit(logprobs: str, target: Target, todo: Plan, fetch: Fetch, split: Split) -> Fit | None:
    """Mean loss of both sides under the model that ``logprobs`` are of, where there is one."""
    question = ask(logprobs)
    if (target.name, question.whose, extractor(question.name).name) not in todo.answers:
        return None
    loss = -mean(fetch(logprobs))
    sides = [side & ~np.isnan(loss) for side in (split.member, ~split.member)]
    if any(len(np.unique(split.group[side])) < 2 for side in sides):
        return None  # no mean has an interval there
    members, non_members = (mean_interval(loss[side], split.group[side]) for side in sides)
    return Fit(members, non_members, (int(sides[0].sum()), int(sides[1].sum())))
