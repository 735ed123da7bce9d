"""A small transformer that answers what follows a window of tokens, and can be trained stacked."""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot, relu, scaled_dot_product_attention

HEADS = 4


class Block(nn.Module):
    """Attention over the window, then two layers at each place."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.other_norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, places: Tensor, asked: int) -> Tensor:
        """The last ``asked`` places (b asked width) of all (b l width)."""
        seen = self.norm(places)
        parts = (self.query(seen[:, -asked:]), self.key(seen), self.value(seen))
        query, key, value = (one.unflatten(2, (HEADS, -1)).transpose(1, 2) for one in parts)
        found = scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        inside = places[:, -asked:] + self.out(found)
        return inside + self.down(relu(self.up(self.other_norm(inside))))


class Reader(nn.Module):
    """Tokens and their places as one linear layer of ones and zeros, two blocks, a head.

    Nothing looks at what is to be told, so that each place may look at all others; the head sees
    the last one.
    """

    def __init__(self, length: int, classes: int, width: int, ids: int) -> None:
        super().__init__()
        self.ids, self.length = ids, length
        self.begin = nn.Linear(ids + length, width, bias=False)
        self.first, self.second = Block(width), Block(width)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)
        nn.init.normal_(self.begin.weight, std=0.3)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (b c) of windows (b l)."""
        words = one_hot(tokens.long(), self.ids).float()
        places = torch.eye(self.length).expand(len(words), -1, -1)
        shown = self.begin(torch.cat([words, places], dim=2))
        last: Tensor = self.second(self.first(shown, self.length), 1)[:, 0]
        found: Tensor = self.head(self.norm(last))
        return found


def reader(shape: tuple[int, ...], classes: int, *, width: int = 48, ids: int = 256) -> nn.Module:
    """One of windows of so many tokens."""
    return Reader(shape[0], classes, width, ids)
