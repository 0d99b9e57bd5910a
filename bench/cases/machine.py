"""Where and with what a row is measured: build folder, scratch folder, processor, versions."""
import datetime
import importlib.metadata
import os
import platform
import sys

from .programs import HERE, Once, Limit, Resident, call

THREADS = 2
PACKAGES = ("torch", "transformers", "openvino", "nncf", "torchvision", "pytorchvideo", "av", "torchcodec", "decord")


class Machine:
    def __init__(self, build, rounds, log):
        self.build, self.rounds, self.log, self.threads = os.path.abspath(build), rounds, log, THREADS
        self.scratch = os.path.join(self.build, "bench", "scratch")
        os.makedirs(self.scratch, exist_ok=True)

    def program(self, name):
        return os.path.join(self.build, "cli" if name == "reel" else "bench", name)

    def reel(self, *arguments, timeout=900):
        return call(self.program("reel"), *arguments, "--threads", self.threads, timeout=timeout)

    def config(self, size):
        return os.path.join(HERE, "configs", f"videomae-{size}.json")

    def ours(self, config, what, batch, precision="fp32", checkpointing=False, threads=None):
        command = [self.program("bench_model"), config, what, batch, "PASSES", threads or self.threads, precision]
        return Once([str(c) for c in command] + (["checkpointing"] if checkpointing else []))

    def limit(self, size, what, batch, precision="fp32"):
        return Limit([str(c) for c in (self.program("bench_limit"), size, batch, "PASSES", self.threads)] +
                     ([] if precision == "fp32" else [precision]), what, precision)

    def torch(self, config, what, batch, mode="fp32"):
        return Resident("peer_torch.py", config, what, batch, self.threads, mode)

    def openvino(self, config, batch, mode="fp32"):
        return Resident("peer_openvino.py", config, batch, self.threads, mode, self.scratch)


def processor():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def flags():
    line = next((l for l in open("/proc/cpuinfo") if l.startswith("flags")), "")
    return set(line.split(":", 1)[-1].split())


def extensions():
    names = [("avx2", "AVX2"), ("avx512f", "AVX-512"), ("avx512_vnni", "VNNI"), ("avx512_bf16", "bf16"), ("amx_tile", "AMX")]
    return ", ".join(n for f, n in names if f in flags())


def kind():
    """Which column of the demands holds besides the first: amx, bf16 (AVX-512 with bf16, no AMX) or any."""
    have = flags()
    return "amx" if "amx_tile" in have else "bf16" if "avx512_bf16" in have else "any"


def best():
    """What --bf16 computes in on this processor (models/precision.c says the rule exactly; Intel's without AMX are told apart there)."""
    return "fp32" if kind() == "any" else "bf16"


def versions():
    out = {"python": platform.python_version()}
    for p in PACKAGES:
        try:
            out[p] = importlib.metadata.version(p)
        except importlib.metadata.PackageNotFoundError:
            out[p] = None
    return out


def header():
    return {"processor": f"{processor()} ({extensions()})", "kind": kind(), "cores": os.cpu_count(),
            "date": datetime.datetime.now().strftime("%Y-%m-%d %H:%M"), "versions": versions(), "python": sys.version.split()[0]}
