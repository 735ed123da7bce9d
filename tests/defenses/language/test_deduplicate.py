"""Repetitions are found however they are hidden, and nothing else is."""

import re

import numpy as np
import pytest

from nonmember.data.records import Strings
from nonmember.defenses.language.deduplicate import deduplicate
from nonmember.defenses.language.roles import DROP, RAW

WORDS = np.array([f"w{i}" for i in range(5000)])


def text(rng: np.random.Generator, words: int = 60) -> list[str]:
    return rng.choice(WORDS, words).tolist()


def dropped(texts: list[str], **options: float) -> list[int]:
    return np.flatnonzero(deduplicate(texts, **options) == DROP).tolist()


def test_the_same_text_up_to_form_and_white_space_is_dropped() -> None:
    assert dropped(["caf\u00e9 au lait", "tea", "cafe\u0301  au\nlait ", "Tea", ""]) == [2]
    assert dropped(["", "a", " ", ""]) == [2, 3]
    assert deduplicate([]).shape == (0,)


def test_texts_may_be_kept_in_a_file() -> None:
    texts = Strings.of(["a", "b", "a", "c " * 20, "c " * 19])
    np.testing.assert_array_equal(deduplicate(texts), [RAW, RAW, DROP, RAW, DROP])


def test_labels_repeat_nothing_and_long_answers_do() -> None:
    rng = np.random.default_rng(0)
    answer = " ".join(text(rng))
    questions, spoken = ["a", "b", "c", "d", "c"], ["yes", "no", "yes", answer, "yes"]
    texts = [f"{one} {other}" for one, other in zip(questions, spoken, strict=True)]
    texts, spoken = [*texts, f"e {answer}"], [*spoken, answer]
    roles = deduplicate(texts, spoken)
    np.testing.assert_array_equal(roles, [RAW, RAW, RAW, RAW, DROP, DROP])


def test_short_texts_that_differ_by_a_sign_are_kept() -> None:
    assert dropped(["x > 3", "x < 3", "X > 3"]) == []


def test_most_of_an_earlier_record_is_dropped_and_less_is_kept() -> None:
    rng = np.random.default_rng(0)
    first = text(rng)
    start, midst = list(first), list(first)
    start[2], midst[30] = "new", "new"  # they change 3 and 13 of 48 grams: 94 % and 73 % are left
    texts = [" ".join(words) for words in (first, start, midst)]
    assert dropped(texts) == [1]
    assert dropped(texts, share=0.7) == [1, 2]
    assert dropped(texts, share=1.0) == []
    assert dropped(texts, ngram=1) == [1, 2]


def test_a_share_is_one_of_whole_numbers() -> None:
    """0.07 * 100 is 7.000000000000001 in floats: seven of a hundred words are enough."""
    words = [f"w{i}" for i in range(100)]
    assert dropped([" ".join(words[:7]), " ".join(words)], ngram=1, share=0.07) == [1]
    assert dropped([" ".join(words[:6]), " ".join(words)], ngram=1, share=0.07) == []


def test_a_part_repeats_the_whole_and_not_the_other_way_round() -> None:
    rng = np.random.default_rng(0)
    whole = text(rng, 200)
    part = whole[50:100]
    assert dropped([" ".join(whole), " ".join(part)]) == [1]
    assert dropped([" ".join(part), " ".join(whole)]) == []


def test_case_and_punctuation_do_not_hide_a_repetition() -> None:
    rng = np.random.default_rng(0)
    words = text(rng)
    assert dropped([" ".join(words), ", ".join(words).upper() + "!"]) == [1]


def test_scripts_without_spaces_are_compared_by_character() -> None:
    rng = np.random.default_rng(0)
    characters = "".join(chr(0x4E00 + int(i)) for i in rng.integers(0, 3000, 60))
    assert dropped([characters, characters[5:] + "的"]) == [1]


def test_what_many_share_is_no_repetition_of_any_one() -> None:
    """Halves from two records: all of it stands in others, and no more than half in one."""
    rng = np.random.default_rng(0)
    one, other = text(rng), text(rng)
    texts = [" ".join(words) for words in (one, other, one[:30] + other[30:])]
    assert dropped(texts) == []


def test_what_repeats_a_dropped_record_alone_is_kept() -> None:
    rng = np.random.default_rng(0)
    first = text(rng)
    near, far = list(first), list(first)
    near[2] = far[2] = "new"
    far[50] = "newer"  # 85 % of it as in the near one, 74 % as in the first
    texts = [" ".join(words) for words in (first, near, far)]
    assert dropped(texts[1:], share=0.75) == [1]
    assert dropped(texts, share=0.75) == [1]


def naive(texts: list[str], n: int, share: float) -> list[int]:
    kept: list[set[tuple[str, ...]]] = []
    seen, out = set(), []
    for place, one in enumerate(texts):
        words = re.findall(r"\w+", one)
        grams = {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}
        near = any(grams and len(grams & other) >= share * len(grams) - 1e-9 for other in kept)
        if one in seen or near:
            out.append(place)
        else:
            kept.append(grams)
            seen.add(one)
    return out


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_it_is_the_naive_loop(n: int, share: float) -> None:
    rng = np.random.default_rng(n)
    pieces = [text(rng, 8) for _ in range(12)]
    chosen = [rng.integers(0, 12, rng.integers(0, 6)) for _ in range(200)]
    texts = [" ".join(word for i in row for word in pieces[i]) for row in chosen]
    expected = naive(texts, n, share)
    assert dropped(texts, ngram=n, share=share) == expected
    assert 0 < len(expected) < 200


def test_a_prompt_before_every_record_is_no_repetition() -> None:
    rng = np.random.default_rng(0)
    prompt = text(rng, 40)
    texts = [" ".join(prompt + text(rng, 40)) for _ in range(100)]
    assert (deduplicate([*texts, texts[7] + " more"])[:-1] == RAW).all()
    assert dropped([*texts, texts[7] + " more"]) == [100]
