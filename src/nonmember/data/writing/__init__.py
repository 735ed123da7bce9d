"""A data file again, with some of its records changed or left out and all else as it was."""

from nonmember.data.writing.content import with_content
from nonmember.data.writing.like import check_target, write_like

__all__ = ["check_target", "with_content", "write_like"]
