"""What was asked for, and whether it is reached: rows of (row, what, asked, figure, reached or None where a program did not run).

Demands hold on any processor, or besides on one with AMX, or on one with AVX-512 bf16 and no AMX (machine.kind)."""
from .programs import fastest, ratio

PEERS_BF16 = ("OpenVINO", "PyTorch bf16", "PyTorch autocast", "PyTorch compiled")
EAGER_BF16 = ("PyTorch bf16", "PyTorch autocast")
PEERS_INT8 = ("OpenVINO", "OpenVINO, rest bf16")
DECODERS = ("pyav", "torchcodec", "decord")


class Claims:
    def __init__(self, kind):
        self.kind, self.rows = kind, []

    def least(self, row, what, value, asked, column="any", strict=False):
        """value (a ratio, more is better) is to be at least `asked`, or above it."""
        if column in ("any", self.kind):
            reached = None if value is None else value > asked if strict else value >= asked
            self.rows.append((row, what, f"{'above' if strict else 'at least'} {asked:g}", "not run" if value is None else f"{value:.2f}", reached))

    def most(self, row, what, value, asked, strict=False):
        reached = None if value is None else value < asked if strict else value <= asked
        self.rows.append((row, what, f"{'below' if strict else 'at most'} {asked:g}", "not run" if value is None else f"{value:.2f}", reached))


def forward(c, got, row):
    r = got[row]["result"]
    precision, title = row.split("/")[1], got[row]["title"]
    if precision == "fp32":
        c.least(title, "share of the limit", ratio(r, "limit", "reel"), 0.85)
        c.least(title, "times OpenVINO fp32", ratio(r, "OpenVINO", "reel"), 1)
        c.least(title, "times PyTorch", ratio(r, "PyTorch", "reel"), 2.2, "bf16")
    elif precision == "bf16":
        best = fastest(r, PEERS_BF16)
        c.least(title, f"times the fastest peer ({best})", best and ratio(r, best, "reel"), 1, strict=True)
        c.least(title, f"times the fastest peer ({best})", best and ratio(r, best, "reel"), 1.4, "amx")
        c.least(title, "share of the limit", ratio(r, "limit", "reel"), 1, "amx", strict=True)
        c.least(title, "share of the limit", ratio(r, "limit", "reel"), 0.83, "bf16")
        eager = fastest(r, EAGER_BF16)
        c.least(title, f"times {eager or 'PyTorch'}", eager and ratio(r, eager, "reel"), 2, "bf16")
    else:
        best = fastest(r, PEERS_INT8)
        c.least(title, f"times the faster OpenVINO ({best})", best and ratio(r, best, "reel"), 1, strict=True)
        c.least(title, f"times the faster OpenVINO ({best})", best and ratio(r, best, "reel"), 2, "amx")
        c.least(title, "times reel bf16", ratio(r, "reel bf16", "reel"), 1, strict=True)
        c.least(title, "times PyTorch dynamic int8", ratio(r, "PyTorch dynamic", "reel"), 2.4, "bf16")


def accuracy(c, got, row):
    r = got[row]["result"]
    for dtype in ("int8", "bf16"):
        c.rows.append((f"{dtype} beside fp32, {r['clips']} test clips", "top-1 agreement", "at least 99 %", f"{100 * r[dtype]['agreement']:.2f} %", r[dtype]["agreement"] >= 0.99))
        c.rows.append((f"{dtype} beside fp32, {r['clips']} test clips", "least cosine of logits", "at least 0.999", f"{r[dtype]['least cosine']:.5f}", r[dtype]["least cosine"] >= 0.999))


def training(c, got, row):
    r, title = got[row]["result"], got[row]["title"]
    if "fp32" in row:
        c.least(title, "share of the limit", ratio(r, "limit", "reel"), 0.80)
        c.least(title, "times PyTorch", ratio(r, "PyTorch", "reel"), 1.5, "amx")
        c.least(title, "times PyTorch", ratio(r, "PyTorch", "reel"), 2.3, "bf16")
    else:
        c.least(title, "times PyTorch", ratio(r, "PyTorch", "reel"), 1, strict=True)
        c.least(title, "times PyTorch", ratio(r, "PyTorch", "reel"), 2.5, "amx")
        c.least(title, "times PyTorch", ratio(r, "PyTorch", "reel"), 2, "bf16")


def part(r, over, under, key="peak_mib"):
    a, b = r.get(over, {}).get(key), r.get(under, {}).get(key)
    return a / b if a and b else None


def memory(c, got, row):
    r, title = got[row]["result"], got[row]["title"]
    c.most(title, "of PyTorch's", part(r, "reel", "PyTorch"), 0.55)
    c.most(title, "of PyTorch's, checkpointing both", part(r, "reel, checkpointing", "PyTorch, checkpointing"), 0.65)
    c.most(title, "time with checkpointing by time without", ratio(r, "reel, checkpointing", "reel"), 1.3)


def cold(c, got, row):
    r, title = got[row]["result"], got[row]["title"]
    c.least(title, "fp32, times pipeline", ratio(r, "pipeline", "reel"), 4)
    c.least(title, "fp32, times pipeline", ratio(r, "pipeline", "reel"), 6, "bf16")
    c.most(title, "bf16 from a bf16 file, by its own warm time", part({"cold": r["reel bf16"], "warm": r["warm"]}, "cold", "warm", "median"), 1.4, strict=True)


def decoding(c, got, row):
    for case, r in got[row]["result"].items():
        if case.endswith("files"):
            c.least(f"16 frames of each of several files, {case.split()[0]}", "throughput, times torchcodec's", ratio(r, "torchcodec", "reel"), 1.5)
        else:
            best = fastest(r, DECODERS)
            what = "16 uniform frames" if case.endswith("uniform") else "a clip of 2.13 s"
            c.most(f"{what}, {case.split()[0]}", f"time by the fastest's ({best})", best and ratio(r, "reel", best), 0.75 if case.startswith("avi") else 0.85)


def transforms(c, got, row):
    for case, r in got[row]["result"].items():
        peer = fastest(r, [n for n in r if n != "reel"])
        if case in ("train", "eval"):
            c.least(f"guide's {case} transform", f"times {peer or 'torchvision'}", peer and ratio(r, peer, "reel"), 8)


def finetuning(c, got, row):
    r, title = got[row]["result"], got[row]["title"]
    c.least(title, "times Trainer + PyTorchVideo", ratio(r, "Trainer", "reel"), 3)
    a, b = r["reel"]["accuracy"], r["Trainer"]["accuracy"]
    if a and b:
        spread, apart = max(max(a) - min(a), max(b) - min(b)), sum(a) / len(a) - sum(b) / len(b)
        c.rows.append((title, "reel's mean test accuracy less Trainer's", f"not below the spread of seeds, -{spread:.3f}", f"{apart:+.3f}", apart >= -spread))


FOR = {"forward": forward, "accuracy": accuracy, "training": training, "memory": memory, "cold": cold, "decoding": decoding, "transforms": transforms,
       "finetuning": finetuning}


def claims(got, kind):
    c = Claims(kind)
    for row in got:
        make = FOR.get(row.split("/")[0])
        if make and "result" in got[row]:
            make(c, got, row)
    return c.rows
