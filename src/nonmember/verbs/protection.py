"""Data sets that are made safer to fine-tune on."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nonmember.audit import engine
from nonmember.audit.defended import delivery
from nonmember.audit.defended.order import Order
from nonmember.audit.parts import checked
from nonmember.audit.run import Observe, unobserved
from nonmember.errors import DataError
from nonmember.verbs.audits import as_store


def protect(
    order: Order | Mapping[str, Any],
    output: str | Path,
    *,
    store: str | Path | None = None,
    observe: Observe = unobserved,
) -> dict[str, Any]:
    """Make a data set safer to fine-tune on; the new one is written in the old one's format.

    Beside ``output`` lie its manifest, which may be shared, and a private folder with the
    ledger. The same call after an interruption goes on where it stopped.

    Args:
        order: what is asked, or its values as a mapping.
        output: where the new data set goes; nothing is there yet.
        store: where finished work is kept; the user's cache folder if not given.
        observe: given the jobs still to do, opens what is told of their progress.

    Returns:
        The manifest: counts, digests and settings.

    Raises:
        NonmemberError: one sentence saying where, what, and what to do; before any work.
    """
    asked = order if isinstance(order, Order) else checked(Order, order, "protect")
    found = delivery.prepare(asked, delivery.beside(Path(output)))
    kept = as_store(store)
    with observe(engine.pending(found.jobs, kept)) as watch:
        return delivery.deliver(found, kept, watch)


def protect_dataset(
    dataset: Any,
    order: Mapping[str, Any],
    private: str | Path,
    *,
    store: str | Path | None = None,
    observe: Observe = unobserved,
) -> Any:
    """A ``datasets.Dataset`` made safer, for whatever trains on it.

    Args:
        dataset: the records, as ``protect`` reads them from a file.
        order: as for ``protect``, without ``data``.
        private: a folder that is made, for the ledger; its owner alone can read it.
        store: as for ``protect``.
        observe: as for ``protect``.

    Returns:
        A new data set, its features and other columns as they were, in memory.

    Raises:
        NonmemberError: as for ``protect``.
    """
    if not hasattr(dataset, "save_to_disk") or "data" in order:
        raise DataError(
            "protect_dataset: give a datasets.Dataset, in memory or mapped, and an order without "
            "`data`; `protect` takes a file"
        )
    with tempfile.TemporaryDirectory(prefix="nonmember-") as room:
        source, made = Path(room, "dataset"), Path(room, "protected")
        dataset.save_to_disk(str(source))
        places = delivery.Places(
            made, Path(private), Path(private) / delivery.MANIFEST_NAME, source
        )
        asked = checked(Order, {**order, "data": source.name}, "protect_dataset")
        found, kept = delivery.prepare(asked, places), as_store(store)
        with observe(engine.pending(found.jobs, kept)) as watch:
            delivery.deliver(found, kept, watch)
        return type(dataset).load_from_disk(str(made), keep_in_memory=True)


def protect_order(
    data: str,
    model: str,
    *,
    ratio: float = 0.5,
    deduplicate: bool = False,
    defense: Mapping[str, Any] = MappingProxyType({}),
    rewriter: Mapping[str, Any] = MappingProxyType({}),
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> Order:
    """The order of ``nonmember protect``: SOFT at a ratio.

    Args:
        data: the records' file.
        model: the base that will be fine-tuned on them.
        ratio: share of the records to be rewritten.
        deduplicate: whether copies and near copies are dropped first.
        defense: further settings, such as ``selector``.
        rewriter: the rewriter's, such as its ``name``.
        settings: further keys of the order, such as ``field``.

    Raises:
        SpecError: a value that cannot be.
    """
    soft = {"name": "soft", "options": {"ratio": ratio}, "rewriter": dict(rewriter), **defense}
    first = [{"name": "deduplicate"}] if deduplicate else []
    values = {"data": data, "model": model, "defenses": [*first, soft], **settings}
    return checked(Order, values, "protect")
