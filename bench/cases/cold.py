"""From a file to its five labels in a fresh process (the files are in the page cache), and what a warm clip costs."""
import json
import os
import statistics
import sys

from .programs import HERE, Wall, call, measure, wall
from .videos import video

MORE = 8


def checkpoint(m, dtype):
    folder = os.path.join(m.scratch, f"base-{dtype}")
    if not os.path.exists(os.path.join(folder, "model.safetensors")):
        if dtype == "fp32":
            m.reel("model", "new", "--from_config", m.config("base"), "-o", folder)
        else:
            m.reel("model", "convert", "--model", checkpoint(m, "fp32"), "--dtype", dtype, "-o", folder)
    return folder


def predict(m, folder, dtype, *files):
    return [m.program("reel"), "predict", "--model", folder, "--dtype", dtype, "--threads", m.threads, "--json", "-q", *files]


def median_ms(text, case):
    return next(l["median_ms"] for l in map(json.loads, text.splitlines()) if l["case"] == case)


def cold(m):
    path = video(m.scratch, "avi")
    full, half = checkpoint(m, "fp32"), checkpoint(m, "bf16")
    out = measure({"reel": Wall(predict(m, full, "fp32", path)), "reel bf16": Wall(predict(m, half, "bf16", path)),
                   "pipeline": Wall([sys.executable, os.path.join(HERE, "peer_pipeline.py"), full, path, m.threads])}, m.rounds,
                  {"reel": 3, "reel bf16": 3, "pipeline": 1}, m.log)
    out["warm"] = warm(m, half, path)
    out["warm"]["fp32 model"] = statistics.median(json.loads(call(m.program("bench_model"), m.config("base"), "forward", 1, 5, m.threads, "fp32"))["median"]
                                                  for _ in range(m.rounds))
    return out


def warm(m, half, path):
    """What a clip costs once all is loaded, in two ways: its parts (model, 16 frames of the file, the processor's transform) measured alone,
    and what each further file costs a `reel predict` of several. The second may be less: the next file is decoded meanwhile."""
    parts, slope = [], []
    for _ in range(m.rounds):
        model = json.loads(call(m.program("bench_model"), m.config("base"), "forward", 1, 5, m.threads, "bf16"))["median"]
        frames = median_ms(call(m.program("bench_decode"), "uniform", m.threads, 7, path), "uniform") / 1e3
        transform = median_ms(call(m.program("bench_transform"), m.threads, 7), "processor") / 1e3
        parts.append((model + frames + transform, model, frames, transform))
        one = wall(*predict(m, half, "bf16", path))
        slope.append((wall(*predict(m, half, "bf16", *[path] * (1 + MORE))) - one) / MORE)
    middle = sorted(parts)[len(parts) // 2]
    return {"median": middle[0], "model": middle[1], "frames": middle[2], "transform": middle[3], "each further file": statistics.median(slope)}


def rows():
    return {"cold": ("file to top-5, cold process, VideoMAE-base", cold)}
