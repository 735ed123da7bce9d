"""Foreign text and the annex as Markdown that shows nothing else than what it says."""

import re

from nonmember.audit.records import Results
from nonmember.report import words
from nonmember.report.annex import PREFACE, annex

SPECIAL = re.compile(r"[\\`*_\[\]|~$]|^[-+#>=]")
NUMBERED = re.compile(r"^(\d+)([.)])")
TEXT = 600  # characters of a foreign sentence


def escaped(text: str, limit: int = TEXT) -> str:
    """Foreign text on one line: no markup, no HTML, no link, cut where it is long."""
    line = words.excerpt(" ".join(text.split()), limit)
    safe = line.replace("&", "&amp;").replace("<", "&lt;")
    plain = NUMBERED.sub(r"\1\\\2", SPECIAL.sub(r"\\\g<0>", safe))
    return plain.replace("://", "&#58;//")


def annexed(results: Results) -> str:
    """The annex of a run as a Markdown document."""
    lines = [f"# Annex: {escaped(results.title)}", "", PREFACE]
    for document in annex(results):
        lines += ["", f"## {document.name}"]
        for heading in document.headings:
            said = heading.evidence or ("This audit has nothing to say here.",)
            lines += ["", f"### {heading.name}", ""]
            lines += [f"- {escaped(one)}" for one in said]
            lines += [f"- **Not covered:** {gap}" for gap in heading.not_covered]
    return "\n".join(lines) + "\n"
