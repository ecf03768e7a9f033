"""The handwritten digits that the bundled model is trained and tested on: scikit-learn's copy of UCI optdigits."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]

IMAGE_SIZE = 32
HELD_BACK = 360
SEED = 0
_DARKEST = 16


def upscale(digit: NDArray[np.int64]) -> Pixels:
    """Turn one 8x8 digit into the 32x32 RGB picture that the model sees.

    Args:
        digit: int64 [8, 8], values 0 to 16.

    Returns:
        uint8 [32, 32, 3], the same grey value in all three channels.
    """
    grey = ((digit * 255 + _DARKEST // 2) // _DARKEST).astype(np.uint8)
    picture = Image.fromarray(grey).resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BILINEAR)
    return np.asarray(picture.convert("RGB"))


def load_digits_split() -> tuple[Pixels, Labels, Pixels, Labels]:
    """Load all digits, split once and for all into 1437 to train on and 360 held back.

    Returns:
        `(train_images, train_labels, held_back_images, held_back_labels)`: images are uint8 [N, 32, 32, 3],
        labels int64 [N] from 0 to 9, and every class has the same share in both parts.
    """
    digits = load_digits()
    images = np.stack([upscale(digit) for digit in digits.images.astype(np.int64)])
    labels = digits.target.astype(np.int64)
    train, held_back = train_test_split(
        np.arange(len(labels)), test_size=HELD_BACK, stratify=labels, random_state=SEED, shuffle=True
    )
    return images[train], labels[train], images[held_back], labels[held_back]


def write_held_back(folder: Path) -> tuple[Path, Path]:
    """Write the held-back digits as PNG files, and a CSV of their labels.

    Returns:
        The folder of images and the CSV; both lie in `folder`, which is made.
    """
    _, _, pixels, labels = load_digits_split()
    images, table = folder / "images", folder / "labels.csv"
    images.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(images / f"{i:04}.png")
    table.write_text("file,label\n" + "".join(f"{i:04}.png,{label}\n" for i, label in enumerate(labels)))
    return images, table
