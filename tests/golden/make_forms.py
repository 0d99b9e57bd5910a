#!/usr/bin/env python3
"""Small files as torch.save writes them, for the C tests of the reader: tests/golden/forms.

    python make_forms.py OUTDIR

state-VERSION.bin holds one tensor or more of each kind: types, views, parameters, tied tensors. Run it with an old and a current
torch (the committed ones: 1.13.1, which writes no byteorder record, and 2.15.0). A current one also writes nested.bin (a training
file), legacy.bin (the form before 1.6), and, with safetensors, values.safetensors, which has the same numbers.
"""
import collections
import os
import sys

import torch

out = sys.argv[1]


def numbers(n, dtype=torch.float32):
    return (torch.arange(n, dtype=torch.float64) * 0.75 - 3).to(dtype)


def state():
    block = numbers(24)
    tied = numbers(4)
    tensors = {
        "weight": numbers(6).reshape(2, 3), "half": numbers(5, torch.float16), "brain": numbers(5, torch.bfloat16),
        "double": numbers(5, torch.float64), "long": numbers(5, torch.int64), "int": numbers(5, torch.int32),
        "short": numbers(5, torch.int16), "char": numbers(5, torch.int8), "byte": torch.arange(5, dtype=torch.uint8),
        "bool": torch.tensor([True, False]), "scalar": torch.tensor(2.5), "counter": torch.tensor(7), "empty": torch.zeros(0, 3),
        "block": block, "view": block[5:11], "turned": numbers(6).reshape(2, 3).t(),
        "permuted": numbers(24).reshape(2, 3, 4).permute(2, 0, 1), "stepped": numbers(12).half()[1::3],
        "parameter": torch.nn.Parameter(numbers(3)), "tied.a": tied, "tied.b": tied, "name with é": numbers(1),
    }
    d = collections.OrderedDict((k, tensors[k]) for k in tensors)
    d._metadata = collections.OrderedDict([("", {"version": 1}), ("tied", {"version": 2})])
    return d


version = torch.__version__.split("+")[0]
torch.save(state(), os.path.join(out, f"state-{version}.bin"))
if int(version.split(".")[0]) > 1:
    torch.save(state(), os.path.join(out, "legacy.bin"), _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "loss": 0.5, "done": True, "note": None, "history": [1, 2.5], "shape": (2, 3), "large": 2**40,
                "module": {"module.weight": numbers(6).reshape(2, 3)}}, os.path.join(out, "nested.bin"))
    try:
        from safetensors.torch import save_file
    except ImportError:
        sys.exit("no safetensors: values.safetensors is not written")
    save_file({k: v.detach().clone().contiguous() for k, v in state().items()}, os.path.join(out, "values.safetensors"))
