"""What the guide finds on the Hub, made without torch: folders for a mock hub.

    guide_hub.py DIR REEL

DIR/model    a VideoMAE-base pre-training checkpoint with random weights, in the form pytorch_model.bin (torch.save's zip), with the config and the
             old processor class that the real one has
DIR/dataset  UCF101_subset.tar.gz: UCF101_subset/{train,val,test}/<Class>/v_<Class>_gNN_c01.avi, two classes, made by `REEL data synth`"""
import collections
import io
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import tarfile
import types
import zipfile
import random

HIDDEN, LAYERS, MLP, PATCH, TUBELET, SIDE, FRAMES = 768, 12, 3072, 16, 2, 224, 16
DECODER, DECODER_LAYERS, DECODER_MLP = 384, 4, 1536
CLASSES = ("ApplyEyeMakeup", "BasketballDunk")

CONFIG = {
    "architectures": ["VideoMAEForPreTraining"], "attention_probs_dropout_prob": 0.0, "decoder_hidden_size": DECODER,
    "decoder_intermediate_size": DECODER_MLP, "decoder_num_attention_heads": 6, "decoder_num_hidden_layers": DECODER_LAYERS, "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0, "hidden_size": HIDDEN, "image_size": SIDE, "initializer_range": 0.02, "intermediate_size": MLP, "layer_norm_eps": 1e-12,
    "model_type": "videomae", "norm_pix_loss": True, "num_attention_heads": 12, "num_channels": 3, "num_frames": FRAMES, "num_hidden_layers": LAYERS,
    "patch_size": PATCH, "qkv_bias": True, "torch_dtype": "float32", "transformers_version": "4.22.0.dev0", "tubelet_size": TUBELET,
    "use_mean_pooling": False,
}
PROCESSOR = {
    "do_center_crop": True, "do_normalize": True, "do_resize": True, "feature_extractor_type": "VideoMAEFeatureExtractor",
    "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 2, "size": SIDE,
}


def layer(prefix, hidden, mlp):
    a = prefix + "attention.attention."
    yield a + "q_bias", (hidden,)
    yield a + "v_bias", (hidden,)
    for n in ("query", "key", "value"):
        yield f"{a}{n}.weight", (hidden, hidden)
    yield prefix + "attention.output.dense.weight", (hidden, hidden)
    yield prefix + "attention.output.dense.bias", (hidden,)
    yield prefix + "intermediate.dense.weight", (mlp, hidden)
    yield prefix + "intermediate.dense.bias", (mlp,)
    yield prefix + "output.dense.weight", (hidden, mlp)
    yield prefix + "output.dense.bias", (hidden,)
    for n in ("layernorm_before", "layernorm_after"):
        yield f"{prefix}{n}.weight", (hidden,)
        yield f"{prefix}{n}.bias", (hidden,)


def tensors():
    yield "mask_token", (1, 1, DECODER)
    yield "videomae.embeddings.patch_embeddings.projection.weight", (HIDDEN, 3, TUBELET, PATCH, PATCH)
    yield "videomae.embeddings.patch_embeddings.projection.bias", (HIDDEN,)
    for i in range(LAYERS):
        yield from layer(f"videomae.encoder.layer.{i}.", HIDDEN, MLP)
    yield "videomae.layernorm.weight", (HIDDEN,)
    yield "videomae.layernorm.bias", (HIDDEN,)
    yield "encoder_to_decoder.weight", (DECODER, HIDDEN)
    for i in range(DECODER_LAYERS):
        yield from layer(f"decoder.decoder_layers.{i}.", DECODER, DECODER_MLP)
    yield "decoder.norm.weight", (DECODER,)
    yield "decoder.norm.bias", (DECODER,)
    yield "decoder.head.weight", (3 * TUBELET * PATCH * PATCH, DECODER)
    yield "decoder.head.bias", (3 * TUBELET * PATCH * PATCH,)


def global_of(module, name):
    """A stand-in that pickle writes as module.name."""
    parts = module.split(".")
    for i in range(1, len(parts) + 1):
        sys.modules.setdefault(".".join(parts[:i]), types.ModuleType(".".join(parts[:i])))
    made = type(name, (), {"__module__": module})
    setattr(sys.modules[module], name, made)
    return made


class Storage:
    def __init__(self, key, count):
        self.key, self.count = key, count


class Tensor:
    rebuild = None

    def __init__(self, storage, shape):
        self.storage, self.shape = storage, shape

    def __reduce_ex__(self, protocol):
        stride, n = [], 1
        for d in reversed(self.shape):
            stride.insert(0, n)
            n *= d
        return Tensor.rebuild, (self.storage, 0, tuple(self.shape), tuple(stride), False, collections.OrderedDict())


class Pickler(pickle.Pickler):
    def persistent_id(self, obj):
        return ("storage", Pickler.kind, obj.key, "cpu", obj.count) if isinstance(obj, Storage) else None


def numbers(name, count):
    """Float32 of the size that initialisation gives; norms are ones and zeros."""
    if name.endswith("bias"):
        return bytes(4 * count)
    if "norm" in name:
        return struct.pack("<f", 1.0) * count
    block = struct.pack("<4096f", *(random.gauss(0, 0.02) for _ in range(4096)))
    return (block * (count // 4096 + 1))[:4 * count]


def write_model(folder):
    os.makedirs(folder)
    random.seed(1)
    Tensor.rebuild, Pickler.kind = global_of("torch._utils", "_rebuild_tensor_v2"), global_of("torch", "FloatStorage")
    state, stored = collections.OrderedDict(), []
    for i, (name, shape) in enumerate(tensors()):
        count = 1
        for d in shape:
            count *= d
        state[name] = Tensor(Storage(str(i), count), shape)
        stored.append((name, count))
    data = io.BytesIO()
    Pickler(data, 2).dump(state)
    with zipfile.ZipFile(os.path.join(folder, "pytorch_model.bin"), "w", zipfile.ZIP_STORED) as z:
        z.writestr("archive/data.pkl", data.getvalue())
        for i, (name, count) in enumerate(stored):
            z.writestr(f"archive/data/{i}", numbers(name, count))
        z.writestr("archive/version", "3\n")
    for name, content in (("config.json", CONFIG), ("preprocessor_config.json", PROCESSOR)):
        with open(os.path.join(folder, name), "w") as f:
            json.dump(content, f, indent=2)


def write_data(folder, reel):
    os.makedirs(folder)
    made = os.path.join(folder, "made")
    subprocess.run([reel, "data", "synth", made, "--classes", str(len(CLASSES)), "--train", "1", "--val", "1", "--test", "1", "--groups", "3",
                    "--frames", "64"], check=True, stdout=subprocess.DEVNULL)
    with tarfile.open(os.path.join(folder, "UCF101_subset.tar.gz"), "w:gz") as tar:
        for s, split in enumerate(("train", "val", "test")):
            for label, kind in zip(CLASSES, sorted(os.listdir(os.path.join(made, split)))):
                clip = sorted(os.listdir(os.path.join(made, split, kind)))[0]
                tar.add(os.path.join(made, split, kind, clip), f"UCF101_subset/{split}/{label}/v_{label}_g{s + 1:02d}_c01.avi")
    shutil.rmtree(made)


def main():
    folder, reel = sys.argv[1:]
    write_model(os.path.join(folder, "model"))
    write_data(os.path.join(folder, "dataset"), reel)


if __name__ == "__main__":
    main()
