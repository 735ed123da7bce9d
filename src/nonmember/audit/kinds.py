"""The kinds of audit there are, and which of them a spec describes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nonmember.audit.classifiers.spec import ClassifierSpec
from nonmember.audit.language.spec import Spec
from nonmember.audit.parts import checked, toml
from nonmember.audit.transfer.spec import TransferSpec
from nonmember.errors import SpecError, unknown

AnySpec = Spec | ClassifierSpec | TransferSpec
KINDS: dict[str, type[AnySpec]] = {
    "language": Spec,
    "classifier": ClassifierSpec,
    "transfer": TransferSpec,
}


def parse(values: Mapping[str, Any], where: str) -> AnySpec:
    """Check the values of a spec; without a ``kind`` it is of language models.

    Raises:
        SpecError: naming ``where``, the key, and what is wrong with it.
    """
    kind = values.get("kind", "language")
    if not isinstance(kind, str) or kind not in KINDS:
        raise SpecError(f"{where}: kind: {unknown('kind of audit', str(kind), KINDS)}")
    return checked(KINDS[kind], values, where)


def read(path: Path) -> AnySpec:
    """Read and check a spec file.

    Raises:
        SpecError: it is missing, not TOML, or no valid spec.
    """
    return parse(toml(path), str(path))
