"""Everything that can be wrong is said before any work, in one sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
from files import sentences, written

from nonmember.audit.language import spec, subject
from nonmember.audit.language.plan import plan
from nonmember.errors import DataError, ModelError, NonmemberError, SpecError

Values = Callable[..., dict[str, Any]]


def inspected(values: dict[str, Any]) -> subject.Subject:
    return subject.inspect(spec.parse(values, "test"))


def refusal(kind: type[NonmemberError], values: dict[str, Any]) -> str:
    with pytest.raises(kind) as caught:
        inspected(values)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def two_files(folder: Path, members: list[str], others: list[str]) -> dict[str, Any]:
    return {
        "members": str(written(folder / "in.jsonl", members)),
        "non_members": str(written(folder / "out.jsonl", others)),
        "max_tokens": 24,
    }


def test_a_text_on_both_sides_is_refused_naming_both(
    values: Values, base: Path, tmp_path: Path
) -> None:
    texts = sentences(6, seed=2)
    data = two_files(tmp_path, texts[:4], [*texts[4:], texts[1]])
    said = refusal(DataError, values(data=data, targets={"m": {"model": str(base)}}))
    assert "in.jsonl:2" in said and "out.jsonl:3" in said and "remove it" in said


def test_an_empty_side_is_refused_naming_the_file(
    values: Values, base: Path, tmp_path: Path
) -> None:
    data = two_files(tmp_path, sentences(4, seed=2), [])
    said = refusal(DataError, values(data=data, targets={"m": {"model": str(base)}}))
    assert "out.jsonl" in said


def test_one_record_on_a_side_is_refused(values: Values, base: Path, tmp_path: Path) -> None:
    texts = sentences(5, seed=2)
    data = two_files(tmp_path, texts[:4], texts[4:])
    said = refusal(DataError, values(data=data, targets={"m": {"model": str(base)}}))
    assert "all non-members are one group" in said


def test_a_pool_too_small_for_what_is_taken_is_refused_with_its_size(values: Values) -> None:
    data = {**values()["data"], "take": {"members": 100, "non_members": 100}}
    targets = {"m": {**values()["targets"]["leaky"]}}
    assert "120" in refusal(DataError, values(data=data, targets=targets))


def test_copies_in_a_pool_stay_on_one_side_and_are_reported(values: Values, tmp_path: Path) -> None:
    texts = [text for text in sentences(60, seed=3) for _ in range(2)]
    data = {**values()["data"], "pool": str(written(tmp_path / "twice.jsonl", texts))}
    found = inspected(values(data=data))
    (copies,) = (f for f in found.findings if f.code == "E102")
    assert len(copies.records) == 32


def test_a_base_with_another_tokenizer_is_refused(
    values: Values, base: Path, tmp_path: Path
) -> None:
    other = tiny.llama(tmp_path / "other", seed=3)
    backend = json.loads((other / "tokenizer.json").read_text())
    backend["model"]["merges"] = backend["model"]["merges"][:1]
    (other / "tokenizer.json").write_text(json.dumps(backend))
    targets = {"m": {"model": str(base), "base": str(other)}}
    data = {**values()["data"], "take": {"members": 24, "non_members": 40}}
    said = refusal(ModelError, values(data=data, targets=targets))
    assert "its tokenizer cuts pool.jsonl:" in said and str(other) in said


def test_a_base_that_is_the_model_itself_is_refused(values: Values, base: Path) -> None:
    targets = {"m": {"model": str(base), "base": str(base)}}
    assert "model and base are the same" in refusal(ModelError, values(targets=targets))


def test_attacks_that_need_a_base_are_left_out_by_name_or_refused_if_asked_for(
    values: Values, base: Path
) -> None:
    targets = {"m": {"model": str(base)}}
    (target,) = inspected(values(targets=targets)).targets
    comparing = {"reference_difference", "reference_ratio", "ez_mia", "wbc", "ht_mia", "petal"}
    reasons = {name for name, why in target.left_out.items() if "name it with --base" in why}
    assert comparing <= reasons
    assert not comparing & {attack.name for attack in target.attacks}
    asked = values(targets=targets, attacks={"run": ["wbc", "loss"]})
    assert "'wbc' cannot run" in refusal(SpecError, asked)


def test_attacks_that_put_records_before_a_text_need_room_for_them(
    values: Values, base: Path
) -> None:
    data = {**values()["data"], "known": 4}
    targets = {"m": {"model": str(base)}}
    (target,) = inspected(values(data=data, targets=targets)).targets
    assert "recall" in {one.name for one in target.attacks}
    long = {**data, "max_tokens": tiny.CONTEXT}
    (target,) = inspected(values(data=long, targets=targets)).targets
    assert "none fits; set --max-tokens lower" in target.left_out["recall"]


@pytest.mark.parametrize("name", ["prefix", "prefix_member"])
def test_whether_records_fit_before_a_text_goes_by_the_options_that_are_set(
    values: Values, base: Path, name: str
) -> None:
    far = {"options": {name: {"separator": "the cat sat on the mat " * tiny.CONTEXT}}}
    data = {**values()["data"], "known": 4}
    given = values(data=data, targets={"m": {"model": str(base)}}, signals=far)
    (target,) = inspected(given).targets
    assert "none fits" in target.left_out["con_recall"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"min_q": {"k": 0.1}}, "no attack 'min_q'; did you mean min_k"),
        ({"min_k": {"kk": 0.1}}, "min_k: no option 'kk'; did you mean k"),
        ({"min_k": {"k": "much"}}, "min_k.k: Input should be a valid number"),
        ({"min_k": {"k": 20}}, "min_k.k: Input should be less than or equal to 1 (got 20)"),
        ({"wbc": {"windows": []}}, "wbc.windows: "),
        ({"bag_of_words": {"min_df": 5.0}}, "bag_of_words.min_df: "),
        ({"ez_mia": {"few_errors": "drop"}}, "ez_mia.few_errors: Input should be 'nan'"),
    ],
)
def test_wrong_attack_options_are_refused(
    values: Values, options: dict[str, Any], said: str
) -> None:
    assert said in refusal(SpecError, values(attacks={"options": options}))


def test_short_and_long_texts_and_scarce_non_members_are_findings(
    values: Values, base: Path, tmp_path: Path
) -> None:
    texts = sentences(12, seed=4)
    data = two_files(tmp_path, [*texts[:6], "hm"], [*texts[6:], " ".join(texts)])
    given = values(data=data, targets={"m": {"model": str(base)}}, evaluation={"fpr": [0.01, 0.5]})
    subject_of = inspected(given)
    everything = (*subject_of.findings, *subject_of.targets[0].findings)
    found = {(f.code, f.severity): f for f in everything}
    assert found["E103", "warning"].records == ("in.jsonl:7",)
    assert "use at least 100" in found["E109", "warning"].message
    assert "only their beginning" in found["E105", "note"].message


def test_a_side_without_a_token_to_score_is_refused(
    values: Values, base: Path, tmp_path: Path
) -> None:
    data = two_files(tmp_path, sentences(4, seed=2), ["", "a", "b"])
    said = refusal(DataError, values(data=data, targets={"m": {"model": str(base)}}))
    assert "no record of the non-members has a token to score" in said


def test_a_tokenizer_that_names_tokens_the_model_lacks_is_refused(
    values: Values, base: Path, tmp_path: Path
) -> None:
    small = tiny.llama(tmp_path / "small")
    config = json.loads((small / "config.json").read_text())
    (small / "config.json").write_text(json.dumps({**config, "vocab_size": 20}))
    said = refusal(ModelError, values(targets={"m": {"model": str(small)}}))
    assert "this model knows only 20" in said


def test_an_adapter_cannot_be_trained_further(values: Values, base: Path, tmp_path: Path) -> None:
    tuned = tiny.adapter(tmp_path / "tuned", base)
    said = refusal(ModelError, values(targets={"m": {"base": str(tuned), "trained_on": "members"}}))
    assert "is an adapter, which cannot be trained further" in said


def test_the_place_of_a_record_does_not_tell_its_side(values: Values) -> None:
    member = inspected(values()).candidates.split.member
    assert 0 < member[: len(member) // 2].sum() < member.sum()


def test_groups_never_straddle(values: Values, base: Path, tmp_path: Path) -> None:
    path = tmp_path / "grouped.jsonl"
    rows = [{"text": text, "who": f"p{i // 3}"} for i, text in enumerate(sentences(90, seed=5))]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = {**values()["data"], "pool": str(path), "group": "who"}
    split = inspected(values(data=data)).candidates.split
    sides = [set(split.group[side]) for side in (split.member, ~split.member)]
    assert not sides[0] & sides[1]


def test_an_adapter_brings_its_base_and_is_asked_with_the_bases_own_address(
    values: Values, base: Path, tmp_path: Path
) -> None:
    tuned = tiny.adapter(tmp_path / "tuned", base)
    data = {**values()["data"], "take": {"members": 24, "non_members": 40}}
    own = plan(inspected(values(data=data, targets={"a": {"model": str(tuned)}})))
    alone = plan(inspected(values(data=data, targets={"b": {"model": str(base)}})))
    assert (
        own.answers["a", "base", "token_statistics"]
        == (alone.answers["b", "target", "token_statistics"])
    )


def test_the_plan_is_pure_and_every_cause_of_a_number_moves_its_address(
    values: Values, tmp_path: Path
) -> None:
    def addresses(given: dict[str, Any]) -> set[str]:
        return {job.address for job in plan(inspected(given)).jobs}

    plain = values()
    assert addresses(plain) == addresses(values())
    recipe = {**plain["targets"]["leaky"]["recipe"], "epochs": 1}
    control = plain["targets"]["control"]
    leaky = {**plain["targets"]["leaky"], "recipe": recipe}
    moved = addresses(values(targets={"leaky": leaky, "control": control}))
    asked = {"token_statistics", "lowercase"}
    assert len(addresses(plain) - moved) == 1 + len(asked)  # the training, and what is asked of it
    for change in (
        {"seed": 1},
        {"data": {**plain["data"], "max_tokens": 12}},
        {"compute": {"precision": "bfloat16"}},
    ):
        assert not addresses(plain) & addresses(values(**change))
    other = {**control, "base": str(tiny.llama(tmp_path / "other", seed=9))}
    assert len(addresses(values(targets={"control": other})) & addresses(plain)) == 0
