"""What of a run its owner alone may read: here, whether texts go on the page."""

from pathlib import Path

import pytest

from nonmember.audit import private
from nonmember.errors import RunError


@pytest.mark.parametrize("content", ["{}", '{"report": {}}'])
def test_texts_stay_off_the_page_unless_they_were_asked_for(tmp_path: Path, content: str) -> None:
    (tmp_path / "spec.json").write_text(content)
    assert not private.shows_text(tmp_path)
    (tmp_path / "spec.json").write_text('{"kind": "language", "report": {"show_text": true}}')
    assert private.shows_text(tmp_path)


@pytest.mark.parametrize(
    "content", [None, "", "[]", '{"report": 3}', '{"report": {"x": 1}}', "\\x"]
)
def test_a_damaged_spec_says_how_to_do_without_it(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "spec.json").write_text(content)
    with pytest.raises(RunError, match=r"spec.json: .*; say --show-text or --no-show-text$"):
        private.shows_text(tmp_path)
