"""Stored forms of a checkpoint: reel reads what torch and transformers write, and transformers loads what reel makes of it."""
import io
import json
import os
import shutil

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import VideoMAEConfig, VideoMAEForPreTraining, VideoMAEForVideoClassification, VideoMAEModel

import common as c
import model_parity as m
import train_parity

PREFIX = "videomae."


def bare(source, name):
    """A folder with all but the weights of `source`."""
    path = c.folder("form_" + name.replace(" ", "_"))
    for file in ("config.json", "preprocessor_config.json"):
        if os.path.exists(os.path.join(source, file)):
            shutil.copy(os.path.join(source, file), path)
    return path


def stored(source):
    """The tensors under the names of a file."""
    return load_file(os.path.join(source, "model.safetensors"))


def put_bin(path, tensors, shards=1, **options):
    """pytorch_model.bin, or its shards and their index."""
    if shards == 1:
        torch.save(tensors, os.path.join(path, "pytorch_model.bin"), **options)
        return
    names = [f"pytorch_model-{i + 1:05d}-of-{shards:05d}.bin" for i in range(shards)]
    where = {k: names[i % shards] for i, k in enumerate(sorted(tensors))}
    for n in names:
        torch.save({k: v for k, v in tensors.items() if where[k] == n}, os.path.join(path, n), **options)
    with open(os.path.join(path, "pytorch_model.bin.index.json"), "w") as f:
        json.dump({"metadata": {"total_size": sum(v.nbytes for v in tensors.values())}, "weight_map": where}, f)


def put_safetensors(path, tensors):
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, os.path.join(path, "model.safetensors"), metadata={"format": "pt"})


def loads(cls, path, **options):
    """from_pretrained, and what it said of the keys."""
    model, info = cls.from_pretrained(path, output_loading_info=True, **options)
    return model.eval(), {k: sorted(v) for k, v in info.items() if v}


def converts(name, path, cls, want, px=None):
    """reel's own file of the form: transformers finds every key, and no other, and the same numbers."""
    out = os.path.join(c.WORK, "converted_" + name.replace(" ", "_"))
    c.reel("model", "convert", path, "--dtype", "float32", "-o", out)
    model, said = loads(cls, out)
    c.report(not said, f"{name}: converted, transformers finds no missing or unexpected key", str(said)[:300] if said else "")
    c.close(f"{name}: converted, transformers' logits", m.reference(model, px)[0] if px is not None else flat(model), want, 1e-6)


def flat(model):
    return torch.cat([p.detach().flatten() for _, p in sorted(model.named_parameters())]).numpy()


def compare(name, path, px, want, python=True, bound=m.BOUND):
    """reel's logits of a form, Python's of the same folder where Python reads it, and those of the model it was made from."""
    c.close(f"{name}: logits", m.forward(path, px)["logits"], want, bound)
    if python:
        model, said = loads(VideoMAEForVideoClassification, path, dtype=torch.float32)
        c.report(not said, f"{name}: transformers reads the same folder", str(said)[:300] if said else "")
        c.close(f"{name}: logits as transformers has them", m.forward(path, px)["logits"], m.reference(model, px)[0], bound)
    converts(name, path, VideoMAEForVideoClassification, want, px)


def views(tensors):
    """Every tensor a view: of one block, or turned and turned back."""
    block = torch.cat([t.flatten() for t in tensors.values()])
    out, at = {}, 0
    for i, (k, t) in enumerate(tensors.items()):
        out[k] = block[at:at + t.numel()].view(t.shape)
        at += t.numel()
        if t.dim() == 2 and i % 2 == 0:
            out[k] = t.t().contiguous().t()
        if t.dim() == 5:
            out[k] = t.permute(4, 2, 0, 3, 1).contiguous().permute(2, 4, 1, 3, 0)
    return out


def attributed(tensors):
    """Parameters and tensors that Python code gave attributes."""
    out = {k: torch.nn.Parameter(v.clone()) if i % 2 else v.clone() for i, (k, v) in enumerate(tensors.items())}
    for i, t in enumerate(out.values()):
        t.note = {"of": [i, "training"], "mean": torch.ones(2)}
    return out


def other_types(source, tensors, px, want):
    """Buffers of types that no parameter has: told as unused."""
    extra = {f"buffer.{str(t).removeprefix('torch.')}": torch.zeros(3).to(t) for t in
             (torch.uint16, torch.uint32, torch.uint64, torch.complex64, torch.complex128, torch.int64, torch.bool)}
    extra["buffer.float8_e8m0fnu"] = torch.zeros(3, dtype=torch.uint8).view(torch.float8_e8m0fnu)
    path = bare(source, "bin, other types")
    put_bin(path, {**tensors, **extra})
    c.close("bin, other types: logits", m.forward(path, px)["logits"], want, m.BOUND)
    told = json.loads(c.reel("model", "info", path, "--json"))
    c.report({t["name"] for t in told["tensors"] if not t["used"]} == set(extra), "bin, other types: told as unused")
    kept = {k: v for k, v in extra.items() if v.dtype != torch.complex128}
    put_bin(path, {**tensors, **kept})
    out = os.path.join(c.WORK, "converted_other_types")
    c.reel("model", "convert", path, "--dtype", "float32", "-o", out)
    have = stored(out)
    c.report(all(have[k].dtype == v.dtype and torch.equal(have[k].view(torch.uint8), v.view(torch.uint8)) for k, v in kept.items()),
             "bin, other types: converted, they stay as they are")


INDEXES = {
    "index with a name too many": lambda where: where.update({"extra.weight": next(iter(where.values()))}),
    "shards below the folder": None,
}


def put_index(path, tensors, change, lost=None):
    """Shards whose index is changed, or that lie in a folder of their own."""
    top = "in/" if change is None else ""
    os.makedirs(os.path.join(path, top), exist_ok=True)
    where = {k: f"{top}{i % 3}.safetensors" for i, k in enumerate(sorted(tensors))}
    for n in sorted(set(where.values())):
        own = {k: v.clone() for k, v in tensors.items() if where[k] == n and k != lost}
        save_file(own, os.path.join(path, n), metadata={"format": "pt"})
    if change is not None:
        change(where)
    with open(os.path.join(path, "model.safetensors.index.json"), "w") as f:
        json.dump({"metadata": {}, "weight_map": where}, f)


def refused(source, name, put, word):
    path = bare(source, "refused " + name)
    put(path)
    said = c.reel_fails("forward", "--model", path, "--input", os.path.join(c.WORK, "in.safetensors"), "--output",
                        os.path.join(c.WORK, "none.safetensors"))
    c.report(word in said, f"{name}: refused", said.strip()[:300])


def renamed(tensors, change):
    return {change(k): v for k, v in tensors.items()}


def greek(name):
    norm = any(p in name for p in ("layernorm", "fc_norm", "LayerNorm"))
    return name.replace(".weight", ".gamma").replace(".bias", ".beta") if norm else name


def module_name(name):
    return name.replace("attention.q_bias", "attention.query.bias").replace("attention.v_bias", "attention.value.bias")


def classification():
    model, source, size = m.make("form source")
    px = m.pixels(model.config, size, 2)
    want = m.reference(model, px)[0]
    tensors = stored(source)
    assert any(k.endswith("q_bias") for k in tensors) and all(k in (*tensors, module_name(k)) for k in tensors)

    def form(name, tensors, python=True, put=put_bin, widened=False, **options):
        path = bare(source, name)
        put(path, tensors, **options)
        other = m.reference(loads(VideoMAEForVideoClassification, path, dtype=torch.float32)[0], px)[0] if widened else want
        compare(name, path, px, other, python)

    form("bin", tensors)
    form("bin, module names", dict(model.state_dict()))
    form("bin, OrderedDict with metadata", model.state_dict())
    form("bin, parameters", dict(model.named_parameters()))
    form("bin, sharded", tensors, shards=3)
    form("bin, views", views(tensors))
    form("bin, protocol 3", tensors, pickle_protocol=3)
    form("bin, attributes", attributed(tensors))
    form("bin, float8", {k: v.to(torch.float8_e4m3fn if v.dim() > 1 else torch.float8_e5m2) for k, v in tensors.items()}, widened=True)
    form("safetensors, float8", {k: v.to(torch.float8_e4m3fn) for k, v in tensors.items()}, put=put_safetensors, widened=True)
    other_types(source, tensors, px, want)
    for name, change in INDEXES.items():
        form(f"safetensors, {name}", tensors, put=lambda path, t: put_index(path, t, change))
    form("bin, double", {k: v.double() for k, v in tensors.items()})
    for prefix in ("module.", "model.", "_orig_mod.module."):
        form(f"bin, {prefix[:-1]}", renamed(tensors, lambda k: prefix + k), python=False)
    form("bin, nested", {"model": tensors, "epoch": 3, "best": 0.5}, python=False)
    form("bin, gamma and beta", renamed(tensors, greek), python=False)
    form("safetensors, gamma and beta", renamed(tensors, greek), python=False, put=put_safetensors)
    form("safetensors, module names", renamed(tensors, module_name), put=put_safetensors)
    form("bin, encoder without prefix", renamed(tensors, lambda k: k.removeprefix(PREFIX)))
    form("safetensors, encoder without prefix", renamed(tensors, lambda k: k.removeprefix(PREFIX)), put=put_safetensors)
    for dtype in (torch.float16, torch.bfloat16):
        name = f"bin, {str(dtype).removeprefix('torch.')}"
        path = bare(source, name)
        put_bin(path, {k: v.to(dtype) for k, v in tensors.items()})
        half, _ = loads(VideoMAEForVideoClassification, path, dtype=torch.float32)
        compare(name, path, px, m.reference(half, px)[0])
    for protocol in (2, 3, 4, 5):
        refused(source, f"legacy, protocol {protocol}", lambda p: put_bin(
            p, tensors, _use_new_zipfile_serialization=False, pickle_protocol=protocol), "before version 1.6")
    for protocol in (4, 5):
        refused(source, f"protocol {protocol}", lambda p: put_bin(p, tensors, pickle_protocol=protocol), f"protocol {protocol}")
    bias = "classifier.bias"
    turned = torch.complex(torch.zeros_like(tensors[bias]), -tensors[bias]).conj().imag
    refused(source, "negative view", lambda p: put_bin(p, {**tensors, bias: turned}), bias + " is a conjugate or negative view")
    refused(source, "whole numbers", lambda p: put_bin(p, {**tensors, bias: tensors[bias].to(torch.int8)}), bias + " has dtype I8")
    refused(source, "complex", lambda p: put_bin(p, {**tensors, bias: tensors[bias].to(torch.complex128)}), bias + " has dtype complex128")
    script = torch.jit.script(torch.nn.Linear(2, 2))
    refused(source, "scripted", lambda p: torch.jit.save(script, os.path.join(p, "pytorch_model.bin")), "scripted module")
    refused(source, "wrong shard", lambda p: put_index(p, tensors, lambda where: where.update(
        {bias: next(v for v in where.values() if v != where[bias])})), bias + " is not in ")
    refused(source, "lost shard tensor", lambda p: put_index(p, tensors, lambda where: None, lost=bias),
            bias + ", which none of its shards has")


def base_models():
    """The inner model alone, and a pre-training checkpoint: no head."""
    changes = dict(use_mean_pooling=False, decoder_hidden_size=24, decoder_num_hidden_layers=1, decoder_num_attention_heads=2,
                   decoder_intermediate_size=32)
    for name, cls, unused in (("base", VideoMAEModel, set()), ("pre-training", VideoMAEForPreTraining, {"decoder", "encoder_to_decoder", "mask_token"})):
        model, source, _ = m.make("form " + name, cls, **changes)
        for form, put in (("bin", put_bin), ("bin, sharded", lambda p, t: put_bin(p, t, shards=2)), ("safetensors", put_safetensors)):
            path = bare(source, f"{name} {form}")
            put(path, stored(source))
            told = json.loads(c.reel("model", "info", path, "--json"))
            c.report(sorted(told["missing"]) == ["classifier.bias", "classifier.weight"], f"{name}, {form}: the missing head is named")
            c.report({t["name"].split(".")[0] for t in told["tensors"] if not t["used"]} == unused, f"{name}, {form}: unused tensors")
            converts(f"{name}, {form}", path, cls, flat(model))
        fine_tuned(name, bare(source, f"{name} bin"), stored(source))


def fine_tuned(name, path, tensors):
    """A run from the form whose rate is nothing: the saved model has every weight of it, the q and v biases among them."""
    packed = os.path.join(c.WORK, "form_packed.safetensors")
    train_parity.make_data(packed, 6)
    out = os.path.join(c.WORK, f"form_run_{name}")
    c.reel("train", "-q", "--model", path, "--data", packed, "--output_dir", out, "--max_steps", 2, "--per_device_train_batch_size", 2,
           "--learning_rate", 1e-30, "--eval_strategy", "no", "--save_strategy", "steps", "--save_steps", 1, "--load_best_model_at_end", "false")
    for folder in (out, os.path.join(out, "checkpoint-1")):
        model, said = loads(VideoMAEForVideoClassification, folder)
        c.report(not said, f"{name}, fine-tuned, {os.path.basename(folder)}: transformers finds no missing or unexpected key",
                 str(said)[:300] if said else "")
        have = dict(model.named_parameters())
        lost = [k for k, v in tensors.items() if (own := (k if k.startswith(PREFIX) else PREFIX + k)) and
                module_name(own) in have and not torch.equal(have[module_name(own)], v)]
        biases = [k for k in have if k.endswith(("query.bias", "value.bias"))]
        c.report(not lost and len(biases) == 6 and all(have[k].abs().max() > 0 for k in biases),
                 f"{name}, fine-tuned, {os.path.basename(folder)}: every weight survives, q and v biases too", str(lost[:3]) if lost else "")


def main():
    classification()
    base_models()


if __name__ == "__main__":
    main()
    c.finish()
