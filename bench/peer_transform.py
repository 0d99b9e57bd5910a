#!/usr/bin/env python3
"""The cases of bench_transform with the guide's own code (pytorchvideo 0.1.5 with its one-line shim, torchvision) and transformers' image and video processors:
one JSON line each.

    PYTHON bench/peer_transform.py THREADS REPEATS [HEIGHT WIDTH]

The clip is given as the float32 tensor (C, T, H, W) that PyTorchVideo's decoder makes; that conversion, which reel has no need of, is timed apart ("to float")."""
import json, sys, time, warnings

warnings.simplefilter("ignore")
import torchvision.transforms._functional_tensor as ft

sys.modules["torchvision.transforms.functional_tensor"] = ft
import numpy as np, torch
from torchvision.transforms import Compose, Lambda, RandomCrop, RandomHorizontalFlip, Resize

threads, repeats = int(sys.argv[1]), int(sys.argv[2])
H, W = (int(a) for a in sys.argv[3:5]) if len(sys.argv) > 4 else (240, 320)
torch.set_num_threads(threads)
mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
u8 = torch.randint(0, 256, (54, H, W, 3), dtype=torch.uint8)
clip = u8.permute(3, 0, 1, 2).to(torch.float32)


def measure(case, make):
    row = dict(program="torchvision", case=case, threads=threads, height=H, width=W)
    try:
        f = make()
        f()
        s = []
        for _ in range(repeats):
            begun = time.perf_counter()
            f()
            s.append((time.perf_counter() - begun) * 1e3)
        s.sort()
        row.update(median_ms=round(s[len(s) // 2], 3), least_ms=round(s[0], 3))
    except Exception as e:
        row.update(failed=f"{type(e).__name__}: {str(e)[:120]}")
    print(json.dumps(row), flush=True)


def guide(tail):
    def make():
        from pytorchvideo.transforms import ApplyTransformToKey, Normalize, RandomShortSideScale, UniformTemporalSubsample
        head = [UniformTemporalSubsample(16), Lambda(lambda x: x / 255.0), Normalize(mean, std)]
        scale = [RandomShortSideScale(288, 288), RandomCrop((224, 224)), RandomHorizontalFlip(0.5)]  # 288: the mean of 256 to 320, as in bench_transform
        t = ApplyTransformToKey("video", Compose(head + (scale if tail == "train" else [Resize((224, 224))])))
        return lambda: t({"video": clip})
    return make


def processor(name):
    def make():
        import transformers
        p = getattr(transformers, name)(image_mean=mean, image_std=std)
        x = u8[:16].permute(0, 3, 1, 2) if "Video" in name and "Image" not in name else [f for f in u8[:16].numpy()]
        return lambda: p(x, return_tensors="pt")
    return make


measure("train", guide("train"))
measure("eval", guide("eval"))
measure("processor", processor("VideoMAEImageProcessor"))
measure("processor (video)", processor("VideoMAEVideoProcessor"))
measure("to float", lambda: lambda: u8.permute(3, 0, 1, 2).to(torch.float32))
