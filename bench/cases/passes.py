"""Forward and training step, beside the limit and every peer."""
from .programs import measure


def forward_fp32(size):
    def run(m):
        c = m.config(size)
        return measure({"reel": m.ours(c, "forward", 1), "limit": m.limit(size, "forward", 1), "OpenVINO": m.openvino(c, 1),
                        "PyTorch": m.torch(c, "forward", 1)}, m.rounds, 3, m.log)
    return run


def forward_bf16(size):
    def run(m):
        c = m.config(size)
        return measure({"reel": m.ours(c, "forward", 1, "bf16"), "limit": m.limit(size, "forward", 1, "bf16"),
                        "OpenVINO": m.openvino(c, 1, "bf16"), "PyTorch bf16": m.torch(c, "forward", 1, "bf16"),
                        "PyTorch autocast": m.torch(c, "forward", 1, "autocast"), "PyTorch compiled": m.torch(c, "forward", 1, "compile"),
                        "reel fp32": m.ours(c, "forward", 1)}, m.rounds, 3, m.log)
    return run


def forward_int8(size):
    def run(m):
        c = m.config(size)
        return measure({"reel": m.ours(c, "forward", 1, "int8"), "reel bf16": m.ours(c, "forward", 1, "bf16"),
                        "OpenVINO": m.openvino(c, 1, "int8"), "OpenVINO, rest bf16": m.openvino(c, 1, "int8-bf16"),
                        "PyTorch dynamic": m.torch(c, "forward", 1, "int8")}, m.rounds, 3, m.log)
    return run


def training(size, batch, precision):
    def run(m):
        c = m.config(size)
        long = size == "base" and batch > 1
        return measure({"reel": m.ours(c, "train", batch, precision), "limit": m.limit(size, "train", batch, precision),
                        "PyTorch": m.torch(c, "train", batch, precision)}, m.rounds, {"reel": 1 if long else 2, "limit": 2, "PyTorch": 1 if long else 2}, m.log)
    return run


def memory(m):
    """A bf16 training step of four clips, plain and with gradient checkpointing, both sides: peak of the whole process, and time."""
    c, rounds = m.config("base"), min(m.rounds, 2)
    return measure({"reel": m.ours(c, "train", 4, "bf16"), "reel, checkpointing": m.ours(c, "train", 4, "bf16", True),
                    "PyTorch": m.torch(c, "train", 4, "bf16"), "PyTorch, checkpointing": m.torch(c, "train", 4, "bf16-checkpointing")}, rounds, 1, m.log)


def rows():
    out = {}
    for size in ("base", "small"):
        out[f"forward/fp32/{size}"] = (f"fp32 forward, VideoMAE-{size}", forward_fp32(size))
    for size in ("base", "small"):
        out[f"forward/bf16/{size}"] = (f"bf16 forward, VideoMAE-{size}", forward_bf16(size))
    for size in ("base", "small"):
        out[f"forward/int8/{size}"] = (f"int8 forward, VideoMAE-{size}", forward_int8(size))
    for precision in ("fp32", "bf16"):
        for size in ("base", "small"):
            for batch in (1, 4):
                out[f"training/{precision}/{size}/{batch}"] = (f"training step {precision}, VideoMAE-{size}, batch {batch}", training(size, batch, precision))
    out["memory"] = ("peak memory of a bf16 training step, VideoMAE-base, batch 4", memory)
    return out
