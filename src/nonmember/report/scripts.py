"""What a page runs in the browser: Vega, and a few lines of its own, both inlined.

The page's policy lets scripts run by their hash alone, so nothing that a record, a name or a
finding could smuggle in runs; and Vega interprets expressions instead of compiling them, so
the policy need not allow ``eval``. A page without scripts says the same with still pictures.
"""

import base64
import hashlib
from functools import cache
from importlib import resources

import vl_convert
from markupsafe import Markup

TEMPLATES = resources.files("nonmember.report") / "templates"


@cache
def library() -> Markup:
    """Vega, Vega-Lite and Vega-Embed as one script, under their licences."""
    licences = TEMPLATES.joinpath("licences.txt").read_text(encoding="utf-8")
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return Markup(f"/*! {licences.strip()} */\n{bundle}")


@cache
def own() -> Markup:
    """What draws the plots and opens the tabs."""
    return Markup(TEMPLATES.joinpath("page.js").read_text(encoding="utf-8"))


@cache
def policy() -> Markup:
    """The page's content security policy: no request, and no script but these two."""
    allowed = " ".join(map(_hash, (library(), own())))
    return Markup(
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
