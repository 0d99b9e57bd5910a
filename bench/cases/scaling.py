"""reel alone: threads, tokens, batch."""
import json
import os

from .machine import best
from .programs import measure


def few(programs, m, rounds):
    """Three passes of a forward, one of a training step, each after a first one that is not counted."""
    return measure(programs, rounds, {name: 3 if name.startswith("forward") else 1 for name in programs}, m.log)


def resized(m, frames, side):
    """The -base config with another clip."""
    path = os.path.join(m.scratch, f"base-{frames}x{side}.json")
    config = json.load(open(m.config("base")))
    config.update(num_frames=frames, image_size=side)
    json.dump(config, open(path, "w"))
    return path


def threads(m):
    c = m.config("base")
    programs = {f"{what} {precision} {n}": m.ours(c, what, 1, precision, threads=n) for what in ("forward", "train") for precision in dict.fromkeys(("fp32", best())) for n in (1, 2)}
    return few(programs, m, min(m.rounds, 2))


def tokens(m):
    programs = {}
    for side in (112, 160, 224):
        for frames in (8, 16, 32):
            c = resized(m, frames, side)
            for what in ("forward", "train"):
                programs[f"{what} {frames}x{side}"] = m.ours(c, what, 1, best())
    return few(programs, m, 1)


def batch(m):
    c = m.config("base")
    return few({f"{what} {n}": m.ours(c, what, n, best()) for what in ("forward", "train") for n in (1, 2, 4, 8)}, m, 1)


def rows():
    return {"scaling/threads": ("threads, VideoMAE-base, batch 1", threads), "scaling/tokens": (f"frames and image size, VideoMAE-base, {best()}, batch 1", tokens),
            "scaling/batch": (f"batch, VideoMAE-base, {best()}", batch)}
