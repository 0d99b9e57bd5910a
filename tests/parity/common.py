"""What the comparisons share: running reel, TAP lines, the error measure of the project's pages."""
import json
import os
import subprocess
import sys
import tempfile

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
REEL = os.environ.get("REEL", os.path.join(ROOT, "build", "release", "cli", "reel"))
SHARED = os.environ.get("REEL_SHARED", os.path.join(os.path.dirname(ROOT), "shared"))
WORK = tempfile.mkdtemp(prefix="reel_parity_")
torch.set_num_threads(2)
transformers.utils.logging.disable_progress_bar()

count = 0
failed = 0


def report(good, name, detail=""):
    """One TAP line."""
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {name}{': ' + detail if detail else ''}", flush=True)
    return good


def skip(name, why):
    global count
    count += 1
    print(f"ok {count} - {name} # SKIP {why}", flush=True)


def close(name, got, want, bound):
    """max|got - want| / max|want| over a tensor, at most `bound`."""
    got, want = np.asarray(got, dtype=np.float64), np.asarray(want, dtype=np.float64)
    if got.shape != want.shape:
        return report(False, name, f"shape {got.shape}, expected {want.shape}")
    largest = np.abs(want).max() if want.size else 0.0
    error = np.abs(got - want).max() / (largest if largest > 0 else 1.0) if want.size else 0.0
    return report(bool(error <= bound), name, f"relative error {error:.1e}, bound {bound:.0e}")


def reel(*args, want=0):
    """Runs the command; its output as text."""
    r = subprocess.run([REEL, *map(str, args)], capture_output=True, text=True)
    if r.returncode != want:
        raise RuntimeError(f"reel {' '.join(map(str, args))}: exit {r.returncode}\n{r.stderr}")
    return r.stdout


def reel_fails(*args):
    """What it says where it must refuse."""
    r = subprocess.run([REEL, *map(str, args)], capture_output=True, text=True)
    return r.stderr if r.returncode == 1 else f"exit {r.returncode}: {r.stderr}"


def tensors(path):
    return load_file(path)


def folder(name):
    path = os.path.join(WORK, name)
    os.makedirs(path, exist_ok=True)
    return path


def read_json(path):
    with open(path) as f:
        return json.load(f)


def finish():
    print(f"1..{count}")
    print(f"# {count - failed} of {count} agree")
    sys.exit(1 if failed else 0)
