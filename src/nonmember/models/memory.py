"""What a model keeps of tokens it has read, so that whatever follows them reads them once.

Every function takes the ``body`` of a causal language model: transformers' network without
its head.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import (
    CacheLayerMixin,
    DynamicCache,
    DynamicLayer,
    DynamicSlidingWindowLayer,
)

PROBE = 8  # tokens on which reading in two goes is compared with reading in one
PADDED = 3  # of them are padding in the shorter row


@dataclass(frozen=True)
class Past:
    """A prefix (p,) that any batch may follow; without a ``cache`` it is read again each time."""

    ids: Tensor
    cache: Any = None

    @property
    def length(self) -> int:
        """Tokens of the prefix."""
        return len(self.ids)

    @property
    def again(self) -> bool:
        """Whether every row of a batch reads the prefix again."""
        return self.cache is None


class _Shared(CacheLayerMixin):  # type: ignore[misc]
    """One layer's keys and values of a prefix, which precede those of every row of any batch.

    The rows' own are not kept, so that it stays as it is and a batch holds one layer's at a time.
    """

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.keys, self.values, self.is_initialized = keys, values, True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """There from the start."""

    def update(self, keys: Tensor, values: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Those of the prefix with those of a batch after them."""
        rows = (len(keys), -1, -1, -1)
        return (
            torch.cat([self.keys.expand(rows), keys], dim=-2),
            torch.cat([self.values.expand(rows), values], dim=-2),
        )

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """How many positions are attended to, and the first of them."""
        return self.get_seq_length() + query_length, 0

    def get_seq_length(self) -> int:
        """The prefix's length."""
        return int(self.keys.shape[-2])

    def get_max_length(self) -> int:
        """Any length may follow."""
        return -1

    get_max_cache_shape = get_max_length  # its name until transformers 5.20


def read(body: Any, ids: Tensor, **how: Any) -> Tensor:
    """Last hidden states (b t d) of ids (b t), read at one go."""
    return body(input_ids=ids, use_cache=False, **how).last_hidden_state


def remember(body: Any, ids: Tensor) -> Past:
    """Read a prefix (p,) for whatever shall follow it."""
    cache = DynamicCache()  # made without a configuration it keeps all, sliding windows or not
    if not len(ids) or not remembers(body):
        return Past(ids)
    _go_on(body, ids[None], cache)
    return Past(ids, _shared(cache))


def after(body: Any, ids: Tensor, past: Past) -> Tensor:
    """Last hidden states (b t d) of ids (b t), padded on the right, that follow a prefix."""
    if past.cache is not None:
        return _go_on(body, ids, past.cache)
    rows = past.ids.expand(len(ids), -1)
    return read(body, torch.cat([rows, ids], dim=1))[:, len(past.ids) :]


def proceed(body: Any, ids: Tensor, cache: Any, mask: Tensor) -> Tensor:
    """Last hidden states (b t d) of ids (b t) after what ``cache`` keeps, which grows by them.

    Args:
        body: of the model.
        ids: right-aligned.
        cache: made here or by an earlier call.
        mask: 0 where a row is padding on the left, (b p+t).
    """
    places = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    return _go_on(body, ids, cache, attention_mask=mask, position_ids=places)


def _go_on(body: Any, ids: Tensor, cache: Any, **how: Any) -> Tensor:
    found = body(input_ids=ids, past_key_values=cache, use_cache=True, **how)
    return found.last_hidden_state


@torch.inference_mode()
def remembers(body: Any) -> bool:
    """Whether reading in two goes, shorter rows padded on the left, says what one go says.

    False of architectures that keep something else than each token's keys and values, or
    that place tokens by other means than these: they read everything again.
    """
    try:
        return _attends(body.config) and _compared(body)
    except Exception:  # whatever foreign code makes of a cache that it does not expect
        return False


def _attends(config: Any) -> bool:
    """Whether all that the layers keep are keys and values, by what transformers would make."""
    plain = (DynamicLayer, DynamicSlidingWindowLayer)
    return all(type(layer) in plain for layer in DynamicCache(config=config).layers)


def _compared(body: Any) -> bool:
    device = next(body.parameters()).device
    long = torch.arange(1, PROBE + 1, device=device)[None]
    short = long[:, PADDED:]
    rows, cut = long.expand(2, -1), PROBE - 2
    mask = torch.ones_like(rows).clone()
    mask[1, :PADDED] = 0
    cache = DynamicCache()
    proceed(body, rows[:, :cut], cache, mask[:, :cut])
    later = proceed(body, rows[:, cut:], cache, mask)
    if not all(_whole(layer, PROBE) for layer in cache.layers):
        return False
    expected = torch.cat([read(body, long)[:, cut:], read(body, short)[:, cut - PADDED :]])
    alone = DynamicCache()
    _go_on(body, long[:, :cut], alone)
    follows = _go_on(body, rows[:, cut:], _shared(alone))
    share = 1e-3 if expected.dtype == torch.float32 else 0.05
    slack = share * float(expected.abs().max())
    return _near(later, expected, slack) and _near(follows, expected[:1].expand(2, -1, -1), slack)


def _whole(layer: Any, length: int) -> bool:
    return type(layer) is DynamicLayer and layer.get_seq_length() == length


def _shared(cache: Any) -> Any:
    shared = DynamicCache()
    shared.layers = [_Shared(layer.keys, layer.values) for layer in cache.layers]
    return shared


def _near(found: Tensor, expected: Tensor, slack: float) -> bool:
    return bool(((found - expected).abs() <= slack).all())
