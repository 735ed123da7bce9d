"""A model behind an endpoint, audited over HTTP as one on disk is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from endpoint_server import serving

import nonmember as nm
from nonmember.errors import SpecError

Values = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def address(base: Path) -> Any:
    with serving(base) as found:
        yield found


def served(values: Values, url: str, base: Path, **change: Any) -> dict[str, Any]:
    how = {"served": "tiny", "tokenizer": str(base)}
    return values(targets={"m": {"model": url, "endpoint": how}}, **change)


def scores(folder: Path) -> dict[str, list[float]]:
    table = pq.read_table(folder / "private" / "records.parquet").to_pydict()
    return {name: column for name, column in table.items() if name.startswith("m.")}


def test_it_scores_as_the_same_model_on_disk(
    values: Values, base: Path, address: str, tmp_path: Path
) -> None:
    attacks = {"run": ["loss", "min_k", "zlib", "hit_rate", "lowercase"]}
    remote = served(values, f"{address}/vllm/v1", base, attacks=attacks)
    local = values(targets={"m": {"model": str(base)}}, attacks=attacks)
    for name, given in (("far", remote), ("near", local)):
        nm.audit_spec(given, tmp_path / name, store=tmp_path / "store")
    near, far = scores(tmp_path / "near"), scores(tmp_path / "far")
    assert near.keys() == far.keys()
    for name, column in near.items():
        np.testing.assert_allclose(far[name], column, rtol=1e-3, atol=1e-4, err_msg=name)


def test_another_pace_goes_on_where_the_first_stopped(
    values: Values, base: Path, address: str, tmp_path: Path
) -> None:
    slow = served(values, f"{address}/vllm/v1", base, attacks={"run": ["loss"]})
    nm.audit_spec(slow, tmp_path / "run", store=tmp_path / "store")
    slow["targets"]["m"]["endpoint"] |= {"at_once": 1, "per_second": 50.0}
    waiting, _ = nm.dry_run(slow, store=tmp_path / "store")
    assert not waiting
    nm.audit_spec(slow, tmp_path / "run", store=tmp_path / "store")


def test_attacks_that_it_does_not_answer_are_left_out_by_name(
    values: Values, base: Path, address: str, tmp_path: Path
) -> None:
    everything = served(values, f"{address}/vllm/v1", base)
    (target,) = nm.audit_spec(everything, tmp_path / "run", store=tmp_path / "store").targets
    assert {"loss", "min_k", "zlib", "hit_rate"} <= {one.name for one in target.attacks}
    left_out = {f.message.split(" did not run: ")[0]: f.message for f in target.findings}
    assert "it needs dist, and the attacker has logprobs" in left_out["min_k_plus_plus"]
    assert target.description == f"tiny at {address}/vllm/v1"


def test_a_server_of_labels_is_asked_for_labels(
    values: Values, base: Path, address: str, tmp_path: Path
) -> None:
    few = {**values()["data"], "take": {"members": 6, "non_members": 6}}
    labels = served(values, f"{address}/label/v1", base, data=few)
    (target,) = nm.audit_spec(labels, tmp_path / "run", store=tmp_path / "store").targets
    assert {one.name for one in target.attacks if not one.blind} == {"hit_rate"}
    (hits,) = (one for one in target.attacks if not one.blind)
    assert hits.access == "label" and hits.queries > 10  # a request per token


def test_an_endpoint_without_its_tokenizer_is_refused(values: Values) -> None:
    given = values(targets={"m": {"model": "http://127.0.0.1:1/v1"}})
    with pytest.raises(SpecError, match="belong together"):
        nm.dry_run(given)
