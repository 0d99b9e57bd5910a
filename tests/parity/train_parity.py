"""A short training run from a packed file: reel against transformers' Trainer, step by step."""
import json
import os

import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import (Trainer, TrainerState, TrainingArguments, VideoMAEConfig, VideoMAEForVideoClassification,
                          VideoMAEImageProcessor, pipeline)

import common as c

LABELS = ["jump", "run", "walk"]


class Rows(torch.utils.data.Dataset):
    def __init__(self, pixels, labels):
        self.pixels, self.labels = pixels, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return {"pixel_values": torch.from_numpy(self.pixels[i]), "labels": int(self.labels[i])}


def make_model(path, **changes):
    torch.manual_seed(7)
    config = VideoMAEConfig(image_size=32, patch_size=8, num_frames=4, tubelet_size=2, hidden_size=48, num_hidden_layers=3,
                            num_attention_heads=4, intermediate_size=96, id2label=dict(enumerate(LABELS)),
                            label2id={k: i for i, k in enumerate(LABELS)}, **changes)
    model = VideoMAEForVideoClassification(config)
    with torch.no_grad():  # larger weights than the usual initialisation, so that every path matters
        for p in model.parameters():
            p.add_(0.05 * torch.randn_like(p))
    model.save_pretrained(path)
    VideoMAEImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(path)
    return path


def make_data(path, n=22):
    r = np.random.default_rng(3)
    pixels = r.standard_normal((n, 4, 3, 32, 32)).astype(np.float32)
    labels = r.integers(0, 3, n).astype(np.int64)
    save_file({"pixel_values": pixels, "labels": labels}, path,
              metadata={"id2label": json.dumps({str(i): k for i, k in enumerate(LABELS)}), "transform": "none"})
    return Rows(pixels, labels)


def compare(name, model_path, rows, packed, **options):
    """Same options to both; every logged loss, norm and rate, and the weights at the end."""
    out_py, out_c = c.folder(name + "_py"), os.path.join(c.WORK, name + "_c")
    model = VideoMAEForVideoClassification.from_pretrained(model_path)
    args = TrainingArguments(output_dir=out_py, logging_steps=1, save_strategy="no", eval_strategy="no", report_to="none",
                             use_cpu=True, remove_unused_columns=False, disable_tqdm=True, seed=42, **options)
    trainer = Trainer(model=model, args=args, train_dataset=rows)
    import contextlib
    import io
    with contextlib.redirect_stdout(io.StringIO()):
        trainer.train()
    flags = [x for k, v in options.items() for x in (f"--{k}", v)]
    c.reel("train", "-q", "--model", model_path, "--data", packed, "--output_dir", out_c, "--logging_steps", 1,
           "--eval_strategy", "no", "--save_strategy", "no", "--load_best_model_at_end", "false", "--seed", 42, *flags)
    want = [h for h in trainer.state.log_history if "loss" in h]
    got = [h for h in c.read_json(os.path.join(out_c, "trainer_state.json"))["log_history"] if "loss" in h]
    if not c.report(len(got) == len(want), f"{name}: steps logged", f"{len(got)} of {len(want)}"):
        return
    for key in ("loss", "grad_norm", "learning_rate", "epoch"):
        c.close(f"{name}: {key} of {len(want)} steps", [h[key] for h in got], [h[key] for h in want], 1e-4)
    saved = c.tensors(os.path.join(out_c, "model.safetensors"))
    trainer.save_model(out_py)
    theirs = c.tensors(os.path.join(out_py, "model.safetensors"))
    c.report(sorted(saved) == sorted(theirs), f"{name}: names of the saved tensors")
    worst = max(np.abs(saved[k] - theirs[k]).max() / max(np.abs(theirs[k]).max(), 1e-12) for k in theirs if k in saved)
    c.report(worst <= 1e-4, f"{name}: weights after {len(want)} steps", f"relative error {worst:.1e}")


def result_loads(name):
    """What a run leaves is a model that Python takes as it is: from_pretrained and pipeline."""
    path = os.path.join(c.WORK, name + "_c")
    model, info = VideoMAEForVideoClassification.from_pretrained(path, output_loading_info=True)
    odd = {k: sorted(v) for k, v in info.items() if v and k in ("missing_keys", "unexpected_keys", "mismatched_keys")}
    c.report(not odd, f"{name}: from_pretrained finds every tensor", str(odd) if odd else "")
    frames = np.random.default_rng(5).integers(0, 256, (4, 40, 48, 3), dtype=np.uint8)
    answer = pipeline("video-classification", model=path)(frames)
    c.report(sorted(a["label"] for a in answer) == LABELS, f"{name}: pipeline answers with the data's labels")
    state = c.read_json(os.path.join(path, "trainer_state.json"))
    c.report(TrainerState.load_from_json(os.path.join(path, "trainer_state.json")).global_step == state["global_step"],
             f"{name}: TrainerState reads trainer_state.json")


def main():
    packed = os.path.join(c.WORK, "packed.safetensors")
    rows = make_data(packed)
    mean = make_model(c.folder("mean"))
    token = make_model(c.folder("token"), use_mean_pooling=False)
    common = dict(per_device_train_batch_size=4, learning_rate=1e-3, weight_decay=0.05, warmup_steps=3)
    compare("trainer, mean pooling", mean, rows, packed, num_train_epochs=4, **common)
    result_loads("trainer, mean pooling")
    compare("trainer, token 0", token, rows, packed, num_train_epochs=2, **common)
    compare("trainer, accumulation", mean, rows, packed, num_train_epochs=2, gradient_accumulation_steps=2, **common)
    compare("trainer, cosine and smoothing", token, rows, packed, num_train_epochs=2, lr_scheduler_type="cosine",
            label_smoothing_factor=0.1, **common)
    compare("trainer, max_steps", mean, rows, packed, max_steps=7, **common)


if __name__ == "__main__":
    main()
    c.finish()
