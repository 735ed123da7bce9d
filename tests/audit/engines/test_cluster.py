"""A Ray cluster of two nodes on this machine: the same numbers, whatever becomes of a worker."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from killing import compare, killing, writers

import nonmember as nm
from nonmember.audit import engine
from nonmember.audit.engine import Crew
from nonmember.audit.engines import cluster, nodes
from nonmember.audit.jobs import Train
from nonmember.audit.language import spec, subject
from nonmember.audit.language.plan import plan
from nonmember.errors import RunError, SpecError
from nonmember.signals.store import Store

pytest.importorskip("ray")

Values = Callable[..., dict[str, Any]]
NODE = {"num_cpus": 1, "memory": 2 << 30, "object_store_memory": 80 << 20}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where a cluster of two nodes answers, of one CPU each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        from ray.cluster_utils import Cluster

        made = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
        made.add_node(**NODE)
        made.wait_for_nodes()
        yield made.address
        made.shutdown()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def training(values: Values) -> Train:
    """One job, to be done before any other."""
    (job, *_) = plan(subject.inspect(spec.parse(values(), "test"))).jobs
    assert isinstance(job, Train)
    return job


def silent(_what: str, _share: float) -> None:
    """Watch and say nothing."""


def scored(run: Path) -> Any:
    """Every attack's figures in a run."""
    found = json.loads((run / "results.json").read_text())
    return [target["attacks"] for target in found["targets"]]


def test_with_a_worker_killed_the_audit_ends_with_the_same_numbers(
    address: str, values: Values, tmp_path: Path, store: Store
) -> None:
    given = values(attacks={"run": ["loss", "reference_difference"]})
    doer = engine.chosen("ray", address=address)
    with killing(store) as killed:
        nm.audit_spec(given, tmp_path / "run", store=store.root, engine=doer)
    assert len(killed) == 1 and not writers(store)
    assert [path.name for path in store.root.iterdir() if path.name.startswith(".")] == []
    nm.audit_spec(given, tmp_path / "here", store=tmp_path / "alone")
    assert compare(store.root, tmp_path / "alone") >= 4
    assert scored(tmp_path / "run") == scored(tmp_path / "here")


def test_every_cpu_is_a_worker(address: str) -> None:
    assert cluster.Cluster(address).crew() == Crew(2, 1)
    assert cluster.Cluster(address, 1).crew() == Crew(1, 1)


def test_a_job_that_fails_ends_all_with_its_own_error(
    address: str, training: Train, store: Store, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(training.base.path, damaged)
    (damaged / "config.json").write_text("{")
    job = replace(training, base=replace(training.base, path=damaged))
    said: list[Exception] = []
    for doer in (engine.HERE, cluster.Cluster(address)):
        with pytest.raises(Exception, match="damaged") as raised:
            doer.run([job], store, silent)
        said.append(raised.value)
    assert type(said[0]) is type(said[1]) and str(said[0]) == str(said[1])
    assert not writers(store)


def test_a_model_that_a_node_does_not_see_is_refused_before_work(
    address: str, training: Train, store: Store
) -> None:
    lost = store.root / "lost"
    job = replace(training, base=replace(training.base, path=lost))
    with pytest.raises(RunError, match=rf"node [\d.]+ does not see {lost}; put it on a shared"):
        cluster.Cluster(address).run([job], store, silent)


def test_a_job_that_fits_no_node_is_refused_before_work(
    address: str, training: Train, store: Store
) -> None:
    large = replace(training, base=replace(training.base, parameters=10**9))
    with pytest.raises(RunError, match=r"takes 1 CPUs, 0 GPUs and 15\.9 GiB, and no node"):
        cluster.Cluster(address).run([large], store, silent)


def test_a_node_with_another_disk_or_other_versions_is_named() -> None:
    here = {name: nodes.version(name) for name in nodes.INSTALLED}
    nodes._refuse_blind("node 10.0.0.2", ([], here), "/store/.seen")
    with pytest.raises(RunError, match=r"node 10\.0\.0\.2 does not see the store /store; give"):
        nodes._refuse_blind("node 10.0.0.2", (["/store/.seen"], here), "/store/.seen")
    with pytest.raises(RunError, match=r"node 10\.0\.0\.2 has torch 1\.0 and this machine "):
        nodes._refuse_blind("node 10.0.0.2", ([], {**here, "torch": "1.0"}), "/store/.seen")


def test_where_no_cluster_answers_it_is_said() -> None:
    with pytest.raises(RunError, match=r"no cluster answers at 127\.0\.0\.1:1 .* begin one with"):
        cluster.Cluster("127.0.0.1:1").crew()


def test_without_ray_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpecError, match="workers = 0"):
        cluster.Cluster(workers=0)
    monkeypatch.setattr(cluster, "find_spec", lambda _name: None)
    with pytest.raises(RunError, match=r"pip install 'nonmember\[ray\]'"):
        engine.chosen("ray")
