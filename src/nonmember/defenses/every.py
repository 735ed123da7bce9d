"""Every defense: who imports this finds them all in the registry, third parties' too."""

from nonmember.defenses import classifier, language, registry  # noqa: F401  (they register)

registry.load_plugins()
