"""Models against transformers: logits, hidden states, gradients, new weights, and checkpoints in both directions."""
import json
import os
import subprocess

import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import (AutoModelForVideoClassification, VideoMAEConfig, VideoMAEForPreTraining,
                          VideoMAEForVideoClassification, VideoMAEImageProcessor)

import common as c

GRADIENTS = os.environ.get("REEL_GRADIENTS", os.path.join(c.ROOT, "build", "release", "tests", "parity", "reel_gradients"))
BOUND = 1e-4          # the project's bound for float32; seen: some 1e-6
SMALL = dict(image_size=32, patch_size=8, num_frames=4, tubelet_size=2, hidden_size=48, num_hidden_layers=3,
             num_attention_heads=4, intermediate_size=96, num_labels=5)
SHAPES = {
    "mean pooling": {},
    "token 0": dict(use_mean_pooling=False),
    "no q and v bias": dict(qv_bias=False),
    "one head, one label": dict(num_attention_heads=1, num_labels=1),
    "odd sizes": dict(hidden_size=21, num_attention_heads=3, intermediate_size=37, image_size=30, patch_size=6, num_frames=6,
                      tubelet_size=3, num_labels=11),
    "wide picture": dict(image_size=[24, 40]),
    "remainders": dict(image_size=37, patch_size=8, num_frames=5),
    "one channel": dict(num_channels=1),
    "tanh GELU": dict(hidden_act="gelu_fast"),
    "quick GELU": dict(hidden_act="quick_gelu"),
    "relu": dict(hidden_act="relu"),
    "silu": dict(hidden_act="silu"),
    "larger eps": dict(layer_norm_eps=1e-3),
    "many tokens": dict(image_size=128, patch_size=4, num_hidden_layers=1, hidden_size=16, num_attention_heads=2),
}


def settle(model):
    """Larger weights than new ones, so that every path matters, and reproducible."""
    torch.manual_seed(5)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.05 * torch.randn_like(p))
    return model.eval()


def make(name, cls=VideoMAEForVideoClassification, **changes):
    config = VideoMAEConfig(**{**SMALL, **changes})
    model = settle(cls(config))
    path = c.folder("model_" + name.replace(" ", "_"))
    model.save_pretrained(path)
    size = config.image_size if isinstance(config.image_size, (list, tuple)) else [config.image_size] * 2
    VideoMAEImageProcessor(size={"shortest_edge": min(size)}, crop_size={"height": size[0], "width": size[1]}) \
        .save_pretrained(path)
    return model, path, size


def pixels(config, size, batch):
    torch.manual_seed(6)
    return torch.randn(batch, config.num_frames, config.num_channels, *size)


def forward(path, px, *flags):
    inp, out = os.path.join(c.WORK, "in.safetensors"), os.path.join(c.WORK, "out.safetensors")
    save_file({"pixel_values": px.numpy()}, inp)
    c.reel("forward", "--model", path, "--input", inp, "--output", out, *flags)
    return c.tensors(out)


def reference(model, px):
    with torch.no_grad():
        return model(px).logits.numpy(), model.videomae(px).last_hidden_state.numpy()


def compare_forward(name, model, path, size, batch=3):
    px = pixels(model.config, size, batch)
    logits, hidden = reference(model, px)
    got = forward(path, px, "--hidden", "--batch_size", 2)
    c.close(f"{name}: logits", got["logits"], logits, BOUND)
    c.close(f"{name}: last_hidden_state", got["last_hidden_state"], hidden, BOUND)


def compare_gradients(name, model, path, size, batch=2):
    """Of the cross entropy; reel's file has the names of a saved checkpoint."""
    if model.config.num_labels < 2:
        return
    px = pixels(model.config, size, batch)
    labels = torch.arange(batch) % model.config.num_labels
    model.zero_grad()
    loss = model(px, labels=labels).loss
    loss.backward()
    inp, out = os.path.join(c.WORK, "in.safetensors"), os.path.join(c.WORK, "grad.safetensors")
    save_file({"pixel_values": px.numpy(), "labels": labels.numpy()}, inp)
    r = subprocess.run([GRADIENTS, path, inp, out], capture_output=True, text=True)
    if r.returncode:
        c.report(False, f"{name}: gradients", r.stderr.strip())
        return
    got = c.tensors(out)
    c.close(f"{name}: loss", got["loss"], [loss.item()], BOUND)
    worst, where = 0.0, ""
    for k, p in model.named_parameters():
        k = k.replace("attention.attention.query.bias", "attention.attention.q_bias") \
             .replace("attention.attention.value.bias", "attention.attention.v_bias")
        error = np.abs(got[k] - p.grad.numpy()).max() / max(p.grad.abs().max().item(), 1e-12)
        if not error <= worst:
            worst, where = error, k
    c.report(bool(worst <= BOUND), f"{name}: gradients", f"worst {worst:.1e} ({where})")


def loads_without_a_word(name, path):
    model, info = AutoModelForVideoClassification.from_pretrained(path, output_loading_info=True)
    said = {k: sorted(v) for k, v in info.items() if v}
    c.report(not said, f"{name}: transformers finds no missing or unexpected key", str(said)[:300] if said else "")
    return model.eval()


def new_weights(name, **changes):
    """A model that reel draws equals the one that transformers draws from the same seed."""
    config = VideoMAEConfig(**{**SMALL, **changes})
    text = os.path.join(c.folder("config"), "config.json")
    config.architectures = ["VideoMAEForVideoClassification"]
    with open(text, "w") as f:
        f.write(config.to_json_string())
    out = os.path.join(c.WORK, "new_" + name.replace(" ", "_"))
    c.reel("model", "new", "--from_config", text, "--output", out, "--seed", 42)
    got = loads_without_a_word(f"new, {name}", out)
    torch.manual_seed(42)
    want = dict(VideoMAEForVideoClassification(config).named_parameters())
    worst = max((p - want[k]).abs().max().item() for k, p in got.named_parameters())
    c.report(worst <= 1e-7, f"new, {name}: weights as transformers draws them", f"largest difference {worst:.1e}")
    size = config.image_size if isinstance(config.image_size, (list, tuple)) else [config.image_size] * 2
    compare_forward(f"new, {name}", got, out, size)
    saved = c.read_json(os.path.join(out, "config.json"))
    again = c.folder("again")
    got.save_pretrained(again)
    theirs = c.read_json(os.path.join(again, "config.json"))
    theirs.pop("transformers_version", None)
    saved.pop("transformers_version", None)
    c.report(saved == theirs, f"new, {name}: config.json as transformers writes it",
             "" if saved == theirs else str({k: (saved.get(k), theirs.get(k)) for k in {*saved, *theirs}
                                             if saved.get(k) != theirs.get(k)})[:300])


def other_files():
    """Shards, half precision, and a pre-training checkpoint."""
    model, path, size = make("files")
    px = pixels(model.config, size, 2)
    sharded = c.folder("sharded")
    model.save_pretrained(sharded, max_shard_size="60KB")
    c.report(not os.path.exists(os.path.join(sharded, "model.safetensors")), "sharded: there are shards")
    c.close("sharded: logits", forward(sharded, px)["logits"], reference(model, px)[0], BOUND)
    for dtype in (torch.bfloat16, torch.float16):
        half = c.folder(str(dtype))
        model.to(dtype).save_pretrained(half)
        name = f"stored as {dtype}"
        want = VideoMAEForVideoClassification.from_pretrained(half, dtype=torch.float32).eval()
        c.close(f"{name}: logits", forward(half, px)["logits"], reference(want, px)[0], BOUND)
        model = VideoMAEForVideoClassification.from_pretrained(path).eval()
    _, path, _ = make("pretraining", VideoMAEForPreTraining, use_mean_pooling=False, decoder_hidden_size=24,
                      decoder_num_hidden_layers=1, decoder_num_attention_heads=2, decoder_intermediate_size=32)
    told = json.loads(c.reel("model", "info", path, "--json"))
    c.report(sorted(told["missing"]) == ["classifier.bias", "classifier.weight"], "pre-training: the missing head is named")
    unused = {t["name"].split(".")[0] for t in told["tensors"] if not t["used"]}
    c.report(unused == {"decoder", "encoder_to_decoder", "mask_token"}, "pre-training: unused tensors", str(sorted(unused)))


def full_size():
    """VideoMAE-base as it is fine-tuned: one clip of 16 frames of 224x224."""
    config = dict(image_size=224, patch_size=16, num_frames=16, hidden_size=768, num_hidden_layers=12, num_attention_heads=12,
                  intermediate_size=3072, num_labels=10, use_mean_pooling=False)
    torch.manual_seed(1)
    model, path, size = make("base", **config)
    compare_forward("VideoMAE-base", model, path, size, batch=1)
    compare_gradients("VideoMAE-base", model, path, size, batch=1)


def main():
    for name, changes in SHAPES.items():
        model, path, size = make(name, **changes)
        compare_forward(name, model, path, size)
        compare_gradients(name, model, path, size)
    new_weights("mean pooling")
    new_weights("token 0", use_mean_pooling=False, qv_bias=False, num_labels=2)
    new_weights("many labels", num_labels=13)
    new_weights("tiny matrices", hidden_size=3, num_attention_heads=1, intermediate_size=5, num_labels=4)
    other_files()
    if os.environ.get("PARITY_QUICK"):
        c.skip("VideoMAE-base", "PARITY_QUICK is set")
    else:
        full_size()


if __name__ == "__main__":
    main()
    c.finish()
