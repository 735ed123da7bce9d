"""Folders in diffusers' own form: written and read, by us and by diffusers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models.diffusion.small import SECRET, gaussian, images, network
from safetensors.torch import load_file, save_file

from nonmember.errors import ModelError
from nonmember.models.diffusion import Regeneration, find, mlp, of, regenerate, save, unet
from nonmember.models.diffusion.schedule import cleaned, linear

WEIGHTS = Path("unet") / "diffusion_pytorch_model.safetensors"


def theirs(folder: Path, scheduler: str = "DDPMScheduler", **settings: Any) -> Path:
    """A folder that diffusers saves by itself."""
    import diffusers

    schedule = getattr(diffusers, scheduler)(**settings)
    pipeline = diffusers.DDPMPipeline(unet=network("unet", (1, 8, 8)), scheduler=schedule)
    pipeline.save_pretrained(folder)
    return folder


def changed(path: Path, **change: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


@pytest.mark.parametrize(("kind", "shape"), [("mlp", (8, 8)), ("unet", (8, 8)), ("mlp", (20,))])
def test_what_is_saved_is_what_is_loaded(kind: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    made = of(network(kind, shape), linear(), shape, low=-1.0, high=2.0, trained_on="abc")
    save(made, tmp_path / "deep" / "model")
    found = find(str(tmp_path / "deep" / "model"))
    inputs, how = images(3, shape), Regeneration(n=2)
    np.testing.assert_array_equal(
        regenerate(found, inputs, how, SECRET), regenerate(made, inputs, how, SECRET)
    )
    np.testing.assert_array_equal(found.alphas, made.alphas)
    told = (found.shape, found.low, found.high, found.digest, found.trained_on)
    assert told == (shape, -1, 2, made.digest, "abc")
    assert [one.name for one in (tmp_path / "deep").iterdir()] == ["model"]


def test_a_saved_unet_is_a_pipeline_of_diffusers(tmp_path: Path) -> None:
    from diffusers import DDPMPipeline

    made = of(network("unet", (1, 8, 8)), linear(), (1, 8, 8), low=0.0, high=1.0)
    save(made, tmp_path / "model")
    pipeline = DDPMPipeline.from_pretrained(tmp_path / "model", use_safetensors=True)
    assert sorted(one.name for one in (tmp_path / "model").iterdir()) == [
        *("model_index.json", "nonmember.json", "scheduler", "unet")
    ]
    np.testing.assert_allclose(pipeline.scheduler.alphas_cumprod, linear(), atol=1e-6)
    noised = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = pipeline.unet(noised, 159).sample
    torch.testing.assert_close(found, made.denoiser(noised, 159))


@pytest.mark.parametrize("gives", ["epsilon", "sample", "v_prediction"])
@pytest.mark.parametrize("scheduler", ["DDPMScheduler", "DDIMScheduler", "PNDMScheduler"])
def test_what_diffusers_saved_is_loaded(scheduler: str, gives: str, tmp_path: Path) -> None:
    folder = theirs(tmp_path / "theirs", scheduler, prediction_type=gives)
    found = find(str(folder))
    assert (found.shape, found.low, found.high, found.trained_on) == ((1, 8, 8), 0, 1, "")
    np.testing.assert_allclose(found.alphas, linear(), rtol=1e-5, atol=1e-6)
    noised = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        said, noise = network("unet", (1, 8, 8))(noised, 159).sample, found.denoiser(noised, 159)
    alpha = float(found.alphas[159])
    x0 = cleaned(noised, noise, alpha)
    velocity = alpha**0.5 * noise - (1 - alpha) ** 0.5 * x0
    meant = {"epsilon": noise, "sample": x0, "v_prediction": velocity}[gives]
    torch.testing.assert_close(meant, said, atol=1e-5, rtol=0)


def test_a_folder_of_others_is_read_with_the_range_and_the_shape_that_are_told(
    tmp_path: Path,
) -> None:
    folder = str(theirs(tmp_path / "theirs"))
    plain, grey = find(folder), find(folder, low=-1.0, high=1.0, shape=(8, 8))
    assert (grey.low, grey.high, grey.shape) == (-1, 1, (8, 8))
    assert grey.digest != plain.digest == find(folder).digest
    inputs, how = images(2, (8, 8)), Regeneration(n=2)
    found = regenerate(grey, inputs * 2 - 1, how, SECRET)
    assert found.shape == (2, 2, 8, 8)
    with pytest.raises(ModelError, match=r"shape \(1, 8, 8\), not \(4, 16\)"):
        find(folder, shape=(4, 16))


def test_pickled_weights_are_refused_and_never_opened(tmp_path: Path) -> None:
    folder = theirs(tmp_path / "theirs")
    torch.save(load_file(folder / WEIGHTS), folder / "unet" / "diffusion_pytorch_model.bin")
    find(str(folder))
    (folder / WEIGHTS).unlink()
    with pytest.raises(ModelError, match=r"diffusion_pytorch_model.bin, which is pickled"):
        find(str(folder))
    (folder / "unet" / "diffusion_pytorch_model.bin").unlink()
    with pytest.raises(ModelError, match="holds no weights"):
        find(str(folder))


def test_weights_that_are_damaged_or_of_another_network_are_refused(tmp_path: Path) -> None:
    folder = theirs(tmp_path / "theirs")
    held = load_file(folder / WEIGHTS)
    save_file({key: held[key] for key in sorted(held)[1:]}, folder / WEIGHTS)
    with pytest.raises(ModelError, match=r"weights and config.json differ"):
        find(str(folder))
    (folder / WEIGHTS).write_bytes(b"nothing")
    with pytest.raises(ModelError, match="no readable network"):
        find(str(folder))


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("unet/config.json", {"_class_name": "UNet2DConditionModel"}, "UNet2DConditionModel; give"),
        ("unet/config.json", {"num_class_embeds": 10}, "has num_class_embeds"),
        ("unet/config.json", {"center_input_sample": True}, "has center_input_sample"),
        ("unet/config.json", {"out_channels": 2}, "2 channels for 1"),
        ("unet/config.json", {"sample_size": None}, "does not say the size"),
        ("unet/config.json", {"sample_size": 9}, "pad them to 10 x 10"),
        ("unet/config.json", {"sample_size": "ab"}, "sample_size = 'ab'; set it"),
        ("unet/config.json", {"sample_size": -8}, "sample_size = -8; set it"),
        ("unet/config.json", {"sample_size": [8]}, "sample_size = .* set it"),
        ("model_index.json", {"vae": ["diffusers", "AutoencoderKL"]}, "has a part vae"),
        (
            "scheduler/scheduler_config.json",
            {"_class_name": "FlowMatchEulerDiscreteScheduler"},
            "no alphas_cumprod",
        ),
        ("scheduler/scheduler_config.json", {"_class_name": "DDPMPipeline"}, "no alphas_cumprod"),
        ("scheduler/scheduler_config.json", {"beta_schedule": "none"}, "no alphas_cumprod"),
        ("scheduler/scheduler_config.json", {"prediction_type": "flow"}, "predicts flow"),
        ("scheduler/scheduler_config.json", {"trained_betas": [2.0, 0.5]}, "do not fall between"),
        ("scheduler/scheduler_config.json", {"trained_betas": [float("nan")]}, "do not fall"),
    ],
)
def test_pipelines_of_another_kind_are_refused(
    file: str,
    change: dict[str, Any],
    words: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = theirs(tmp_path / "theirs")
    changed(folder / file, **change)
    capfd.readouterr()
    with pytest.raises(ModelError, match=words):
        find(str(folder))
    assert capfd.readouterr() == ("", "")  # one sentence, and no configuration logged beside it


FAR = "1" * 400


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("low", '"x"', "low: Input should be a valid number"),
        ("low", "null", "low: Input should be a valid number"),
        ("low", "-Infinity", "low: Input should be a finite number"),
        ("high", "NaN", "high: Input should be a finite number"),
        ("high", FAR, "high: Input should be a finite number"),
        ("low", "1.0", "low = 1 and high = 1"),
        ("shape", "[]", "shape: "),
        ("shape", '"ab"', "shape: Input should be a valid array"),
        ("shape", "[32]", r"inputs in shape \(32,\) do not fit its network"),
        ("shape", "[-64]", "shape.0: Input should be greater than or equal to 1"),
        ("shape", "[8.0, 8]", "shape.0: Input should be a valid integer"),
        ("shape", str([1] * 60), "shape: "),
        ("trained_on", "3", "trained_on: Input should be a valid string"),
        ("alphas", '["a"]', "alphas.0: Input should be a valid number"),
        ("alphas", "[[0.9]]", "alphas.0: Input should be a valid number"),
        ("alphas", '[{"re": 0.9, "im": 1}]', "alphas.0: Input should be a valid number"),
        ("alphas", "[NaN]", "alphas.0: "),
        ("alphas", "[1.5]", "alphas.0: Input should be less than or equal to 1"),
        ("alphas", "[0.9, -0.1]", "alphas.1: Input should be greater than or equal to 0"),
        ("alphas", "[0.5, 0.9]", "alphas do not fall"),
        ("more", "1", "more: "),
    ],
)
def test_values_beside_the_form_are_checked(
    name: str, value: str, words: str, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    save(of(network(), linear(), (8, 8), low=0.0, high=1.0), folder)
    told = json.loads((folder / "nonmember.json").read_text()) | {name: "HERE"}
    (folder / "nonmember.json").write_text(json.dumps(told).replace('"HERE"', value))
    with pytest.raises(ModelError, match=f"nonmember.json: is damaged .{words}") as error:
        find(str(folder))
    assert "\n" not in str(error.value)


def test_a_range_too_wide_to_be_scaled_is_refused(tmp_path: Path) -> None:
    save(of(network(), linear(), (8, 8), low=0.0, high=1.0), tmp_path / "model")
    changed(tmp_path / "model" / "nonmember.json", low=-1.7e308, high=1.7e308)
    with pytest.raises(ModelError, match=r"is damaged .low = -1.7e"):
        find(str(tmp_path / "model"))


def test_a_shape_that_fits_no_saved_unet_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    save(of(network("unet"), linear(), (8, 8), low=0.0, high=1.0), folder)
    for shape in ([8], [3, 8, 8], [7, 8], [1, 1, 8, 8]):
        changed(folder / "nonmember.json", shape=shape)
        with pytest.raises(ModelError, match="do not fit its network"):
            find(str(folder))
    changed(folder / "nonmember.json", shape=[1, 8, 8])
    assert find(str(folder)).shape == (1, 8, 8)
    with pytest.raises(ModelError, match="leave it out"):
        find(str(folder), shape=(1, 1, 8, 8))


def test_a_schedule_that_leaves_nothing_at_its_end_is_saved_and_loaded(tmp_path: Path) -> None:
    folder = theirs(tmp_path / "theirs", rescale_betas_zero_snr=True)
    found = find(str(folder))
    save(found, tmp_path / "ours")
    assert find(str(tmp_path / "ours")).alphas[-1] == found.alphas[-1] == 0


def test_no_folder_a_taken_one_and_a_function_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="missing or damaged"):
        find(str(tmp_path / "none"))
    (tmp_path / "model_index.json").write_text("[]")
    with pytest.raises(ModelError, match="missing or damaged"):
        find(str(tmp_path))
    with pytest.raises(ModelError, match="is there already"):
        save(of(network(), linear(), (8, 8), low=0.0, high=1.0), tmp_path)
    with pytest.raises(ModelError, match="function cannot be saved"):
        save(gaussian(), tmp_path / "model")
    save(of(network(), linear(), (8, 8), low=0.0, high=1.0), tmp_path / "model")
    (tmp_path / "model" / "nonmember.json").write_text('{"low": 0}')
    with pytest.raises(ModelError, match="is damaged"):
        find(str(tmp_path / "model"))


def test_networks_have_the_sizes_that_are_told() -> None:
    def millions(made: torch.nn.Module) -> float:
        return round(sum(one.numel() for one in made.parameters()) / 1e6, 2)

    assert millions(mlp((8, 8))) == 0.22
    assert millions(unet((1, 8, 8))) == 0.65
    assert millions(unet((28, 28))) == 1.06
    assert millions(unet((3, 32, 32), attention=True)) == 2.74
    assert millions(unet((3, 32, 32), widths=(64, 128, 128), attention=True)) == 4.44


@pytest.mark.parametrize(
    ("shape", "widths", "words"),
    [
        ((3, 30, 30), (), "30 x 30 cannot be halved 2 times; pad them to 32 x 32"),
        ((20,), (), "is given"),
        ((1, 4, 4), (), "too small; use network mlp"),
    ],
)
def test_images_that_fit_no_unet_are_refused(
    shape: tuple[int, ...], widths: tuple[int, ...], words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        unet(shape, widths=widths)
