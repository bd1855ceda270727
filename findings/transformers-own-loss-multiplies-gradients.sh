#!/usr/bin/env bash
# transformers 5.24.0: with a compute_loss_func, accumulating gradients over 4 batches makes them 4 times as large.
#
# Expected: a mean loss and gradient_accumulation_steps=4 with batches of 3 train like batches of 12, as without a
# compute_loss_func.
# Actual: the trainer leaves the division to the function, which is passed num_items_in_batch, the number of labels of all
# accumulated batches. A function that returns a mean, as every loss of torch does, gives the sum of 4 means: gradients and
# reported training loss are 4 times as large. Nothing warns, and the loss in evaluation is right.
# Why it matters: a loss for a label tree is passed as compute_loss_func, and accumulation is set when images do not fit.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet transformers==5.24.0 accelerate==1.15.0 torch==2.14.1 numpy==2.4.6
"$folder/venv/bin/pip" list 2>/dev/null | grep -iE '^(torch|transformers|accelerate) '
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import torch
import transformers
from torch import nn
from torch.nn import functional
from transformers.modeling_outputs import ImageClassifierOutput


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features, labels=None):
        logits = self.linear(features)
        loss = None if labels is None else functional.cross_entropy(logits, labels)
        return ImageClassifierOutput(loss=loss, logits=logits)


generator = torch.Generator().manual_seed(0)
ROWS = [{"features": torch.randn(4, generator=generator), "labels": i % 3} for i in range(12)]


def mean_loss(outputs, labels, num_items_in_batch=None):
    return functional.cross_entropy(outputs.logits, labels)


def step(batch: int, accumulated: int, compute_loss_func=None) -> float:
    """Length of the single step that 12 images make."""
    model = Linear()
    arguments = transformers.TrainingArguments(
        output_dir="out",
        num_train_epochs=1,
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=accumulated,
        max_grad_norm=0,
        remove_unused_columns=False,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
    )
    optimizers = (torch.optim.SGD(model.parameters(), lr=0.1), None)
    trainer = transformers.Trainer(
        model, arguments, train_dataset=ROWS, compute_loss_func=compute_loss_func, optimizers=optimizers
    )
    trainer.train()
    return model.linear.weight.detach().norm().item()


whole = step(12, 1, mean_loss)
ratios = {"the model's own loss": step(3, 4) / whole, "the same as compute_loss_func": step(3, 4, mean_loss) / whole}
print("4 batches of 3, relative to a batch of 12:", ratios)
assert abs(ratios["the model's own loss"] - 1) < 1e-4
assert abs(ratios["the same as compute_loss_func"] - 4) < 1e-4
PYTHON
echo "Behaviour as described."
