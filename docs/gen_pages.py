"""A page for each attack, defense, signal and rewriter, made of the registries at build time.

MkDocs calls ``on_files``. No page is kept in the repository, so none can be out of date: what
is registered has a page, also where a plug-in that is installed registers it.
"""

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

from gen_fidelity import deviations, tests_of
from gen_words import code_of, linked, options_of, parameters_of, plain, says, table, text_of
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from nonmember.attacks.registry import ATTACKS, Attack
from nonmember.audit import threat
from nonmember.audit.transfer.means import asks_parents
from nonmember.defenses import every as _defenses  # noqa: F401  (fills the registry)
from nonmember.defenses.registry import DEFENSES, SELECTORS, Defense
from nonmember.report import words
from nonmember.rewriting import every as _every  # noqa: F401  (fills the registry)
from nonmember.rewriting.registry import REWRITERS, Make
from nonmember.signals import catalogue
from nonmember.signals.catalogue import FACTS, SIGNALS, Signal
from nonmember.signals.derive import DERIVED

FAMILIES = {
    "language": "language models",
    "classifier": "classifiers",
    "transfer": "the ancestor of a classifier",
    "blind": "no model: the data alone",
}
WHOSE = {
    "target": "the target",
    "base": "the base model",
    "self": "a reference tuned on what the target writes",
    "reference": "reference models",
    "parents": "what the reference models were fine-tuned from",
}
OF = {
    "candidates": "",
    "known": ", of records whose membership is known",
    "population": ", of known non-members",
}
Pages = dict[str, str]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, and put them where the navigation names their folder."""
    folders = {
        "attacks/": attacks(),
        "defenses/": defenses(),
        "signals/": signals(),
        "rewriters/": rewriters(),
    }
    for pages in folders.values():
        for uri, text in pages.items():
            files.append(File.generated(config, uri, content=text))
    config.nav = _placed(config.nav, {key: [*pages] for key, pages in folders.items()})
    return files


def _placed(nav: Any, folders: Mapping[str, Sequence[str]]) -> Any:
    if isinstance(nav, list):
        return [_placed(one, folders) for one in nav]
    if isinstance(nav, dict):
        return {key: _placed(one, folders) for key, one in nav.items()}
    return _by_family(folders[nav]) if nav in folders else nav


def _by_family(uris: Sequence[str]) -> list[Any]:
    """Pages of a folder as they are, those of its subfolders under a title."""
    found: list[Any] = [uri for uri in uris if uri.count("/") == 1]
    for family in FAMILIES:
        inside = [uri for uri in uris if uri.split("/")[1] == family]
        found += [{family.capitalize(): inside}] if inside else []
    return found


def attacks() -> Pages:
    """The page of every attack, and one that lists them."""
    pages = {f"attacks/{one.family}/{one.name}.md": _attack(one) for one in _sorted(ATTACKS)}
    listed = [
        "# Attacks\n",
        f"{len(ATTACKS)} ways to tell members, and what an attacker needs for each. One is a "
        "function: its positional parameters *are* the signals that it needs, and so its threat "
        "model. [Which suit you](../threat-models.md), [adding one](../own-attack.md). "
        "`nonmember list attacks` prints this list.\n",
    ]
    for family, against in FAMILIES.items():
        rows = [
            (f"[`{one.name}`]({one.family}/{one.name}.md)", says(one.score), _access(one),
             f"{_queries(one)}", linked(one.paper))
            for one in _sorted(ATTACKS) if one.family == family
        ]  # fmt: skip
        head = ("attack", "score", "access", "queries", "paper")
        listed += [f"## Against {against}\n", table(head, rows)]
    return {"attacks/index.md": "\n".join(listed), **pages}


def _attack(one: Attack) -> str:
    facts = {
        "Against": FAMILIES[one.family],
        "Access to the target": _seen(one),
        "Put to the target, per record": _queries(one),
        "Reference models": "yes" if "ref_member" in one.needs else "no",
        "Learns from records of known membership": "yes" if one.learned else "no",
        "Paper": linked(one.paper),
        "Registered as": f"`{one.key}`",
    }
    parts = [f"# `{one.name}`\n", text_of(one.score), table(("", ""), facts.items())]
    parts += ["## What it needs\n", _needs(one)]
    parts += options_of(one.score, one.options, f"In a spec: `[attacks.options.{one.name}]`")
    parts += deviations(one.name) if one.family != "language" else []
    parts += tests_of(one.name, "attacks", one.family)
    return "\n".join([*parts, code_of(one.score)])


def _needs(one: Attack) -> str:
    told = dict(parameters_of(one.score))
    rows = []
    for need in one.needs:
        question = catalogue.ask(need)
        fact = question.name in FACTS
        whose = "known without asking" if fact else WHOSE[question.whose]
        access = "" if fact or question.whose != "target" else catalogue.access((need,))
        rows.append((_signal_link(need, "../../"), told[need], whose + OF[question.of], access))
    return table(("signal", "what it is", "asked of", "access"), rows)


def _signal_link(need: str, up: str) -> str:
    name = catalogue.ask(need).name
    if name in FACTS:
        return f"`{need}`"
    page = "index" if name in DERIVED else catalogue.extractor(name).name
    anchor = f"#{name}" if name in DERIVED else ""
    return f"[`{need}`]({up}signals/{page}.md{anchor})"


def _access(one: Attack) -> str:
    if one.family == "blind" or asks_parents(one):
        return words.BLIND if one.family == "blind" else words.PARENTS
    return threat.access_of(one, _kin(one))


def _seen(one: Attack) -> str:
    level = _access(one)
    wording = words.WORDING["language" if one.family == "language" else "classifier"]
    seen = wording.seen(level)
    return f"`{level}`" + ("" if seen == level else f": {seen}")


def _queries(one: Attack) -> str:
    return str(catalogue.queries(threat.needs_of(one, _kin(one)), {}))


def _kin(one: Attack) -> list[Attack]:
    return [other for other in ATTACKS.values() if other.family == one.family]


def defenses() -> Pages:
    """The page of every defense, and one that lists them."""
    pages = {f"defenses/{one.family}/{one.name}.md": _defense(one) for one in _sorted(DEFENSES)}
    rows = [
        (f"[`{one.name}`]({one.family}/{one.name}.md)", FAMILIES[one.family], one.stage,
         says(one.apply), linked(one.paper))
        for one in _sorted(DEFENSES)
    ]  # fmt: skip
    text = (
        "# Defenses\n\nAn audit trains its target with a defense and without, or puts it before "
        "the answers, and shows what leaks and what it costs side by side. Only those that are "
        "differentially private come with a guarantee, towards whoever does not know the seed of "
        "the training. [Safer training data](../protect.md), [defended classifiers]"
        "(../diffence.md).\n\n"
    )
    chosen = [(f"`{name}`", says(one.exposure)) for name, one in sorted(SELECTORS.items())]
    text += table(("defense", "of", "stage", "what it does", "paper"), rows)
    text += "\n## Selectors\n\nWho counts as exposed, for `soft` and `drop_influential`. "
    text += "Any attack that scores a record by itself is one too, under its name.\n\n"
    return {"defenses/index.md": text + table(("selector", "exposure"), chosen), **pages}


def _defense(one: Defense) -> str:
    facts = {
        "Of": FAMILIES[one.family],
        "Stage": one.stage,
        "Rewrites texts": "yes" if one.rewrites else "no",
        "Needs": ", ".join(f"`{need}`" for need in one.needs),
        "Paper": linked(one.paper),
    }
    parts = [f"# `{one.name}`\n", text_of(one.apply), table(("", ""), facts.items())]
    where = f'In a spec: `defenses = [{{ name = "{one.name}", options = {{ ... }} }}]`'
    parts += options_of(one.apply, one.options, where)
    parts += deviations(one.name) if one.family == "classifier" else []
    parts += tests_of(one.name, "defenses", one.family)
    return "\n".join([*parts, code_of(one.apply)])


def signals() -> Pages:
    """The page of everything that asks a model, and one that lists the arrays they give."""
    pages = {f"signals/{name}.md": _signal(one) for name, one in sorted(SIGNALS.items())}
    rows = [
        (f"[`{array}`]({one.name}.md)", level, f"`{one.name}`")
        for one in SIGNALS.values() for array, level in one.provides.items()
    ]  # fmt: skip
    text = (
        "# Signals\n\nWhat can be asked of a model. The name of an array says what it is; before "
        "it may stand of whom it is asked, and about which records:\n\n"
    )
    whose = {"base_": "base", "self_": "self", "ref_": "reference", "ref_base_": "parents"}
    prefixes = [(f"`{prefix}`", WHOSE[name]) for prefix, name in whose.items()]
    of = {"known_": "records whose membership is known", "pop_": "known non-members"}
    prefixes += [(f"`{prefix}`", what) for prefix, what in of.items()]
    text += table(("prefix", "of"), prefixes)
    text += "\n## Asked of a model\n\n" + table(("signal", "access", "asked by"), rows)
    text += "\n## Derived from others\n\n"
    for name, derive in sorted(DERIVED.items()):
        needs = ", ".join(_signal_link(need, "../") for need in signature(derive).parameters)
        text += f"### `{name}` {{ #{name} }}\n\n{text_of(derive)}\n\nFrom {needs}.\n\n"
    text += "## Known without asking\n\n" + ", ".join(f"`{name}`" for name in FACTS) + "\n"
    return {"signals/index.md": text.replace("../signals/", ""), **pages}


def _signal(one: Signal) -> str:
    users = [
        f"[`{attack.name}`](../attacks/{attack.family}/{attack.name}.md)"
        for attack in _sorted(ATTACKS)
        if one.name in {name for _, name in catalogue.passes(attack.needs)}
    ]
    facts = {
        "Put to the model, per record": f"`{one.queries}`",
        "Is given": ", ".join(f"`{name}`" for name in one.inputs),
        "Attacks that use it": ", ".join(users),
    }
    arrays = [(f"`{name}`", level) for name, level in one.provides.items()]
    parts = [f"# `{one.name}`\n", text_of(one.extract), table(("gives", "access"), arrays), ""]
    parts += [table(("", ""), facts.items())]
    parts += options_of(one.extract, one.options, f"In a spec: `[signals.options.{one.name}]`")
    return "\n".join([*parts, code_of(one.extract)])


def rewriters() -> Pages:
    """The page of every rewriter, and one that lists them."""
    pages = {f"rewriters/{name}.md": _rewriter(one) for name, one in sorted(REWRITERS.items())}
    rows = [(f"[`{name}`]({name}.md)", says(one.make)) for name, one in sorted(REWRITERS.items())]
    text = "# Rewriters\n\nWho puts a text into other words, for [`soft`](../defenses/language/"
    text += "soft.md) and [`nonmember protect`](../protect.md).\n\n"
    return {"rewriters/index.md": text + table(("rewriter", "what it does"), rows), **pages}


def _rewriter(one: Make) -> str:
    limits = [(f"`{name}`", plain(value)) for name, value in vars(one.limits).items()]
    parts = [f"# `{one.name}`\n", text_of(one.make)]
    where = f'`--rewriter-option NAME=VALUE`; in a spec `rewriter = {{ name = "{one.name}", '
    parts += options_of(one.make, one.options, where + "options = { ... } }`")
    parts += ["\n## Limits of its gates\n", "[What each gate asks](../soft.md#gates). "]
    parts += ["`--limit NAME=VALUE` sets one.\n", table(("limit", "default"), limits)]
    return "\n".join([*parts, code_of(one.make)])


def _sorted(registry: Mapping[str, Any]) -> list[Any]:
    return [one for _, one in sorted(registry.items())]
