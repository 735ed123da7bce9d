"""Every rewriter: who imports this finds them all in the registry, third parties' too."""

from importlib import import_module
from importlib.metadata import entry_points

from nonmember.rewriting import chat, code, endpoint, synonyms  # noqa: F401  (they register)

for _plugin in entry_points(group="nonmember.rewriters"):
    import_module(_plugin.module)  # the attribute may not be there yet, if it is importing us
