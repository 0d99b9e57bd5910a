"""A whole run, end to end: train a small model from random weights on the synthetic set, evaluate the test clips; three seeds each."""
import json
import os
import shutil
import statistics
import sys
import time

from .programs import HERE, ROOT, Failed, call

CLASSES, CLIPS, EPOCHS, SEEDS = 4, 24, 12, (1, 2, 3)


def ours(m, data, config, out, seed):
    m.reel("train", "--from_config", config, "--data", data, "--output_dir", out, "--min_size", 64, "--max_size", 80, "--num_train_epochs", EPOCHS,
           "--per_device_train_batch_size", 8, "--learning_rate", 1e-3, "--weight_decay", 0.05, "--warmup_ratio", 0.1, "--save_total_limit", 1,
           "--logging_steps", 20, "--seed", seed, "-q")
    return json.loads(m.reel("evaluate", "--model", out, "--data", data, "--split", "test", "--json", "-q"))["clip_accuracy"]


def theirs(m, data, config, out, seed):
    text = call(sys.executable, os.path.join(HERE, "peer_trainer.py"), data, config, out, EPOCHS, seed, m.threads, timeout=1500)
    return json.loads([l for l in text.splitlines() if l.startswith('{"accuracy"')][-1])["accuracy"]


def finetuning(m):
    data, config = os.path.join(m.scratch, "finetuning"), os.path.join(ROOT, "examples/motions.json")
    if not os.path.exists(data):
        m.reel("data", "synth", data, "--classes", CLASSES, "--train", CLIPS, "--val", 10, "--test", 25)
    out = {name: {"rounds": [], "accuracy": []} for name in ("reel", "Trainer")}
    for seed in SEEDS[:max(1, m.rounds)]:
        for name, run in (("reel", ours), ("Trainer", theirs)):
            if "error" in out[name]:
                continue
            folder = os.path.join(m.scratch, f"finetuning-{name}")
            shutil.rmtree(folder, ignore_errors=True)
            begun = time.perf_counter()
            try:
                score = run(m, data, config, folder, seed)
            except Failed as e:
                out[name]["error"] = str(e)
                continue
            out[name]["rounds"].append(time.perf_counter() - begun)
            out[name]["accuracy"].append(score)
            m.log(f"  seed {seed}  {name}: {out[name]['rounds'][-1]:.1f} s, test accuracy {score:.3f}")
    for o in out.values():
        if o["rounds"] and "error" not in o:
            o["median"] = statistics.median(o["rounds"])
    out.update(epochs=EPOCHS, classes=CLASSES, clips=CLIPS * CLASSES)
    return out


def rows():
    return {"finetuning": ("a whole fine-tuning run, small model, synthetic set", finetuning)}
