from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cladewise import backbones, runtimes
from cladewise.backbones import Backbone
from cladewise.backbones.backbone import ImageInput
from cladewise.errors import InputError, InputWarning, MissingExtraError
from cladewise.runtimes import Encoder, graph, processor
from cladewise.runtimes.open_vino import OpenVINO

COMPILED = ["onnxruntime", "openvino"]


class Small(nn.Module):
    """A few layers that every runtime has kernels of its own for."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2), nn.BatchNorm2d(16), nn.ReLU6(), nn.Conv2d(16, 24, 3), nn.Hardswish()
        )
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, images: Tensor) -> Tensor:
        return self.pool(self.layers(images)).flatten(1)


class OtherAlone(Small):
    """Answers otherwise for a single image: of the two cases a graph has one, and may be for two images alone."""

    def forward(self, images: Tensor) -> Tensor:
        features = super().forward(images)
        return features * 2 if len(images) == 1 else features


class MeanOfGroups(Small):
    """Averages pairs of features with an operation that is exported as taking the last one."""

    def forward(self, images: Tensor) -> Tensor:
        features = super().forward(images)
        index = torch.arange(24).expand_as(features) // 2
        return torch.zeros_like(features[:, :12]).scatter_reduce(1, index, features, "mean", include_self=False)


class UntilSmall(Small):
    """Halves its features until they are small: a loop that depends on data, which is no graph."""

    def forward(self, images: Tensor) -> Tensor:
        features = super().forward(images)
        while features.abs().max() > 0.1:
            features = features / 2
        return features


def backbone_of(encoder: nn.Module, *, seed: int = 0, num_features: int = 24) -> Backbone:
    torch.manual_seed(seed)
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.3)
    wanted = ImageInput(32, mean=(0.5,) * 3, std=(0.25,) * 3)
    return Backbone(type(encoder).__name__, encoder.eval(), num_features=num_features, image_input=wanted)


def pictures(number: int, seed: int = 1) -> Tensor:
    return torch.randn(number, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def small() -> Backbone:
    return backbone_of(Small())


def relative(features: Tensor, wanted: Tensor) -> float:
    return float((features - wanted).abs().max() / wanted.abs().max())


@pytest.mark.parametrize("runtime", COMPILED)
def test_a_compiled_encoder_has_the_features_of_torch_for_any_number_of_images(
    runtime: str, small: Backbone, cache: Path
) -> None:
    encoder = runtimes.compile(small, runtime, cache_dir=cache)
    images = pictures(37)
    with torch.inference_mode():
        wanted = small(images)
    assert (encoder.runtime, encoder.precision, encoder.note) == (runtime, "fp32", "")
    for number in (37, 1, 16, 17, 2):
        features = encoder(images[:number])
        assert features.shape == (number, 24)
        assert features.dtype == torch.float32
        assert relative(features, wanted[:number]) < 1e-5, number
    assert encoder(images[:0]).shape == (0, 24)
    last = images.contiguous(memory_format=torch.channels_last)
    assert torch.equal(encoder(last), encoder(images))
    assert torch.equal(encoder(images.flip(0)[::2]), encoder(images.flip(0)[::2].clone())), "strided"


@pytest.mark.parametrize("runtime", COMPILED)
def test_the_features_of_an_image_do_not_depend_on_the_others(runtime: str, small: Backbone, cache: Path) -> None:
    encoder = runtimes.compile(small, runtime, cache_dir=cache)
    images = pictures(16)
    together, alone = encoder(images), torch.cat([encoder(image[None]) for image in images])
    assert torch.equal(together, alone)


@pytest.mark.parametrize("runtime", COMPILED)
def test_earlier_features_stay_when_more_are_computed(runtime: str, small: Backbone, cache: Path) -> None:
    encoder = runtimes.compile(small, runtime, cache_dir=cache)
    first = encoder(pictures(4))
    kept = first.clone()
    encoder(pictures(4, seed=2))
    assert torch.equal(first, kept)


@pytest.mark.parametrize("runtime", COMPILED)
def test_other_weights_are_another_graph_though_its_file_has_the_same_size_and_time(
    runtime: str, small: Backbone, cache: Path
) -> None:
    images, other = pictures(4), backbone_of(Small(), seed=5)
    first = runtimes.compile(small, runtime, cache_dir=cache)(images)
    runtimes.compile(other, runtime, cache_dir=cache)
    files = [graph.graph_file(graph.graph_folder(backbone, 32, cache)) for backbone in (small, other)]
    assert files[0].stat().st_size == files[1].stat().st_size
    for file in files:
        os.utime(file, (1_000_000_000, 1_000_000_000))
    second = runtimes.compile(other, runtime, cache_dir=cache)(images)
    with torch.inference_mode():
        assert relative(second, other(images)) < 1e-5
    assert relative(second, first) > 0.1


def test_weights_that_change_after_compilation_are_compiled_again(cache: Path) -> None:
    backbone, images = backbone_of(Small(), seed=7), pictures(4)
    before = runtimes.compile(backbone, "onnxruntime", cache_dir=cache)(images)
    with torch.no_grad():
        backbone.encoder.layers[0].weight.mul_(1.5)  # type: ignore[index,union-attr]
        wanted = backbone(images)
    after = runtimes.compile(backbone, "onnxruntime", cache_dir=cache)(images)
    assert relative(after, wanted) < 1e-5
    assert relative(after, before) > 1e-2


@pytest.mark.parametrize(
    ("kind", "width", "reason"), [(OtherAlone, 24, "."), (MeanOfGroups, 12, "its features differ from torch's by")]
)
def test_a_graph_with_other_features_is_refused(kind: type[Small], width: int, reason: str, tmp_path: Path) -> None:
    backbone = backbone_of(kind(), num_features=width)
    for runtime in COMPILED:
        with pytest.raises(InputError, match=rf"features of torch for {kind.__name__}.*{reason}"):
            runtimes.compile(backbone, runtime, cache_dir=tmp_path)
    with pytest.warns(InputWarning, match="runs in torch, since no compiled one can be used"):
        encoder = runtimes.compile(backbone, cache_dir=tmp_path)
    assert encoder.runtime == "torch"
    assert encoder.note.startswith("runs in torch: onnxruntime")
    with torch.inference_mode():
        assert torch.equal(encoder(pictures(1)), backbone(pictures(1).contiguous(memory_format=torch.channels_last)))


def test_an_encoder_that_is_no_graph_runs_in_torch_and_is_exported_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backbone = backbone_of(UntilSmall())
    for _ in range(2):
        with pytest.warns(InputWarning, match="an encoder that torch.onnx can export, but got UntilSmall"):
            assert runtimes.compile(backbone, cache_dir=tmp_path, progress=True).runtime == "torch"
    assert capsys.readouterr().err.count("compiling UntilSmall") == 1
    with pytest.raises(InputError, match=r"torch\.onnx can export"):
        runtimes.compile(backbone, "onnxruntime", cache_dir=tmp_path)


def test_auto_is_checked_once_and_kept(small: Backbone, cache: Path) -> None:
    first = runtimes.compile(small, cache_dir=cache)
    folder = graph.graph_folder(small, 32, cache)
    before = {file: file.stat().st_mtime_ns for file in folder.iterdir() if file.name != "lock"}
    again = runtimes.compile(small, cache_dir=cache)
    assert again.runtime == first.runtime
    assert {file: file.stat().st_mtime_ns for file in before} == before
    assert torch.equal(again(pictures(5)), first(pictures(5)))


def test_a_damaged_verdict_is_made_again(small: Backbone, cache: Path) -> None:
    runtimes.compile(small, "openvino", cache_dir=cache)
    folder = graph.graph_folder(small, 32, cache)
    for file in folder.glob("*.json"):
        file.write_text('{"runtime": "openv')
    assert runtimes.compile(small, "openvino", cache_dir=cache).runtime == "openvino"
    assert all(file.read_text().endswith("}\n") for file in folder.glob("openvino-*.json"))


def test_a_damaged_graph_is_told(tmp_path: Path) -> None:
    backbone = backbone_of(Small(), seed=3)
    runtimes.compile(backbone, "onnxruntime", cache_dir=tmp_path)
    file = graph.graph_file(graph.graph_folder(backbone, 32, tmp_path))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(InputError, match=r"a graph for onnxruntime.*Remove that folder"):
        runtimes.compile(backbone, "onnxruntime", cache_dir=tmp_path)


def test_auto_makes_a_graph_only_for_many_images(tmp_path: Path) -> None:
    backbone = backbone_of(Small(), seed=4)
    folder = graph.graph_folder(backbone, 32, tmp_path)
    assert runtimes.compile(backbone, num_images=999, cache_dir=tmp_path).runtime == "torch"
    assert not folder.exists()
    chosen = runtimes.compile(backbone, num_images=1000, cache_dir=tmp_path).runtime
    assert graph.graph_file(folder).is_file()
    assert runtimes.compile(backbone, num_images=32, cache_dir=tmp_path).runtime == chosen
    assert runtimes.compile(backbone, num_images=31, cache_dir=tmp_path).runtime == "torch"


@pytest.mark.parametrize("number", [3, 40])
def test_the_check_takes_the_images_it_is_given(number: int, tmp_path: Path) -> None:
    encoder = runtimes.compile(backbone_of(Small()), "onnxruntime", check=pictures(number), cache_dir=tmp_path)
    assert encoder.runtime == "onnxruntime"
    with pytest.raises(InputError, match=r"images .* to check on"):
        runtimes.compile(backbone_of(Small(), seed=8), "onnxruntime", check=torch.zeros(2, 3, 16, 16))


@pytest.mark.skipif(not processor.has_bf16(), reason="the processor has no bfloat16 arithmetic")
def test_bf16_is_near_fp32_and_not_the_same(small: Backbone, cache: Path) -> None:
    images = pictures(8)
    with torch.inference_mode():
        wanted = small(images)
    for runtime in ("openvino", "torch", "auto"):
        encoder = runtimes.compile(small, runtime, precision="bf16", cache_dir=cache)
        features = encoder(images)
        assert features.dtype == torch.float32
        assert 1e-4 < relative(features, wanted) < 0.05, runtime
        assert torch.cosine_similarity(features, wanted).min() > 0.999, runtime


def test_openvino_and_this_library_agree_on_whether_the_processor_has_bf16() -> None:
    known = OpenVINO.imported().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert processor.has_bf16() == ("BF16" in known)


def test_openvino_is_told_its_precision_and_threads(small: Backbone, cache: Path) -> None:
    runtimes.compile(small, "openvino", cache_dir=cache)
    file = graph.graph_file(graph.graph_folder(small, 32, cache))
    for threads in (1, 2):
        model = OpenVINO().compiled(file, precision="fp32", threads=threads)
        # on a processor with AMX its own choice would be bf16
        assert model.get_property("INFERENCE_PRECISION_HINT") == OpenVINO.imported().Type.f32
        assert model.get_property("INFERENCE_NUM_THREADS") == threads


def test_the_number_of_threads_changes_no_bit(small: Backbone, cache: Path) -> None:
    before = torch.get_num_threads()
    try:
        for runtime in COMPILED:
            found = list[Tensor]()
            for threads in (1, 2):
                torch.set_num_threads(threads)
                found.append(runtimes.compile(small, runtime, cache_dir=cache)(pictures(16)))
            assert torch.equal(*found), runtime
    finally:
        torch.set_num_threads(before)


def test_an_encoder_in_training_mode_is_compiled_for_evaluation_and_stays_in_training_mode(tmp_path: Path) -> None:
    backbone = backbone_of(Small(), seed=9)
    with torch.inference_mode():
        wanted = backbone(pictures(4))
    backbone.train()
    backbone.encoder.pool.eval()  # type: ignore[union-attr]
    for runtime in ("torch", *COMPILED):
        assert relative(runtimes.compile(backbone, runtime, cache_dir=tmp_path)(pictures(4)), wanted) < 1e-5
    assert backbone.training
    assert not backbone.encoder.pool.training  # type: ignore[union-attr]
    assert all(parameter.requires_grad for parameter in backbone.parameters())


def test_an_encoder_of_another_image_size_is_another_graph(small: Backbone, cache: Path) -> None:
    encoder = runtimes.compile(small, "onnxruntime", image_size=40, cache_dir=cache)
    images = torch.randn(3, 3, 40, 40)
    with torch.inference_mode():
        assert relative(encoder(images), small(images)) < 1e-5
    with pytest.raises(InputError, match=r"images \[image, 3, 40, 40\]"):
        encoder(pictures(2))


def test_what_cannot_be_asked_for(small: Backbone, cache: Path) -> None:
    with pytest.raises(InputError, match=r"auto, torch, onnxruntime, openvino, but got 'onxruntime'.*onnxruntime\?"):
        runtimes.compile(small, "onxruntime", cache_dir=cache)
    with pytest.raises(InputError, match="a precision of the runtime onnxruntime, but got bf16"):
        runtimes.compile(small, "onnxruntime", precision="bf16", cache_dir=cache)
    with pytest.raises(InputError, match="a precision: fp32, bf16, fp16"):
        runtimes.compile(small, precision="int8", cache_dir=cache)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="the CPU for the runtime openvino, but got meta"):
        runtimes.compile(small, "openvino", device="meta", cache_dir=cache)


def test_a_missing_runtime_names_its_extra(small: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in COMPILED:
        monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with pytest.raises(MissingExtraError, match=r"openvino, .* 'cladewise\[openvino\]"):
        runtimes.compile(small, "openvino", cache_dir=tmp_path)
    encoder: Encoder = runtimes.compile(small, cache_dir=tmp_path)
    assert encoder.runtime == "torch"
    assert "pip install 'cladewise[onnx]' or 'cladewise[openvino]'" in encoder.note


def test_a_missing_exporter_is_told(small: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtraError, match=r"onnxscript, .* 'cladewise\[onnx\]"):
        runtimes.compile(small, "openvino", cache_dir=tmp_path)
    with pytest.warns(InputWarning, match="onnxscript"):
        assert runtimes.compile(small, cache_dir=tmp_path).runtime == "torch"


_ONE_OF_SEVERAL = """
import torch
from cladewise import runtimes
from cladewise.backbones.backbone import Backbone, ImageInput
torch.manual_seed(0)
layers = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
backbone = Backbone("tiny", layers, num_features=8, image_input=ImageInput(32, (0.5,) * 3, (0.5,) * 3))
encoder = runtimes.compile(backbone, "onnxruntime", progress=True)
print(encoder(torch.ones(2, 3, 32, 32)).double().sum().item())
"""


def test_of_several_processes_one_makes_the_graph(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _ONE_OF_SEVERAL]
    environment = os.environ | {"CLADEWISE_CACHE": str(tmp_path), "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0, 0], told
    assert told[0][0] == told[1][0]
    assert sum(errors.count("compiling tiny") for _, errors in told) == 1
    assert len(list(tmp_path.rglob("encoder.onnx"))) == 1


_ENCODERS_THEN_A_SIGNAL = """
import gc, signal, sys
from pathlib import Path
import torch
from cladewise.runtimes.open_vino import OpenVINO
loaded = [OpenVINO().load(Path(sys.argv[1]), precision="fp32", threads=1) for _ in range(3)]
while loaded:
    assert loaded[0](torch.ones(2, 3, 32, 32)).isfinite().all()
    del loaded[0]  # the first first
    gc.collect()
told = []
signal.signal(signal.SIGUSR1, lambda *_: told.append("alive"))
signal.raise_signal(signal.SIGUSR1)
print(*told)
"""


def test_signals_are_survived_after_encoders_were_freed(small: Backbone, cache: Path) -> None:
    runtimes.compile(small, "openvino", cache_dir=cache)
    file = graph.graph_file(graph.graph_folder(small, 32, cache))
    command = [sys.executable, "-c", _ENCODERS_THEN_A_SIGNAL, str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (ended.returncode, ended.stdout) == (0, "alive\n"), ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["auto", *COMPILED])
def test_the_packaged_encoder_is_compiled_to_the_same_features(runtime: str, cache: Path) -> None:
    backbone = backbones.load("efficientnet_lite0")
    encoder = runtimes.compile(backbone, runtime, cache_dir=cache)
    assert encoder.runtime == runtime or (runtime == "auto" and encoder.runtime in COMPILED)
    images = torch.randn(18, 3, 224, 224, generator=torch.Generator().manual_seed(3))
    torch_features = runtimes.compile(backbone, "torch")(images)
    assert relative(encoder(images), torch_features) < 1e-5
