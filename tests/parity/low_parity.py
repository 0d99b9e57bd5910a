"""bfloat16 and int8 beside torch's own bfloat16: the distance of each from float64, on the same weights and clips.

What is asserted is relative to torch: over several seeds, reel's median error is not larger than that of torch.autocast, which
is what users of bfloat16 have today. Prints the figures of model.to(bfloat16) too. PARITY_QUICK leaves out the larger shapes.

    PYTHON tests/parity/low_parity.py [--write]     --write: the table of docs/benchmarks.md"""
import contextlib
import gc
import io
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file
from transformers import Trainer, TrainingArguments, VideoMAEConfig, VideoMAEForVideoClassification, VideoMAEImageProcessor

import common as c
from train_parity import Rows

GRADIENTS = os.environ.get("REEL_GRADIENTS", os.path.join(c.ROOT, "build", "release", "tests", "parity", "reel_gradients"))
FULL = dict(image_size=224, patch_size=16, num_frames=16, tubelet_size=2)
# name: config, noise on the weights, batch, seeds
SHAPES = {
    "tiny": (dict(image_size=32, patch_size=8, num_frames=4, hidden_size=48, num_hidden_layers=3, num_attention_heads=4,
                  intermediate_size=96, num_labels=32), 0.1, 4, 15),
    "tiny, token 0": (dict(image_size=32, patch_size=8, num_frames=4, hidden_size=48, num_hidden_layers=3, num_attention_heads=4,
                           intermediate_size=96, num_labels=32, use_mean_pooling=False), 0.1, 4, 15),
    "odd sizes": (dict(image_size=30, patch_size=6, num_frames=6, tubelet_size=3, hidden_size=63, num_hidden_layers=2,
                       num_attention_heads=3, intermediate_size=101, num_labels=31), 0.1, 4, 15),
    "motions": (dict(image_size=64, patch_size=8, num_frames=8, hidden_size=192, num_hidden_layers=4, num_attention_heads=3,
                     intermediate_size=768, num_labels=32), 0.06, 2, 9),
    "small 16x224, 4 layers": (dict(**FULL, hidden_size=384, num_hidden_layers=4, num_attention_heads=6, intermediate_size=1536,
                                    num_labels=64), 0.05, 1, 5),
    "base 16x224, 2 layers": (dict(**FULL, hidden_size=768, num_hidden_layers=2, num_attention_heads=12, intermediate_size=3072,
                                   num_labels=64), 0.04, 1, 3),
}
LARGE = ("small 16x224, 4 layers", "base 16x224, 2 layers")


def make(changes, noise, seed):
    """Weights as large as training leaves them: attention is not flat, logits are not near zero."""
    torch.manual_seed(100 + seed)
    model = VideoMAEForVideoClassification(VideoMAEConfig(**changes))
    with torch.no_grad():
        for p in model.parameters():
            p.add_(noise * torch.randn_like(p))
    path = c.folder("low")
    model.eval().save_pretrained(path)
    return model, path


def clip(config, batch, seed):
    """Smooth in space, as pictures are, and moving a little; of the scale that normalising leaves."""
    g = torch.Generator().manual_seed(200 + seed)
    size = config.image_size
    coarse = torch.randn(batch, config.num_channels, 3, 5, 5, generator=g)
    px = torch.nn.functional.interpolate(coarse, size=(config.num_frames, size, size), mode="trilinear", align_corners=True)
    return (px + 0.2 * torch.randn(px.shape, generator=g)).transpose(1, 2).contiguous()


def autocast(on):
    return torch.autocast("cpu", torch.bfloat16) if on else contextlib.nullcontext()


def answers(model, px, cast):
    """logits and last_hidden_state in float64."""
    kept = {}
    hook = model.videomae.register_forward_hook(lambda m, i, o: kept.update(h=o.last_hidden_state))
    with torch.no_grad(), autocast(cast):
        logits = model(px).logits
    hook.remove()
    return {"logits": logits.double().numpy(), "last_hidden_state": kept["h"].double().numpy()}


def reel_answers(path, px, dtype):
    inp, out = os.path.join(c.WORK, "low_in.safetensors"), os.path.join(c.WORK, "low_out.safetensors")
    save_file({"pixel_values": px.numpy()}, inp)
    c.reel("forward", "--model", path, "--input", inp, "--output", out, "--hidden", "--dtype", dtype)
    return c.tensors(out)


def gradients(model, px, labels, cast=False):
    model.zero_grad(set_to_none=True)
    with autocast(cast):
        loss = model(px, labels=labels).loss
    loss.backward()
    out = {"loss": np.array([loss.item()])}
    for k, p in model.named_parameters():
        k = k.replace("attention.attention.query.bias", "attention.attention.q_bias") \
             .replace("attention.attention.value.bias", "attention.attention.v_bias")
        out[k] = p.grad.double().numpy()
    model.zero_grad(set_to_none=True)
    return out


def reel_gradients(path, px, labels, *how):
    inp, out = os.path.join(c.WORK, "low_in.safetensors"), os.path.join(c.WORK, "low_grad.safetensors")
    save_file({"pixel_values": px.numpy(), "labels": labels.numpy()}, inp)
    r = subprocess.run([GRADIENTS, path, inp, out, *how], capture_output=True, text=True)
    if r.returncode:
        raise RuntimeError(r.stderr.strip())
    return c.tensors(out)


def error(got, want):
    """Of a tensor, relative to it: root mean square, and the largest."""
    got, want = np.asarray(got, dtype=np.float64), np.asarray(want, dtype=np.float64)
    d = got - want
    return np.sqrt((d * d).mean()) / np.sqrt((want * want).mean()), np.abs(d).max() / np.abs(want).max()


def cosine(a, b):
    a, b = np.asarray(a, dtype=np.float64).ravel(), np.asarray(b, dtype=np.float64).ravel()
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def one_seed(changes, noise, batch, seed):
    """Every answer and gradient for one model and batch: {who: {what: error}}."""
    model, path = make(changes, noise, seed)
    px = clip(model.config, batch, seed)
    labels = torch.randint(model.config.num_labels, (batch,), generator=torch.Generator().manual_seed(seed))
    found = {}
    want = answers(model.double(), px.double(), False)
    slopes = gradients(model, px.double(), labels)
    model = VideoMAEForVideoClassification.from_pretrained(path).eval()
    runs = {"autocast": (answers(model, px, True), gradients(model, px, labels, True)),
            "reel": (reel_answers(path, px, "bf16"), reel_gradients(path, px, labels, "bf16"))}
    half = VideoMAEForVideoClassification.from_pretrained(path, dtype=torch.bfloat16).eval()
    runs["to(bfloat16)"] = (answers(half, px.bfloat16(), False), gradients(half, px.bfloat16(), labels))
    for who, (got, slope) in runs.items():
        found[who] = {k: error(got[k], want[k]) for k in want} | {k: error(slope[k], slopes[k]) for k in slopes}
    found["cosine"] = {"int8": cosine(reel_answers(path, px, "int8")["logits"], want["logits"]),
                       "bf16": cosine(runs["reel"][0]["logits"], want["logits"])}
    gc.collect()
    return found


def median(seeds, who, what, which):
    return float(np.median([s[who][what][which] for s in seeds]))


table = []


def compare(name, seeds):
    """reel's medians beside torch's."""
    for what in ("logits", "last_hidden_state"):
        for which, kind in ((0, "rms"), (1, "largest")):
            a, r, h = (median(seeds, who, what, which) for who in ("autocast", "reel", "to(bfloat16)"))
            c.report(r <= a, f"{name}: bf16 {what}, {kind} error", f"reel {r:.2e}, autocast {a:.2e}, to(bfloat16) {h:.2e}")
    names = [k for k in seeds[0]["reel"] if k not in ("logits", "last_hidden_state", "loss")]
    ratio = {k: median(seeds, "reel", k, 0) / median(seeds, "autocast", k, 0) for k in names}
    worst = max(ratio, key=ratio.get)
    a, r, h = (np.median([median(seeds, who, k, 0) for k in names]) for who in ("autocast", "reel", "to(bfloat16)"))
    c.report(r <= a, f"{name}: bf16 gradients, median rms error", f"reel {r:.2e}, autocast {a:.2e}, to(bfloat16) {h:.2e}")
    cells = [median(seeds, who, what, 0) for what in ("logits", "last_hidden_state") for who in ("reel", "autocast", "to(bfloat16)")]
    table.append(f"| {name} | {len(seeds)} | " + " | ".join(f"{x:.1e}" for x in (*cells, r, a, h))
                 + f" | {ratio[worst]:.2f} | {min(s['cosine']['int8'] for s in seeds):.5f} |")
    over = sorted((k for k in names if ratio[k] > 1), key=ratio.get, reverse=True)
    c.report(not over, f"{name}: bf16 gradients, each of {len(names)} tensors",
             f"worst {ratio[worst]:.2f} of autocast's error ({worst}: {median(seeds, 'reel', worst, 0):.1e})"
             + (f"; {len(over)} above: {over[:8]}" if over else ""))



# ---- a training run ----

curves = []
STEPS = 20
RUNS = {  # config, noise on the weights, learning rate, seeds
    "tiny": (dict(image_size=32, patch_size=8, num_frames=4, hidden_size=48, num_hidden_layers=3, num_attention_heads=4,
                  intermediate_size=96, num_labels=4), 0.05, 1e-3, 9),
    "motions": (dict(image_size=64, patch_size=16, num_frames=8, hidden_size=192, num_hidden_layers=4, num_attention_heads=3,
                     intermediate_size=768, num_labels=8), 0.02, 5e-4, 5),
}


def train_data(path, config, seed, n=32):
    """Clips whose label can be learned: one picture a class under noise."""
    g = torch.Generator().manual_seed(300 + seed)
    labels = torch.arange(n) % config.num_labels
    shape = (config.num_frames, config.num_channels, config.image_size, config.image_size)
    pictures = torch.randn(config.num_labels, *shape, generator=g)
    px = (0.5 * pictures[labels] + torch.randn(n, *shape, generator=g)).numpy()
    ids = {str(i): f"class {i}" for i in range(config.num_labels)}
    save_file({"pixel_values": px, "labels": labels.numpy()}, path, metadata={"id2label": json.dumps(ids), "transform": "none"})
    return px, labels.numpy()


def options(rate):
    return dict(per_device_train_batch_size=8, learning_rate=rate, weight_decay=0.05, warmup_steps=3, max_steps=STEPS)


def their_curve(path, px, labels, rate, dtype, **more):
    """Losses of Trainer's steps."""
    model = VideoMAEForVideoClassification.from_pretrained(path).to(dtype)
    args = TrainingArguments(output_dir=c.folder("low_py"), logging_steps=1, save_strategy="no", eval_strategy="no", report_to="none",
                             use_cpu=True, remove_unused_columns=False, disable_tqdm=True, seed=42, **options(rate), **more)
    trainer = Trainer(model=model, args=args, train_dataset=Rows(px.astype(np.float64 if dtype == torch.float64 else np.float32), labels))
    with contextlib.redirect_stdout(io.StringIO()):
        trainer.train()
    return np.array([h["loss"] for h in trainer.state.log_history if "loss" in h])


def our_curve(path, packed, rate, *flags):
    """Losses of reel's steps, and the bytes of the model it leaves."""
    out = os.path.join(c.WORK, "low_c")
    shutil.rmtree(out, ignore_errors=True)
    c.reel("train", "-q", "--model", path, "--data", packed, "--output_dir", out, "--logging_steps", 1, "--eval_strategy", "no",
           "--save_strategy", "no", "--load_best_model_at_end", "false", "--seed", 42,
           *(x for k, v in options(rate).items() for x in (f"--{k}", v)), *flags)
    with open(os.path.join(out, "model.safetensors"), "rb") as f:
        weights = f.read()
    history = c.read_json(os.path.join(out, "trainer_state.json"))["log_history"]
    return np.array([h["loss"] for h in history if "loss" in h]), weights


def compare_run(name, changes, noise, rate, seeds):
    """The mean distance of a run's losses from those of the same run in float64."""
    far = {"float32": [], "autocast": [], "reel": []}  # reel's float32, torch's and reel's bfloat16
    packed = os.path.join(c.WORK, "low_packed.safetensors")
    for seed in range(seeds):
        model, path = make(changes, noise, seed)
        config = model.config
        names = {i: f"class {i}" for i in range(config.num_labels)}
        model.config.id2label, model.config.label2id = names, {v: k for k, v in names.items()}
        model.save_pretrained(path)
        VideoMAEImageProcessor(size={"shortest_edge": config.image_size},
                               crop_size={"height": config.image_size, "width": config.image_size}).save_pretrained(path)
        px, labels = train_data(packed, config, seed)
        want = their_curve(path, px, labels, rate, torch.float64)
        ours, weights = our_curve(path, packed, rate, "--bf16")
        for who, got in (("float32", our_curve(path, packed, rate)[0]), ("reel", ours),
                         ("autocast", their_curve(path, px, labels, rate, torch.float32, bf16=True))):
            far[who].append(np.abs(got - want).mean())
        if seed == 0:
            again, same = our_curve(path, packed, rate, "--bf16")
            c.report(np.array_equal(again, ours) and same == weights, f"{name}: two bf16 runs give the same losses and weights")
            less, same = our_curve(path, packed, rate, "--bf16", "--gradient_checkpointing")
            c.report(np.array_equal(less, ours) and same == weights, f"{name}: so does one with gradient checkpointing")
            c.report(want[-1] < 0.7 * want[0], f"{name}: the run learns", f"loss {want[0]:.3f} to {want[-1]:.3f}")
    f, a, r = (float(np.median(far[k])) for k in ("float32", "autocast", "reel"))
    c.report(r <= a, f"{name}: bf16 loss curve of {STEPS} steps, mean distance from float64's",
             f"reel {r:.2e}, autocast {a:.2e}; float32 {f:.1e}")
    curves.append(f"| {name} | {seeds} | {f:.1e} | {r:.1e} | {a:.1e} |")


# ---- int8 ----

COSINE = 0.999        # of logits with float32's


def compare_int8(name, seeds):
    least = min(s["cosine"]["int8"] for s in seeds)
    c.report(least >= COSINE, f"{name}: int8 logits, cosine with float64's", f"least of {len(seeds)} seeds {least:.6f}")


def computes(dtype):
    """None, or why this processor does not compute in it."""
    _, path = make(SHAPES["tiny"][0], 0.1, 0)
    config = VideoMAEConfig(**SHAPES["tiny"][0])
    try:
        reel_gradients(path, clip(config, 1, 0), torch.zeros(1, dtype=torch.int64), dtype)
    except RuntimeError as e:
        return str(e)
    return None


def write_page():
    page, marks = os.path.join(c.ROOT, "docs", "benchmarks.md"), [f"<!-- tests/parity/low_parity.py: {x} -->" for x in ("begin", "end")]
    three = ("reel", "autocast", "to(bf16)")
    head = ["model", "seeds", *(f"{what}: {who}" for what in ("logits", "hidden", "gradients") for who in three),
            "worst gradient, reel / autocast", "int8: least cosine of logits"]
    block = "\n".join([
        marks[0], f"torch {torch.__version__}, transformers {transformers.__version__}. Root mean square of the difference from float64, relative to the"
        " tensor's; medians over seeds; of gradients also the median over tensors. Worst gradient: the tensor whose error is nearest to autocast's.", "",
        "| " + " | ".join(head) + " |", "|---" * len(head) + "|", *table, "",
        f"Mean distance of the losses of a run of {STEPS} steps from those of the same run in float64:", "",
        "| run | seeds | reel float32 | reel bf16 | autocast |", "|---|---|---|---|---|", *curves, marks[1]])
    with open(page) as f:
        text = f.read()
    if marks[0] in text:
        text = text[:text.index(marks[0])] + block + text[text.index(marks[1]) + len(marks[1]):]
    else:
        text = text.rstrip("\n") + "\n\n## How exact bfloat16 and int8 are\n\n" + block + "\n"
    with open(page, "w") as f:
        f.write(text)


def main():
    why = computes("bf16")
    if why:
        c.skip("bfloat16 beside torch's", why)
        return
    for name, (changes, noise, batch, seeds) in SHAPES.items():
        if name in LARGE and os.environ.get("PARITY_QUICK"):
            c.skip(name, "PARITY_QUICK is set")
            continue
        found = [one_seed(changes, noise, batch, s) for s in range(seeds)]
        compare(name, found)
        compare_int8(name, found)
    for name, (changes, noise, rate, seeds) in RUNS.items():
        compare_run(f"run, {name}", changes, noise, rate, seeds)


if __name__ == "__main__":
    main()
    if "--write" in sys.argv and not c.failed and curves:
        write_page()
    c.finish()
