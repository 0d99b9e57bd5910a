"""Golden values of short runs of transformers' Trainer on a tiny VideoMAE: log, state, final weights.

    python tests/train/make_golden_trainer.py > tests/train/golden_trainer.json

Weights and clips come from a formula (value below), which tests/train/tiny.c repeats: only results are stored. Needs torch
and transformers; the versions used stand in the file. A weight tensor is stored as its first four numbers, their largest
magnitude, the sum and the sum of squares.
"""
import json
import sys
import tempfile

import numpy as np
import torch
import transformers
from transformers import PrinterCallback, Trainer, TrainingArguments, VideoMAEConfig, VideoMAEForVideoClassification

CLIPS, LABELS, T, SIZE = 10, 3, 4, 16


def fnv(text):
    h = 2166136261
    for b in text.encode():
        h = (h ^ b) * 16777619 % 2**32
    return h


def value(name, n):
    """n numbers in [-1, 1), a function of name and place alone."""
    x = (np.arange(n, dtype=np.uint64) * 0x9E3779B9 + fnv(name)).astype(np.uint64) & 0xFFFFFFFF
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x ^= x >> np.uint64(shift)
        x = (x * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(16)
    return ((x >> np.uint64(8)).astype(np.float64) - 8388608) / 8388608


def file_name(name):
    """transformers 5 calls two tensors otherwise in the module than in the file."""
    return name.replace("attention.attention.query.bias", "attention.attention.q_bias").replace(
        "attention.attention.value.bias", "attention.attention.v_bias")


def model():
    config = VideoMAEConfig(
        image_size=SIZE, patch_size=8, num_frames=T, tubelet_size=2, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, num_labels=LABELS, use_mean_pooling=True, attn_implementation="eager")
    net = VideoMAEForVideoClassification(config)
    with torch.no_grad():
        for name, p in net.named_parameters():
            v = value(file_name(name), p.numel()) / 4
            if p.dim() == 1 and name.endswith(".weight"):
                v = 1 + v
            p.copy_(torch.tensor(v.astype(np.float32)).reshape(p.shape))
    return net


class Clips(torch.utils.data.Dataset):
    def __len__(self):
        return CLIPS

    def __getitem__(self, i):
        v = (2 * value(f"pixel_values.{i}", T * 3 * SIZE * SIZE)).astype(np.float32)
        return {"pixel_values": torch.tensor(v).reshape(T, 3, SIZE, SIZE), "labels": torch.tensor(i * 2 % LABELS)}


CASES = {
    "plain": {},
    "accumulate": {"gradient_accumulation_steps": 2},
    "smooth_cosine": {"label_smoothing_factor": 0.1, "lr_scheduler_type": "cosine", "train_sampling_strategy": "sequential",
                      "weight_decay": 0.0, "max_grad_norm": 0.0},
    "max_steps": {"max_steps": 7, "logging_steps": 3, "data_seed": 3, "warmup_steps": 2, "gradient_accumulation_steps": 2},
    "epochs": {"logging_strategy": "epoch", "logging_first_step": True, "num_train_epochs": 1.7, "gradient_accumulation_steps": 2,
               "lr_scheduler_type": "cosine_with_restarts", "lr_scheduler_kwargs": {"num_cycles": 2}},
}


def run(options):
    torch.manual_seed(0)
    net = model()
    settings = dict(per_device_train_batch_size=4, num_train_epochs=3, learning_rate=1e-3, weight_decay=0.05, warmup_steps=0.2,
                    logging_steps=1, seed=42)
    settings.update(options)
    with tempfile.TemporaryDirectory() as out:
        args = TrainingArguments(out, save_strategy="no", report_to="none", use_cpu=True, disable_tqdm=True,
                                 remove_unused_columns=False, **settings)
        trainer = Trainer(net, args, train_dataset=Clips())
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        trainer.save_state()
        state = json.load(open(out + "/trainer_state.json"))
    weights = {}
    for name, p in net.named_parameters():
        w = p.detach().double().flatten()
        weights[file_name(name)] = {"first": w[:4].tolist(), "max": w.abs().max().item(), "sum": w.sum().item(),
                                    "squares": (w * w).sum().item()}
    for entry in state["log_history"]:
        for key in [k for k in entry if "runtime" in k or "per_second" in k]:
            del entry[key]
    return {"options": {k: v if isinstance(v, str) else json.dumps(v) for k, v in settings.items()}, "state": state, "weights": weights}


def main():
    torch.set_num_threads(1)
    out = {"versions": {"python": sys.version.split()[0], "torch": torch.__version__, "transformers": transformers.__version__},
           "cases": {name: run(options) for name, options in CASES.items()}}
    print(json.dumps(out, indent=1))


main()
