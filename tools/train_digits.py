"""Train the bundled digits model and write everything under `models/`.

Run from the repository root, with the `train` extra installed: `python tools/train_digits.py`. It needs three to five
minutes on one CPU core; more threads help little on so small a model. Weights may differ in their last bits between
machines.
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import onnx
import torch
from digits_data import IMAGE_SIZE, SEED, Labels, Pixels, load_digits_split
from digits_vit import DigitsViT
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from intvit.data.preprocess import Preprocess
from intvit.files import write_atomically

EPOCHS = 90
WARMUP_EPOCHS = 5
BATCH = 64
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.05
LABEL_SMOOTHING = 0.05
MAX_SHIFT = 0.15
MAX_ANGLE = math.radians(12)
MAX_ZOOM = 0.1
CALIBRATION_IMAGES = 64


def normalise(images: Pixels) -> Tensor:
    """Turn uint8 [N, H, W, 3] into float32 [N, 3, H, W] from -1 to 1 (mean = std = 0.5)."""
    return (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5


def augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """Shift, rotate and zoom each image of float [N, 3, H, W] a little, at random."""

    def spread(limit: float) -> Tensor:
        return (torch.rand(len(x), generator=generator) * 2 - 1) * limit

    angle, zoom = spread(MAX_ANGLE), 1 + spread(MAX_ZOOM)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    rows = (cos, -sin, spread(MAX_SHIFT), sin, cos, spread(MAX_SHIFT))
    grid = functional.affine_grid(torch.stack(rows, dim=1).reshape(-1, 2, 3), list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def train(images: Pixels, labels: Labels, epochs: int) -> DigitsViT:
    """Train a fresh model with AdamW, warm-up and a cosine schedule; the result depends on `SEED` only."""
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    generator = torch.Generator().manual_seed(SEED)
    model, x, y = DigitsViT(), normalise(images), torch.from_numpy(labels)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = math.ceil(len(x) / BATCH)

    def rate(step: int) -> float:
        warmup, total = WARMUP_EPOCHS * steps, epochs * steps
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    loss_of = nn.CrossEntropyLoss(label_smoothing=LABEL_SMOOTHING)
    for epoch in range(epochs):
        total = 0.0
        for batch in torch.randperm(len(x), generator=generator).split(BATCH):
            loss = loss_of(model(augment(x[batch], generator)), y[batch])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1:3d}: loss {total / len(x):.4f}", flush=True)
    return model.eval()


def correct(model: DigitsViT, images: Pixels, labels: Labels) -> int:
    """Count the images whose largest logit is the right one."""
    with torch.no_grad():
        return int((model(normalise(images)).argmax(dim=1).numpy() == labels).sum())


def export(model: DigitsViT, path: Path) -> None:
    """Write the model as ONNX (opset 17, any batch size), without the exporter's notes on where its source lies."""
    example = torch.zeros(1, 3, IMAGE_SIZE, IMAGE_SIZE)
    torch.onnx.export(
        model,
        (example,),
        str(path),
        input_names=["input"],
        output_names=["logits"],
        dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )
    proto = onnx.load(path)
    for node in proto.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    onnx.checker.check_model(proto, full_check=True)
    write_atomically(path, proto.SerializeToString(deterministic=True))


def save_png(image: Pixels, path: Path) -> None:
    """Write a grey RGB picture as a small 8-bit grey PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(image[:, :, 0])).save(path, optimize=True)


def save_samples(folder: Path, images: Pixels, labels: Labels) -> None:
    """Write the first image of each class."""
    for label in range(10):
        index = int(np.flatnonzero(labels == label)[0])
        save_png(images[index], folder / f"digit_{label}_{index}.png")


def save_calibration(folder: Path, images: Pixels, labels: Labels) -> None:
    """Write a few images, spread evenly over all of them in the order of their classes."""
    by_class = np.argsort(labels, kind="stable")
    for place in range(CALIBRATION_IMAGES):
        index = int(by_class[place * len(by_class) // CALIBRATION_IMAGES])
        save_png(images[index], folder / f"train_{index:04d}.png")


def main() -> None:
    """Train, measure, export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("models"), help="folder to write to (default: models)")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)

    started = time.perf_counter()
    train_images, train_labels, images, labels = load_digits_split()
    model = train(train_images, train_labels, options.epochs)
    seconds = time.perf_counter() - started
    hits = correct(model, images, labels)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(f"{parameters} parameters, trained in {seconds:.0f} s on {options.threads} thread(s)")
    print(f"held back: {hits} of {len(labels)} right ({100 * hits / len(labels):.2f} %)")
    print(f"trained on: {correct(model, train_images, train_labels)} of {len(train_labels)} right")

    export(model, options.out / "digits_vit.onnx")
    preprocess = Preprocess(
        height=IMAGE_SIZE,
        width=IMAGE_SIZE,
        resize_short=None,
        resize_size=(IMAGE_SIZE, IMAGE_SIZE),
        interpolation="bilinear",
        crop=False,
        mean=("0.5", "0.5", "0.5"),
        std=("0.5", "0.5", "0.5"),
    )
    write_atomically(options.out / "digits_vit.preprocess.json", preprocess.to_json().encode())
    write_atomically(options.out / "digits_classes.txt", "".join(f"{digit}\n" for digit in range(10)).encode())
    save_samples(options.out / "samples", images, labels)
    save_calibration(options.out / "calibration", train_images, train_labels)


if __name__ == "__main__":
    main()
