from __future__ import annotations

import copy
import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import honshi
from honshi.data import Normalization
from honshi.errors import ModelError
from honshi.files import sha256
from honshi.models import CNN, MLP, TTA, Ensemble
from honshi.models.card import Card, attach, card_of, needed_card
from honshi.pictures import Preprocessing


class OwnNet(nn.Module):
    def __init__(self, width: int = 5) -> None:
        super().__init__()
        self.hidden = nn.Linear(784, width)
        self.last = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.last(torch.relu(self.hidden(x.flatten(1))))
        return logits


class TiedNet(nn.Module):
    """The second layer is the first one's transpose."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Linear(6, 6, bias=False)
        self.up = nn.Linear(6, 6, bias=False)
        self.up.weight = self.down.weight

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.up(torch.relu(self.down(x)))
        return outputs


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


@pytest.fixture
def trained(mnist: honshi.Splits) -> CNN:
    """A model with batch norm statistics of its own."""
    torch.manual_seed(0)
    model = CNN(widths=(4, 8), dropout=0.1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    some = mnist.train.subset(range(200))
    honshi.fit(model, nn.CrossEntropyLoss(), optimizer, some, some, epochs=1)
    return model


def logits(model: nn.Module, images: honshi.Images) -> Tensor:
    with torch.no_grad():
        outputs: Tensor = model.eval()(images.normalization(images.pixels))
    return outputs


def sidecar(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.with_suffix(".json").read_text()))


# There and back


def test_a_loaded_model_predicts_bit_by_bit_what_the_saved_one_did(
    trained: CNN, mnist: honshi.Splits, path: Path
) -> None:
    some = mnist.val.subset(range(50))

    honshi.save(trained, path)

    assert torch.equal(logits(honshi.load_model(path), some), logits(trained, some))


def test_every_weight_and_statistic_comes_back(trained: CNN, path: Path) -> None:
    honshi.save(trained, path)

    loaded = honshi.load_model(path)

    torch.testing.assert_close(loaded.state_dict(), trained.state_dict(), rtol=0, atol=0)
    assert loaded.get_buffer("stages.stage1.2.num_batches_tracked").item() == 4


@pytest.mark.parametrize(
    "model",
    [
        MLP(),
        MLP(12, (), 3),
        MLP(12, (5, 4), 3, dropout=0.25, batch_norm=True),
        CNN(3, (4,), 7, dropout=0.5),
        TTA(Ensemble([CNN(1, (4,), 7), CNN(1, (4,), 7)]), shift=1),
    ],
    ids=["mlp", "linear", "mlp with all", "cnn", "ensemble with copies"],
)
def test_the_same_architecture_is_built_again(model: nn.Module, path: Path) -> None:
    honshi.save(model, path)

    loaded = honshi.load_model(path)

    assert str(loaded) == str(model)
    assert not loaded.training


def test_images_are_wanted_as_before(trained: CNN, mnist: honshi.Splits, path: Path) -> None:
    honshi.save(trained, path)

    loaded = honshi.load_model(path)

    assert card_of(loaded) == card_of(trained) is not None
    assert honshi.predict(loaded, mnist.val.pixels[0]) == honshi.predict(trained, mnist.val.pixels[0])


def test_a_normalisation_of_each_channel_comes_back(path: Path) -> None:
    model = CNN(3, (4,), 2)
    preprocessing = Preprocessing(
        shape=(3, 8, 6),
        classes=("cat", "犬"),
        normalization=Normalization(mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6)),
        background=0.25,
    )
    model.preprocessing = preprocessing  # type: ignore[assignment]

    honshi.save(model, path)

    assert card_of(honshi.load_model(path)) == Card(preprocessing.contract, preprocessing.classes)


def test_the_temperature_is_kept(trained: CNN, mnist: honshi.Splits, path: Path) -> None:
    image = mnist.val.pixels[0]

    softened = copy.deepcopy(trained)
    attach(softened, replace(needed_card(trained), temperature=5.0))
    honshi.save(softened, path)

    warm = honshi.predict(honshi.load_model(path), image)
    cold = honshi.predict(trained, image)
    assert warm.label == cold.label
    assert warm.confidence < cold.confidence


def test_tied_weights_are_saved_and_are_still_tied(path: Path) -> None:
    model, x = TiedNet(), torch.randn(3, 6)

    honshi.save(model, path)

    loaded = honshi.load_model(path, into=TiedNet())
    assert torch.equal(loaded(x), model(x))
    assert loaded.get_parameter("up.weight") is loaded.get_parameter("down.weight")


def test_a_model_of_ones_own_is_filled(mnist: honshi.Splits, path: Path) -> None:
    model, filled = OwnNet(), OwnNet()
    honshi.save(model, path)

    loaded = honshi.load_model(path, into=filled)

    assert loaded is filled
    some = mnist.val.subset(range(10))
    assert torch.equal(logits(loaded, some), logits(model, some))


def test_a_model_on_a_view_of_other_weights_is_saved(path: Path) -> None:
    model = nn.Linear(3, 4, bias=False)
    model.weight = nn.Parameter(torch.randn(3, 4).t())  # not contiguous

    honshi.save(model, path)

    assert torch.equal(load_file(path)["weight"], model.weight)


# The files


def test_the_weights_are_plain_safetensors(path: Path) -> None:
    model = MLP(12, (5,), 3)

    honshi.save(model, path)

    assert {name: tuple(tensor.shape) for name, tensor in load_file(path).items()} == {
        "layer1.weight": (5, 12),
        "layer1.bias": (5,),
        "layer2.weight": (3, 5),
        "layer2.bias": (3,),
    }


def test_the_sidecar_says_what_the_weights_mean(trained: CNN, path: Path) -> None:
    honshi.save(trained, path)

    described = sidecar(path)

    assert described["architecture"] == {
        "kind": "cnn",
        "channels": 1,
        "widths": [4, 8],
        "classes": 10,
        "residual": [],
        "stem": "pool",
        "dropout": 0.1,
    }
    assert described["classes"] == list("0123456789")
    assert described["input_shape"] == [1, 28, 28]
    assert described["normalization"] == {"mean": [0.5], "std": [0.5]}
    assert described["temperature"] == 1.0
    assert described["parameters"] == honshi.models.parameter_count(trained)


# What is refused


def test_a_model_of_ones_own_is_asked_for_by_name(path: Path) -> None:
    honshi.save(OwnNet(), path)

    with pytest.raises(ModelError, match=r"OwnNet: build one and give it as load_model\(path, into=model\)"):
        honshi.load_model(path)


def test_a_subclass_that_computes_something_else_is_not_taken_for_its_base(path: Path) -> None:
    class Doubled(MLP):
        def forward(self, images: Tensor) -> Tensor:
            return 2 * super().forward(images)

    honshi.save(Doubled(), path)

    with pytest.raises(ModelError, match=r"Doubled: build one"):
        honshi.load_model(path)


def test_a_model_of_another_shape_is_not_filled(path: Path) -> None:
    honshi.save(OwnNet(width=5), path)

    with pytest.raises(ModelError, match=r"do not fit the model: .*size mismatch"):
        honshi.load_model(path, into=OwnNet(width=6))


def test_tampered_weights_are_noticed(path: Path) -> None:
    honshi.save(MLP(), path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    with pytest.raises(ModelError, match="not the weights"):
        honshi.load_model(path)


def test_the_sidecar_of_another_model_of_the_same_architecture_is_noticed(tmp_path: Path) -> None:
    one, other = tmp_path / "one.safetensors", tmp_path / "other.safetensors"
    honshi.save(MLP(), one)
    honshi.save(MLP(), other)

    one.with_suffix(".json").write_bytes(other.with_suffix(".json").read_bytes())

    with pytest.raises(ModelError, match=r"Put the two files that were saved together"):
        honshi.load_model(one)


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_a_missing_file_is_named(path: Path, suffix: str) -> None:
    honshi.save(MLP(), path)
    path.with_suffix(suffix).unlink()

    with pytest.raises(ModelError, match=rf"model\{suffix}: the model cannot be read"):
        honshi.load_model(path)


def test_weights_that_are_no_safetensors_are_refused_even_if_the_sidecar_agrees(path: Path) -> None:
    honshi.save(MLP(), path)
    path.write_bytes(b"something else")
    description = {**sidecar(path), "weights_sha256": sha256(b"something else")}
    path.with_suffix(".json").write_text(json.dumps(description))

    with pytest.raises(ModelError, match="do not fit the model"):
        honshi.load_model(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: "",
        lambda _: "{",
        lambda _: "[]",
        lambda _: "{}",
        lambda _: "\x00",
        lambda _: "[" * 100_000,
        lambda text: text.replace('"kind": "cnn"', '"kind": "cnn", "colour": "red"'),
    ],
    ids=["empty", "cut", "a list", "no keys", "zero", "deep", "an option"],
)
def test_a_damaged_sidecar_is_named(trained: CNN, path: Path, damage: Callable[[str], str]) -> None:
    honshi.save(trained, path)
    text = path.with_suffix(".json").read_text()
    assert damage(text) != text
    path.with_suffix(".json").write_text(damage(text))

    with pytest.raises(ModelError, match=r"model\.json: this is not the description of a model"):
        honshi.load_model(path)


REFUSED = r"model\.json: this is not the description of a model: |the weights do not fit the model: "
WRONG: dict[str, list[Any]] = {
    "architecture": [None, [], "cnn", {}, {"kind": ["cnn"]}, {"kind": "cnn"}, {"kind": "mlp"}, {"kind": "ensemble"}],
    "architecture.channels": [-1, 0, 3, 1e3, "1", 10**18, None],
    "architecture.widths": [[], [4], [4, 8, 8], [4, -8], [4, 10**12], "48", [4, "8"], 4, [[4, 8]]],
    "architecture.classes": [0, 9, 11, 2**63, -10, "ten"],
    "architecture.residual": [[10**9, 0], [1, 0], [-1, 1], [0], "no"],
    "architecture.stem": ["stride"],
    "architecture.dropout": [-0.1, 1.5, math.nan, "some", None],
    "classes": [None, [], ["0"], list(range(10)), "0123456789", {}, [["0"]] * 10],
    "input_shape": [None, [], [1, 28], [1, 28, 28, 1], [3, 28, 28], [1, 0, 28], [1, 28, -28], [1, 28.5, 28], "128"],
    "input_shape.1": [None, "28", 10**12, 65536 * 14, [28]],
    "normalization": [None, [], 0.5, {"mean": [0.5]}, {"mean": [0.5], "std": [0.5, 0.5]}],
    "normalization.mean": [[], [0.5, 0.5], [math.nan], [1e300], ["0.5"], 0.5],
    "normalization.std": [[], [0], [-1.0], [math.nan], [math.inf], [1e-300], ["0.5"]],
    "background": [None, -0.1, 7, math.nan, "dark", []],
    "fit": ["squash", None, 3],
    "scale": [None, {"integers": 0}, {"integers": 0.5}, {"floats": math.inf}, {"floats": -1.0}, 255],
    "form": ["round", 3],
    "temperature": [None, 0, -1.0, math.nan, math.inf, 1e300, "warm", [1.0], True],
    "parameters": [None, -1, 7, 1.5, "many"],
    "weights_sha256": [None, "", 3, "x" * 64],
}


@pytest.mark.parametrize("key", WRONG)
def test_a_wrong_value_in_the_sidecar_is_a_sentence_whatever_it_is(trained: CNN, path: Path, key: str) -> None:
    honshi.save(trained, path)
    *above, name = [int(part) if part.isdigit() else part for part in key.split(".")]
    for value in WRONG[key]:
        described = sidecar(path)
        place: Any = described
        for part in above:
            place = place[part]
        kept = place[name]
        place[name] = value
        path.with_suffix(".json").write_text(json.dumps(described))

        with pytest.raises(ModelError, match=REFUSED):
            honshi.load_model(path)

        place[name] = kept
        path.with_suffix(".json").write_text(json.dumps(described))


@pytest.mark.parametrize("shift", [28, 4096, 10**9, -1, "1"])
def test_copies_that_are_shifted_out_of_the_image_are_refused(trained: CNN, path: Path, shift: object) -> None:
    model = TTA(trained, shift=1)
    attach(model, needed_card(trained))
    honshi.save(model, path)
    described = sidecar(path)
    described["architecture"]["shift"] = shift
    path.with_suffix(".json").write_text(json.dumps(described))

    with pytest.raises(ModelError, match=r"model\.json: this is not the description of a model: "):
        honshi.load_model(path)


def test_loading_a_model_loads_no_compiler_of_torchs(trained: CNN, path: Path) -> None:
    """One answer of `honshi predict` is to come at once, and the compiler alone takes a second."""
    honshi.save(trained, path)
    program = f"import sys, honshi; honshi.load_model({str(path)!r}); print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert "honshi.runs.weights" in loaded
    assert not {"torch._dynamo", "torch.fx.experimental.symbolic_shapes", "sympy"} & set(loaded)


def test_weights_that_are_cut_off_are_seen_before_they_are_read(path: Path) -> None:
    honshi.save(MLP(), path)
    path.write_bytes(path.read_bytes()[:-8])

    with pytest.raises(ModelError, match="do not fit the model"):
        honshi.load_model(path)
