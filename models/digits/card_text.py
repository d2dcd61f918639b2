"""Owns the words of the digits card: data, licences and limits. Numbers are measured in export.py."""

from scipy.stats import beta

import data

VERSION = "1.0.0"


def limits(variants: dict[str, dict]) -> str:
    def each(key: str) -> str:
        return ", ".join(f"{name} {100 * variant['metrics'][key]:.2f} %" for name, variant in variants.items())

    micro = variants["micro"]["metrics"]
    errors, n = micro["errors"], micro["n"]
    worst = 1 - beta.ppf(0.975, errors + 1, n - errors)
    return (
        "White ink on black, one centred digit; anything else gets a digit too. The report images are easy and few: one of them is "
        f"{100 / n:.3f} points, so the variants do not differ significantly there, and {errors} wrong of {n} is compatible with an accuracy "
        f"of {100 * worst:.1f} % (micro, 95 % interval). On the choose images: {each('accuracy_choose')}. On four distorted copies of each "
        f"report image (rotation, scale, shear, shift and elastic displacement as in training): {each('accuracy_distorted')}."
    )


def card_of(variants: dict[str, dict]) -> dict:
    return {
        "name": "digits",
        "version": VERSION,
        "task": "image_classification",
        "description": "Handwritten digits, 28x28 greyscale, white ink on black (0 is background, 1 is ink).",
        "labels": data.LABELS,
        "out_of_scope_label": None,
        "input": {"kind": "image", "height": 28, "width": 28, "channels": 1},
        "data": {
            "name": "MNIST, the first 8000 images of the 10k test file (mnist-8k)",
            "licence": "CC BY-SA 3.0, as commonly given; the repository it was taken from has no licence file",
            "attribution": "Yann LeCun, Corinna Cortes and Christopher J. C. Burges, The MNIST database of handwritten digits",
            "source": "github:kelas/mnist at 283b387221ab46655e600cfcc25d843bb14292b9",
            "train": "6400 images: 0..6399",
            "choose": "800 images: 6400..7199; hyperparameters and temperature",
            "report": "800 images: 7200..7999; copied in report-sample/ (IDX, gzip) under the data's licence",
        },
        "reference_variant": "large",
        "variants": variants,
        "limits": limits(variants),
    }
