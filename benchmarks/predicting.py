"""Images per second of `cladewise predict`, as a ratio to an earlier commit on the same photographs.

    python benchmarks/predicting.py FOLDER [--base 120901a] [--threads 1 2] [--limit 2640] [--rounds 2]
    python benchmarks/predicting.py FOLDER --backbone resnet50 --limit 300

The whole command is timed, start-up, decoding and writing included, in alternating turns: the earlier commit from a
worktree of its own, this one in single precision and in bfloat16, and a bare loop that decodes with Pillow and runs the
same graph in onnxruntime. Both commits predict with one run, which the earlier one trains. Processors are limited by
affinity. Besides wall time the table has processor time, which other work on the machine disturbs less, and the peak
resident memory of the largest process.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

ROOT = Path(__file__).parents[1]
BARE = """
import sys
import numpy as np, onnxruntime
from concurrent.futures import ThreadPoolExecutor
from PIL import Image
graph, threads, side, size, mean, std, *paths = sys.argv[1:]
threads, side, size = int(threads), int(side), int(size)
mean, std = (np.array(list(map(float, text.split(","))), dtype=np.float32) for text in (mean, std))
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
def decoded(path):
    image = Image.open(path).convert("RGB")
    short = min(image.size)
    width, height = (side if x == short else int(side * x / short) for x in image.size)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = round((width - size) / 2), round((height - size) / 2)
    pixels = np.asarray(image.crop((left, top, left + size, top + size)), dtype=np.float32) / 255
    return ((pixels - mean) / std).transpose(2, 0, 1)
with ThreadPoolExecutor(threads) as pool:
    for start in range(0, len(paths), 16):
        session.run(None, {name: np.stack(list(pool.map(decoded, paths[start:start + 16])))})
"""


@dataclasses.dataclass
class Turns:
    """Times of one command in all rounds."""

    wall: list[float] = dataclasses.field(default_factory=list)
    processor: list[float] = dataclasses.field(default_factory=list)
    memory: list[float] = dataclasses.field(default_factory=list)

    def add(self, words: list[str], source: Path, cache: Path, processors: int) -> None:
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "PYTHONPATH": str(source / "src"),
            "OMP_NUM_THREADS": str(processors),
            "CLADEWISE_CACHE": str(cache),
        }
        allowed = sorted(os.sched_getaffinity(0))[:processors]
        start = time.perf_counter()
        child = subprocess.Popen(
            words,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: os.sched_setaffinity(0, allowed),
        )
        assert child.stderr is not None
        told = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        if status:
            sys.exit(f"{' '.join(words[:8])}: {told.decode()[-2000:]}")
        self.wall.append(time.perf_counter() - start)
        self.processor.append(usage.ru_utime + usage.ru_stime)
        self.memory.append(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9)


def worktree(base: str, folder: Path) -> Path:
    subprocess.run(["git", "worktree", "add", "--detach", folder, base], cwd=ROOT, check=True, capture_output=True)
    return folder


def train(data: str, backbone: str, source: Path, cache: Path, out: Path) -> None:
    named = ["grocery-store", "--data-option", f"path={data}"]
    words = [*named, "--method", "hace", "--freeze", "--epochs", "3", "--backbone", backbone, "--out", str(out)]
    if backbone != "efficientnet_lite0":
        words.append("--no-pretrained")
    environment = {**os.environ, "PYTHONPATH": str(source / "src"), "CLADEWISE_CACHE": str(cache)}
    subprocess.run([sys.executable, "-m", "cladewise", "train", *words], env=environment, check=True)


def graph_words(backbone: str, cache: Path) -> list[str]:
    """The exported graph in the cache of this commit, and the input that it takes."""
    from cladewise import backbones

    graphs = sorted((cache / "encoders").rglob("*.onnx"))
    if len(graphs) != 1:
        sys.exit(f"expected one graph under {cache}, got {len(graphs)}")
    wanted = backbones.load(backbone, pretrained=False).image_input
    side = int(wanted.image_size / wanted.crop_ratio)
    texts = (",".join(map(str, values)) for values in (wanted.mean, wanted.std))
    return [str(graphs[0]), str(side), str(wanted.image_size), *texts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the Grocery Store data set")
    parser.add_argument("--base", default="120901a")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--limit", type=int, default=2640)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--run", type=Path, help="a run of the earlier commit, instead of training one")
    options = parser.parse_args()
    paths = [str(path) for path in sorted((options.folder / "train").rglob("*.jpg"))][: options.limit]
    with tempfile.TemporaryDirectory() as place:
        temporary = Path(place)
        base = worktree(options.base, temporary / "base")
        try:
            measure(options, paths, base, temporary)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", base], cwd=ROOT, check=True)


def measure(options: argparse.Namespace, paths: list[str], base: Path, temporary: Path) -> None:
    run, cache = options.run or temporary / "run", temporary / "cache"
    if options.run is None:
        train(str(options.folder), options.backbone, base, temporary / "base-cache", run)
    predict = [sys.executable, "-m", "cladewise", "predict", str(run)]
    images = temporary / "images"
    images.mkdir()
    for number, path in enumerate(paths):
        (images / f"{number:05d}.jpg").symlink_to(Path(path).resolve())
    commands: dict[str, tuple[list[str], Path]] = {
        f"commit {options.base}": ([*predict, str(images), "--out", str(temporary / "base.csv")], base),
        "fp32": ([*predict, str(images), "--out", str(temporary / "fp32.csv")], ROOT),
        "bf16": ([*predict, str(images), "--precision", "bf16", "--out", str(temporary / "bf16.csv")], ROOT),
    }
    for threads in options.threads:  # the graph is made, checked and kept once per number of threads
        for words, source in list(commands.values())[1:]:
            for runtime in ("openvino",) if "bf16" in words else ("openvino", "onnxruntime"):
                Turns().add([*words, "--runtime", runtime], source, cache, threads)
                Path(words[words.index("--out") + 1]).unlink()
    links = [str(path) for path in sorted(images.iterdir())]
    graph, *wanted = graph_words(options.backbone, cache)
    print(f"{len(paths)} images, {options.backbone}, rounds {options.rounds}")
    for threads in options.threads:
        bare = [sys.executable, "-c", BARE, graph, str(threads), *wanted, *links]
        turns = {name: Turns() for name in (*commands, "bare onnxruntime loop")}
        for _ in range(options.rounds):
            for name, (words, source) in {**commands, "bare onnxruntime loop": (bare, ROOT)}.items():
                turns[name].add(words, source, temporary / "base-cache" if source == base else cache, threads)
        report(threads, len(paths), turns)
    compare(temporary)


def report(threads: int, count: int, turns: dict[str, Turns]) -> None:
    first = next(iter(turns.values()))
    print(f"{threads} processor{'s' * (threads > 1)}: images/s, ratio, ratio of processor time, peak memory")
    for name, turn in turns.items():
        wall, processor = statistics.median(turn.wall), statistics.median(turn.processor)
        ratios = statistics.median(first.wall) / wall, statistics.median(first.processor) / processor
        print(f"  {name:24}{count / wall:8.1f}{ratios[0]:8.2f}{ratios[1]:8.2f}{max(turn.memory):8.2f} GB")


def compare(folder: Path) -> None:
    """How far the answers of this commit are from those of the earlier one."""
    tables = {name: pl.read_csv(folder / f"{name}.csv") for name in ("base", "fp32", "bf16")}
    true = pl.Series([Path(os.readlink(path)).parent.name for path in tables["base"]["path"]])
    right = {name: (table["label"] == true).mean() for name, table in tables.items()}
    for name in ("fp32", "bf16"):
        same = (tables["base"]["label_path"] == tables[name]["label_path"]).mean()
        difference = (tables["base"]["probability"] - tables[name]["probability"]).abs().max()
        print(f"{name}: {same:.2%} the same label, largest difference of its probability {difference:.1e}, ", end="")
        print(f"accuracy {right[name]:.2%} against {right['base']:.2%}")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
