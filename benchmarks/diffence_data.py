"""Images of Fashion-MNIST and of CIFAR-10 as files of the three sides of an audit."""

import gzip
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nonmember.data import examples
from nonmember.seeds import generator

FASHION = Path("/usr/share/datasets/fashion-mnist")
PACKAGE = "apt-get install dataset-fashion-mnist"
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
CIFAR = "cifar10/cifar10_jpeg.npz"
SPARE = 200  # images read beyond those that are needed, as some are there twice


class MissingError(Exception):
    """Data that are not here; says what to do."""


@dataclass(frozen=True)
class Sizes:
    """How many images there are on each side."""

    members: int
    non_members: int
    public: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.members + self.non_members + self.public


def fashion(folder: Path, sizes: Sizes, store: Path) -> dict[str, str]:
    """Files of Fashion-MNIST's images (n 1 28 28) from -1 to 1, by side, drawn at random."""
    images, labels = (_idx(folder, name) for name in (IMAGES, LABELS))
    chosen = generator(0, "fashion").permutation(len(labels))[: sizes.total + SPARE]
    return _files("fashion", images[chosen, None], labels[chosen], sizes, store)


def cifar10(data: Path | None, sizes: Sizes, store: Path) -> dict[str, str]:
    """Files of CIFAR-10's images (n 3 32 32) from -1 to 1, by side, of its training part."""
    from PIL import Image

    if data is None or not (data / CIFAR).is_file():
        raise MissingError(f"{CIFAR} is not in {data}; give the folder that holds it with --data")
    held = np.load(data / CIFAR)
    head, blob, ends = held["header"].tobytes(), held["blob"].tobytes(), held["offsets"]
    chosen = range(sizes.total + SPARE)
    files = (io.BytesIO(head + blob[ends[i] : ends[i + 1]]) for i in chosen)
    images = np.stack([np.moveaxis(np.asarray(Image.open(one)), 2, 0) for one in files])
    return _files("cifar10", images, held["labels"][: len(images)], sizes, store)


def _idx(folder: Path, name: str) -> np.ndarray:
    """The bytes of an idx file, plain or gzipped."""
    plain, packed = folder / name, folder / f"{name}.gz"
    if plain.is_file():
        raw = plain.read_bytes()
    elif packed.is_file():
        raw = gzip.decompress(packed.read_bytes())
    else:
        raise MissingError(f"{name} is not in {folder}; {PACKAGE}, or give its folder: --fashion")
    sides = [int.from_bytes(raw[4 + 4 * axis : 8 + 4 * axis], "big") for axis in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * len(sides)).reshape(sides)


def _files(
    name: str, images: np.ndarray, labels: np.ndarray, sizes: Sizes, store: Path
) -> dict[str, str]:
    """Distinct images in random order, written side by side."""
    inputs = (images / 127.5 - 1).astype(np.float32)
    digests = examples.of(inputs, labels.astype(np.int64)).digests
    _, kept = np.unique(digests, axis=0, return_index=True)
    order = generator(0, name).permutation(np.sort(kept))[: sizes.total]
    ends = np.cumsum([sizes.members, sizes.non_members])
    folder = store / "data" / f"{name}-{sizes.members}-{sizes.non_members}-{sizes.public}"
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for side, places in zip(
        ("members", "non_members", "public"), np.split(order, ends), strict=True
    ):
        path = folder / f"{side}.npz"
        if not path.is_file():
            np.savez(path, x=inputs[places], y=labels[places].astype(np.int64))
        found[side] = str(path)
    return found
