"""Checksums of what transformers' processors make of one pattern, for golden_test.c: every class, filter and arithmetic.

    python tests/transforms/make_golden_processor.py > tests/transforms/golden_processor.json

Needs torch, torchvision, Pillow and transformers (the versions used stand in the file) on a processor with AVX2, without which torchvision
resamples bytes in another way. A checksum is the CRC-32 of the clip (3, height, width), float32, little endian.
"""
import json
import os
import sys
import tempfile
import zlib

import numpy as np
import PIL
import torch
import torchvision
import transformers
from transformers import AutoImageProcessor, AutoVideoProcessor

assert torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
transformers.utils.logging.set_verbosity_error()
SIDE = 64
SIZES = [(120, 161), (61, 47), (64, 64), (250, 33), (33, 250), (260, 100), (2, 2)]

BASE = {"size": {"shortest_edge": 72}, "crop_size": {"height": SIDE, "width": SIDE}}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
BYTES = {"do_rescale": False, "do_normalize": False}
VIVIT = {**BASE, "image_processor_type": "VivitImageProcessor"}
VIVIT_BYTES = {**VIVIT, **BYTES, "offset": False}

# name, model type, whether it is the image part of processor_config.json (else preprocessor_config.json), the file
CASES = [
    ("VideoMAE", "videomae", False, {**BASE, **IMAGENET, "image_processor_type": "VideoMAEImageProcessor"}),
    ("VideoMAE, old", "videomae", False, {"feature_extractor_type": "VideoMAEFeatureExtractor", "size": SIDE, "crop_size": SIDE, **IMAGENET}),
    ("VideoMAE, no mean", "videomae", False, BASE),
    ("TimeSformer, no mean", "timesformer", False, BASE),
    ("ViViT", "vivit", False, VIVIT),
    ("ViViT, other numbers", "vivit", False, {**VIVIT, **IMAGENET, "rescale_factor": 0.01}),
    ("ViViT, no normalisation", "vivit", False, {**VIVIT, "do_normalize": False}),
    ("ViViT's image processor", "vivit", True, VIVIT),
    ("ViViT's image processor, no offset", "vivit", True, {**VIVIT, **IMAGENET, "offset": False, "rescale_factor": 1 / 255}),
    ("ViViT's image processor, other numbers", "vivit", True, {**VIVIT, **IMAGENET, "rescale_factor": 0.01}),
    ("V-JEPA 2", "vjepa2", False, {"crop_size": SIDE, "size": {"shortest_edge": 300}}),
    *[(f"torchvision, filter {n}", "videomae", False, {**BASE, **BYTES, "resample": n}) for n in (0, 1, 2, 3)],
    ("torchvision, nearest, small", "videomae", False, {**BASE, **BYTES, "resample": 0, "size": {"height": 41, "width": 47}}),
    ("torchvision, nearest, large", "videomae", False, {**BASE, **BYTES, "resample": 0, "size": {"height": 141, "width": 159}}),
    *[(f"Pillow, filter {n}", "vivit", True, {**VIVIT_BYTES, "resample": n}) for n in range(6)],
    *[(f"Pillow, enlarged, filter {n}", "vivit", True, {**VIVIT_BYTES, "resample": n, "size": [301, 299]}) for n in range(6)],
    ("Pillow, padding", "vivit", True, {**VIVIT_BYTES, "size": [33, 41]}),
    ("torchvision, padding", "videomae", False, {**BASE, **BYTES, "size": [33, 41]}),
    ("short and long side", "videomae", False, {**BASE, **BYTES, "size": {"shortest_edge": 70, "longest_edge": 80}}),
    ("long side, short side already there", "videomae", False, {**BASE, **BYTES, "size": {"shortest_edge": 40, "longest_edge": 252}}),
    ("largest sides", "videomae", False, {**BASE, **BYTES, "size": {"max_height": 90, "max_width": 70}}),
]


def pattern(height, width):
    """As transform_test.c has it."""
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    return ((7 * x + 13 * y + 29 * c + 3 * ((x * y) & 15)) & 255).astype(np.uint8)


def checksums(model, part, content):
    with tempfile.TemporaryDirectory() as d:
        for name, j in (("config.json", {"model_type": model}),
                        ("processor_config.json", {"image_processor": content}) if part else ("preprocessor_config.json", content)):
            with open(os.path.join(d, name), "w") as f:
                json.dump(j, f)
        processor = (AutoImageProcessor if part else AutoVideoProcessor).from_pretrained(d)
    out = []
    for height, width in SIZES:
        frame = pattern(height, width)
        clip = processor([frame] if part else frame[None], return_tensors="pt")
        values = next(iter(clip.values()))[0, 0].to(torch.float32).contiguous().numpy()
        assert values.shape == (3, SIDE, SIDE), (content, values.shape)
        out.append(zlib.crc32(values.astype("<f4").tobytes()))
    return type(processor).__name__, out


def main():
    cases = []
    for name, model, part, content in CASES:
        of, crc = checksums(model, part, content)
        cases.append({"name": name, "model_type": model, "image_part": part, "file": content, "class": of, "crc32": crc})
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__, "transformers": transformers.__version__,
                "Pillow": PIL.__version__}
    head = json.dumps({"versions": versions, "side": SIDE, "sizes": SIZES})
    sys.stdout.write(head[:-1] + ', "cases": [\n' + ",\n".join(map(json.dumps, cases)) + "\n]}\n")


main()
