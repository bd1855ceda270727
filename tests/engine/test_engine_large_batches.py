"""Batches that do not fit: encoders run in chunks, and losses that look at the images of all processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch

from cladewise import Taxonomy, backbones, methods
from cladewise.backbones import Backbone
from cladewise.engine.classifier import Classifier
from cladewise.engine.feeding.images import Batch
from cladewise.engine.forgetting import forgetful
from cladewise.engine.training.stepping import batch_losses

TREE = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("plant", "fern"), ("moth",)])
LEAVES = torch.tensor(TREE.leaf_nodes.copy())


def without_batch_statistics() -> Backbone:
    """An encoder in which images do not see each other."""
    encoder = timm.create_model("test_vit", pretrained=False, num_classes=0, img_size=32)
    size = backbones.load("test_resnet", pretrained=False, image_size=32).image_input
    return Backbone("test_vit", encoder, num_features=encoder.num_features, image_input=size)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["flyp", "hmcf", "supcon", "himulcon"])
def test_a_batch_in_chunks_has_the_gradient_of_the_whole(name: str) -> None:
    method = methods.make(name)
    views = method.views()
    index = torch.arange(10).repeat_interleave(views)
    images, target = torch.randn(len(index), 3, 32, 32), LEAVES[index % len(LEAVES)]
    found: list[dict[str, torch.Tensor]] = []
    for chunk in (0, 4, 1):
        torch.manual_seed(0)
        backbone = without_batch_statistics()
        classifier = Classifier(method.head(TREE, backbone.num_features), towers=[backbone], chunk=chunk).train()
        batch = Batch(images, target, index)
        objective = method.objective(TREE, LEAVES.numpy())
        losses = batch_losses(classifier, method.loss(TREE), batch, views=views, objective=objective)
        losses.mean().backward()
        gradients = {key: p.grad for key, p in classifier.named_parameters() if p.grad is not None}
        found.append({"losses": losses.detach(), **gradients})
    for other in found[1:]:
        assert other.keys() == found[0].keys()
        for key, value in other.items():
            torch.testing.assert_close(value, found[0][key], atol=1e-5, rtol=1e-3)


def test_chunks_hold_less_than_the_whole() -> None:
    backbone, images = without_batch_statistics().train(), torch.randn(32, 3, 32, 32)

    def kept(chunk: int) -> int:
        sizes: list[int] = []

        def note(tensor: torch.Tensor) -> torch.Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            features = forgetful(backbone, images, chunk) if chunk else backbone(images)
        assert features.requires_grad
        return sum(sizes)

    assert kept(4) < kept(0) / 5


def test_dropout_and_running_averages_happen_once() -> None:
    encoder = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 3), torch.nn.Dropout(0.5))
    rows = torch.randn(6, 3)
    torch.manual_seed(5)
    chunked = forgetful(encoder, rows, 3)
    after = {key: value.clone() for key, value in encoder.state_dict().items()}
    chunked.sum().backward()
    assert all(value.equal(after[key]) for key, value in encoder.state_dict().items())
    assert int(after["0.num_batches_tracked"]) == 2
    bias = encoder[1].bias.grad
    assert bias is not None
    torch.testing.assert_close(bias, 2.0 * (chunked != 0).sum(0))  # what was dropped was dropped both times


TOGETHER = """
import os, sys, torch, torch.distributed as dist, safetensors.torch
from cladewise import Taxonomy
from cladewise.losses import *
from cladewise.objectives import HierarchicalContrastLoss, ProbedLoss, SupConLoss

folder, rank, world = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
device = os.environ.get("CLADEWISE_TEST_DEVICE", "cpu")
if world > 1:
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=world)
t = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("plant", "fern"), ("moth",)])
losses = {
    "supcon": SupConLoss(t, 5), "himulcone": HierarchicalContrastLoss(t, 5, constraint=True),
    "single": ImageTextContrastLoss(t), "multi": ImageTextContrastLoss(t, targets="multi"),
    "rivals": ImageTextContrastLoss(t, targets="rivals"),
    "probed": ProbedLoss(SupConLoss(t, 5), LevelSoftmaxLoss(t)),
}
found = {}
for images, shares in ((8, (4, 4)), (7, (5, 2)), (3, (3, 0)), (4, (0, 4))):
    target = torch.tensor([2, 3, 5, 6, 1, 2, 0, 2], device=device)[:images]
    mine = slice(None) if world == 1 else slice(sum(shares[:rank]), sum(shares[: rank + 1]))
    for name, loss in losses.items():
        logits = torch.randn(images, loss.num_outputs, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
        rows = logits[mine].to(device, copy=True).requires_grad_()
        values = loss.train()(rows, target[mine])
        values.sum().backward()
        found[f"{name}-{images}-losses"], found[f"{name}-{images}-gradient"] = values.detach(), rows.grad
        found[f"{name}-{images}-watched"] = loss.eval()(rows, target[mine]).detach()
for images, shares in ((5, (3, 2)), (3, (3, 0)), (4, (1, 3))):  # with two views of each
    target = torch.tensor([2, 3, 5, 2, 0], device=device)[:images].repeat_interleave(2)
    start = 2 * sum(shares[:rank])
    mine = slice(None) if world == 1 else slice(start, start + 2 * shares[rank])
    for name in ("supcon", "himulcone"):
        logits = torch.randn(2 * images, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
        rows = logits[mine].to(device, copy=True).requires_grad_()
        values = losses[name].train()(rows, target[mine], views=2)
        values.sum().backward()
        found[f"{name}-{images}-two-views"], found[f"{name}-{images}-of-two-views"] = values.detach(), rows.grad
safetensors.torch.save_file({key: value.cpu() for key, value in found.items()}, f"{folder}/{world}-{rank}.safetensors")
"""


@pytest.mark.slow
@pytest.mark.device
def test_two_processes_have_the_loss_of_one(tmp_path: Path) -> None:
    commands = [
        [sys.executable, "-c", TOGETHER, str(tmp_path), str(rank), str(world)]
        for rank, world in ((0, 1), (0, 2), (1, 2))
    ]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    alone, *together = (safetensors.torch.load_file(tmp_path / f"{name}.safetensors") for name in ("1-0", "2-0", "2-1"))
    for key, whole in alone.items():
        if not key.endswith("watched"):  # where processes watch, each has its own batch
            torch.testing.assert_close(torch.cat([part[key] for part in together]), whole)
