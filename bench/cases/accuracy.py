"""bf16 and int8 beside fp32 on test clips of a trained model: the demo's model on the synthetic set, 480 test clips packed once."""
import os

from .programs import ROOT

CLASSES, TEST = 8, 60
TRAIN = ("--min_size", 64, "--max_size", 80, "--num_train_epochs", 20, "--per_device_train_batch_size", 8, "--learning_rate", 1e-3, "--weight_decay", 0.05,
         "--warmup_ratio", 0.1, "--save_total_limit", 1)


def trained(m):
    """Folder of the model and packed clips, made when missing (about two minutes)."""
    folder = os.path.join(m.scratch, "accuracy")
    data, model, packed = (os.path.join(folder, n) for n in ("motions", "model", "test.safetensors"))
    os.makedirs(folder, exist_ok=True)
    if not os.path.exists(data):
        m.reel("data", "synth", data, "--classes", CLASSES, "--train", 40, "--val", 5, "--test", TEST)
    if not os.path.exists(os.path.join(model, "model.safetensors")):
        m.log("  training the model")
        m.reel("train", "--from_config", os.path.join(ROOT, "examples/motions.json"), "--data", data, "--output_dir", model, "--overwrite_output_dir", *TRAIN)
    if not os.path.exists(packed):
        m.reel("data", "pack", data, "--split", "test", "--model", model, "-o", packed)
    return model, packed


def accuracy(m):
    import numpy as np
    from safetensors.numpy import load_file
    model, packed = trained(m)
    logits = {}
    for dtype in ("fp32", "bf16", "int8"):
        path = os.path.join(m.scratch, "accuracy", f"logits-{dtype}.safetensors")
        m.reel("forward", "--model", model, "--input", packed, "--output", path, "--dtype", dtype)
        logits[dtype] = load_file(path)["logits"].astype(np.float64)
    labels, full = load_file(packed)["labels"], logits["fp32"]
    out = {"clips": len(labels), "classes": CLASSES}
    for dtype, x in logits.items():
        cosine = (x * full).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(full, axis=1)
        out[dtype] = {"accuracy": float((x.argmax(1) == labels).mean()), "agreement": float((x.argmax(1) == full.argmax(1)).mean()),
                      "cosine": float(cosine.mean()), "least cosine": float(cosine.min()), "worst": float(np.abs(x - full).max() / np.abs(full).max())}
    return out


def rows():
    return {"accuracy": ("bf16 and int8 beside fp32: answers of a trained model", accuracy)}
