#!/usr/bin/env python3
"""Golden values of the video classification models, for the C unit tests.

    python make_golden.py [OUTDIR] [--case NAME ...] [--list]

Needs a virtual environment with `transformers`, `torch`, `safetensors` (versions: metadata of the files). About 5 s, nearly all
of it imports. No network and no random numbers but torch's own: every weight and every input of a case comes from the integer
formula in `fill`, which the C tests have too, so that no file holds them.

One safetensors file a case (names in the file are the names a saved checkpoint has):

    out/logits out/last_hidden_state out/loss
    grad/NAME                gradient of the loss, no clipping
    traj/loss traj/grad_norm traj/lr     5 optimizer steps, values before each update
    final/NAME               weights after the 5 steps

Metadata of the file: format, case, architecture, config (the text of config.json), optimizer, versions.

The trajectory is what Trainer does in fp32: forward, backward, clip to 1.0, AdamW (fused, decoupled decay), schedule
step, zero the gradients. lr 1e-3, betas 0.9/0.999, eps 1e-8, decay 0.05 on the names Trainer decays, linear
schedule with 2 warm-up steps of 5.

Further files: init_*.safetensors (weights as drawn from seed 42: `all/NAME` from the config, `head/NAME` where only the head is
new), dtypes.safetensors (one tensor of each type, as the reference library orders and pads them), config.json (as
save_pretrained writes it).

Only the cases whose architecture is done are made by default; the others wait in the list.
"""
import argparse
import json
import os
import shutil
import sys
import tempfile
import time

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import torch
import transformers
from safetensors.torch import save_file

torch.set_num_threads(1)
K = 3            # classes
B = 2            # clips in a batch
STEPS = 5
LR, WD, WARMUP, CLIP = 1e-3, 0.05, 2, 1.0
DONE = ["videomae", "videomae_cls", "videomae_multilabel", "videomae_regression", "videomae_smooth"]


def versions():
    return f"transformers {transformers.__version__}, torch {torch.__version__}"


# ---------------------------------------------------------------- inputs from a formula
def fnv1a(text):
    h = 2166136261
    for c in text.encode():
        h = ((h ^ c) * 16777619) & 0xFFFFFFFF
    return h


def fill(name, count):
    """`count` doubles in [-1,1), multiples of 2^-23: a hash of (name, index)."""
    x = (np.arange(count, dtype=np.uint64) * 0x9E3779B9 + fnv1a(name)) & 0xFFFFFFFF
    x ^= x >> 16
    x = (x * 0x85EBCA6B) & 0xFFFFFFFF
    x ^= x >> 13
    x = (x * 0xC2B2AE35) & 0xFFFFFFFF
    x ^= x >> 16
    return ((x >> 8).astype(np.float64) - 8388608.0) / 8388608.0


def make(name, shape, scale, offset=0.0):
    v = fill(name, int(np.prod(shape)))
    return torch.from_numpy((offset + scale * v).astype(np.float32).reshape(shape))


def weight_value(name, shape):
    """1-D tensors called *.weight are norms: 1 + v/4; everything else v/4."""
    if len(shape) == 1 and name.endswith(".weight"):
        return make(name, shape, 0.25, 1.0)
    return make(name, shape, 0.25)


# ---------------------------------------------------------------- cases
def cases():
    t = transformers
    vm = dict(image_size=8, patch_size=4, num_frames=4, tubelet_size=2, hidden_size=12, num_hidden_layers=2,
              num_attention_heads=2, intermediate_size=24)
    dec = dict(decoder_num_attention_heads=2, decoder_hidden_size=8, decoder_num_hidden_layers=2,
               decoder_intermediate_size=16)
    ts = dict(image_size=8, patch_size=4, num_frames=3, hidden_size=12, num_hidden_layers=2, num_attention_heads=2,
              intermediate_size=24)
    vv = dict(image_size=8, tubelet_size=[2, 4, 4], num_frames=4, hidden_size=12, num_hidden_layers=2,
              num_attention_heads=2, intermediate_size=24)
    vj = dict(crop_size=8, patch_size=4, frames_per_clip=4, tubelet_size=2, num_hidden_layers=2, mlp_ratio=2.0,
              pred_hidden_size=8, pred_num_attention_heads=1, pred_num_hidden_layers=1, pred_num_mask_tokens=2)
    V, P = t.VideoMAEForVideoClassification, t.VideoMAEForPreTraining
    T, W, J = t.TimesformerForVideoClassification, t.VivitForVideoClassification, t.VJEPA2ForVideoClassification
    c = {}

    def add(name, cls, cfg, frames, size, kind="single", **extra):
        c[name] = dict(cls=cls, cfg=cfg, frames=frames, size=size, kind=kind, **extra)

    add("videomae", V, t.VideoMAEConfig(**vm, num_labels=K), 4, (8, 8))
    add("videomae_cls", V, t.VideoMAEConfig(**vm, num_labels=K, use_mean_pooling=False, qv_bias=False), 4, (8, 8))
    add("videomae_multilabel", V, t.VideoMAEConfig(**vm, num_labels=K, problem_type="multi_label_classification"),
        4, (8, 8), "multi")
    add("videomae_regression", V, t.VideoMAEConfig(**vm, num_labels=1), 4, (8, 8), "regression")
    add("videomae_smooth", V, t.VideoMAEConfig(**vm, num_labels=K), 4, (8, 8), smooth=0.1)
    # the published pre-training files have no mean pooling, so the encoder ends with a norm
    add("videomae_pretrain", P, t.VideoMAEConfig(**vm, **dec, use_mean_pooling=False), 4, (8, 8), "mask")
    add("videomae_pretrain_raw", P, t.VideoMAEConfig(**vm, **dec, norm_pix_loss=False), 4, (8, 8), "mask")
    add("timesformer_divided", T, t.TimesformerConfig(**ts, num_labels=K), 3, (8, 8))
    add("timesformer_joint", T, t.TimesformerConfig(**ts, num_labels=K, attention_type="joint_space_time"), 3, (8, 8))
    add("timesformer_space", T, t.TimesformerConfig(**ts, num_labels=K, attention_type="space_only"), 3, (8, 8))
    add("timesformer_joint_resized", T, t.TimesformerConfig(**ts, num_labels=K, attention_type="joint_space_time"),
        5, (12, 16))
    add("vivit", W, t.VivitConfig(**vv, num_labels=K), 4, (8, 8))
    # head size 14: three rotary groups of 4 and 2 channels that stay as they are; head size 8: groups of 2
    add("vjepa2", J, t.VJEPA2Config(**vj, num_labels=K, hidden_size=14, num_attention_heads=1, num_pooler_layers=1),
        4, (8, 8))
    add("vjepa2_heads", J, t.VJEPA2Config(**vj, num_labels=K, hidden_size=16, num_attention_heads=2,
                                          num_pooler_layers=2), 4, (8, 8))
    return c


def file_names(model):
    """module parameter name -> name in a saved file"""
    sd = {k: p.detach() for k, p in model.named_parameters()}
    try:
        from transformers.core_model_loading import revert_weight_conversion
    except ImportError:                      # releases before 5: no conversion
        return {k: k for k in sd}
    back = revert_weight_conversion(model, dict(sd))
    ptr = {v.data_ptr(): k for k, v in back.items()}
    return {k: ptr[v.data_ptr()] for k, v in sd.items()}


def build(spec):
    import copy
    torch.manual_seed(0)
    cfg = copy.deepcopy(spec["cfg"])
    model = spec["cls"](cfg)
    names = file_names(model)
    with torch.no_grad():
        for k, p in model.named_parameters():
            p.copy_(weight_value(names[k], tuple(p.shape)))
    model.train()                            # all dropout probabilities are 0
    return model, names


def batch(spec, model, step):
    h, w = spec["size"]
    px = make(f"pixel_values.{step}", (B, spec["frames"], 3, h, w), 2.0)
    kind = spec["kind"]
    if kind == "mask":
        n = model.videomae.embeddings.num_patches
        per = n // (spec["frames"] // model.config.tubelet_size)
        m = np.zeros((B, n), dtype=bool)     # a tube: the same places in every time slice
        for b in range(B):
            for p in range(per):
                m[b, p::per] = (p + b + step) % per != 0
        return px, torch.from_numpy(m)
    if kind == "multi":
        return px, (make(f"labels.{step}", (B, K), 1.0) >= 0).float()
    if kind == "regression":
        return px, make(f"labels.{step}", (B,), 1.0)
    lab = torch.tensor([(2 * b + step + 1) % K for b in range(B)], dtype=torch.long)
    if getattr(model.config, "attention_type", "") == "space_only":
        lab = lab.repeat_interleave(spec["frames"])    # this model gives one row of logits a frame
    return px, lab


def call(spec, model, px, lab):
    main = model.main_input_name
    if spec["kind"] == "mask":
        out = model(**{main: px, "bool_masked_pos": lab})
        return out.loss, out.logits
    if spec.get("smooth"):
        from transformers.trainer_pt_utils import LabelSmoother
        out = model(**{main: px})
        return LabelSmoother(epsilon=spec["smooth"])(out, lab), out.logits
    out = model(**{main: px, "labels": lab})
    return out.loss, out.logits


def hidden(spec, model, px, lab):
    base = getattr(model, model.base_model_prefix)
    kw = {}
    if spec["kind"] == "mask":
        kw["bool_masked_pos"] = lab
    if model.base_model_prefix == "vjepa2":
        kw["skip_predictor"] = True
    with torch.no_grad():
        return base(px, **kw).last_hidden_state


def optimizer(model):
    from transformers.trainer_pt_utils import get_parameter_names
    pats = [r"bias", r"layernorm", r"rmsnorm", r"(?:^|\.)norm(?:$|\.)", r"_norm(?:$|\.)"]
    decay = set(get_parameter_names(model, [torch.nn.LayerNorm], pats))
    groups = [{"params": [p for n, p in model.named_parameters() if n in decay], "weight_decay": WD},
              {"params": [p for n, p in model.named_parameters() if n not in decay], "weight_decay": 0.0}]
    opt = torch.optim.AdamW(groups, lr=LR, betas=(0.9, 0.999), eps=1e-8, fused=True)
    sched = transformers.get_linear_schedule_with_warmup(opt, WARMUP, STEPS)
    return opt, sched, decay


def run(name, spec, outdir):
    t0 = time.time()
    model, names = build(spec)
    tensors = {}
    px, lab = batch(spec, model, 0)
    loss, logits = call(spec, model, px, lab)
    loss.backward()
    tensors["out/logits"] = logits.detach().clone()
    tensors["out/loss"] = loss.detach().reshape(1).clone()
    tensors["out/last_hidden_state"] = hidden(spec, model, px, lab).clone()
    unused = []
    for k, p in model.named_parameters():
        if p.grad is None:
            unused.append(names[k])
        else:
            tensors["grad/" + names[k]] = p.grad.clone()
    model.zero_grad()
    opt, sched, decay = optimizer(model)
    traj = {"loss": [], "grad_norm": [], "lr": []}
    for s in range(STEPS):
        px, lab = batch(spec, model, s)
        loss, _ = call(spec, model, px, lab)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        traj["loss"].append(loss.detach())
        traj["grad_norm"].append(norm.detach())
        traj["lr"].append(torch.tensor(sched.get_last_lr()[0]))
        opt.step()
        sched.step()
        model.zero_grad()
    for k, v in traj.items():
        tensors["traj/" + k] = torch.stack(v)
    for k, p in model.named_parameters():
        tensors["final/" + names[k]] = p.detach().clone()
    model.config.architectures = [type(model).__name__]
    meta = {"format": "pt", "case": name, "architecture": type(model).__name__,
            "config": model.config.to_json_string(),
            "optimizer": json.dumps({"lr": LR, "weight_decay": WD, "warmup": WARMUP, "steps": STEPS,
                                     "max_grad_norm": CLIP, "betas": [0.9, 0.999], "eps": 1e-8,
                                     "label_smoothing": spec.get("smooth", 0.0),
                                     "decay": sorted(names[d] for d in decay), "no_grad": unused}),
            "versions": versions()}
    path = os.path.join(outdir, name + ".safetensors")
    save_file({k: v.contiguous() for k, v in tensors.items()}, path, metadata=meta)
    return dict(path=path, size=os.path.getsize(path), tensors=tensors, names=names, seconds=time.time() - t0,
                params=sum(p.numel() for p in model.parameters()), unused=unused)


# ---------------------------------------------------------------- new weights, file layout, config
def initial(outdir):
    """Weights as transformers draws them after torch.manual_seed(42). The second model has matrices of fewer than 16 numbers,
    which torch draws in another way."""
    t = transformers
    sizes = {"init_videomae": dict(image_size=8, patch_size=4, num_frames=4, tubelet_size=2, hidden_size=12,
                                   num_hidden_layers=2, num_attention_heads=2, intermediate_size=26, num_labels=5),
             "init_videomae_tiny": dict(image_size=4, patch_size=2, num_frames=2, tubelet_size=1, num_channels=3,
                                        hidden_size=3, num_hidden_layers=2, num_attention_heads=1, intermediate_size=5,
                                        num_labels=4, use_mean_pooling=False, qv_bias=False)}
    for name, size in sizes.items():
        torch.manual_seed(42)
        model = t.VideoMAEForVideoClassification(t.VideoMAEConfig(**size))
        names = file_names(model)
        tensors = {"all/" + names[k]: p.detach().clone() for k, p in model.named_parameters()}
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            torch.manual_seed(42)
            other = t.VideoMAEForVideoClassification.from_pretrained(folder, num_labels=7, ignore_mismatched_sizes=True)
        tensors["head/classifier.weight"] = other.classifier.weight.detach().clone()
        tensors["head/classifier.bias"] = other.classifier.bias.detach().clone()
        save_file(tensors, os.path.join(outdir, name + ".safetensors"),
                  metadata={"format": "pt", "config": model.config.to_json_string(), "versions": versions()})


def layout(outdir):
    kinds = ["bool", "uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "bfloat16",
             "float32", "float64", "float8_e5m2", "float8_e4m3fn", "float8_e8m0fnu", "float8_e5m2fnuz", "float8_e4m3fnuz", "complex64"]
    tensors = {f"{k}.{i}": torch.ones(1 + i, dtype=getattr(torch, k)) for k in kinds for i in range(2)}
    tensors['quoted "\\ \u00e9'] = torch.ones(2, 3)
    tensors["empty"] = torch.ones(0, 4)
    tensors["scalar"] = torch.ones(())
    save_file(tensors, os.path.join(outdir, "dtypes.safetensors"), metadata={"format": "pt"})


def config_text(outdir):
    """Twelve labels: their ids are sorted as numbers."""
    t = transformers
    labels = [f"class {chr(ord('l') - i)}" for i in range(12)]
    config = t.VideoMAEConfig(image_size=8, patch_size=4, num_frames=4, hidden_size=12, num_hidden_layers=1,
                              num_attention_heads=2, intermediate_size=24, id2label=dict(enumerate(labels)),
                              label2id={k: i for i, k in enumerate(labels)}, problem_type="single_label_classification")
    model = t.VideoMAEForVideoClassification(config)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        shutil.copy(os.path.join(folder, "config.json"), os.path.join(outdir, "config.json"))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("outdir", nargs="?", default=os.path.dirname(os.path.abspath(__file__)))
    ap.add_argument("--case", nargs="*")
    ap.add_argument("--list", action="store_true")
    a = ap.parse_args()
    allc = cases()
    if a.list:
        print("\n".join(allc))
        return 0
    os.makedirs(a.outdir, exist_ok=True)
    initial(a.outdir)
    layout(a.outdir)
    config_text(a.outdir)
    print(f"{'case':28}{'params':>8}{'bytes':>9}{'loss':>12}{'grad norm':>12}{'loss 5':>12}{'s':>6}")
    for name, spec in allc.items():
        if name not in (a.case or DONE):
            continue
        r = run(name, spec, a.outdir)
        t = r["tensors"]
        print(f"{name:28}{r['params']:8}{r['size']:9}{t['out/loss'].item():12.6f}{t['traj/grad_norm'][0].item():12.6f}"
              f"{t['traj/loss'][-1].item():12.6f}{r['seconds']:6.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
