"""What reel pushes, the official client and transformers load, and the other way round, over a local hub; model cards read by both parsers."""
import importlib.util
import json
import os
import random
import subprocess
import sys

import numpy as np
import yaml
from huggingface_hub import ModelCard
from safetensors.numpy import save_file

import common as c

CARD = os.environ.get("REEL_CARD", os.path.join(os.path.dirname(c.REEL), "..", "tests", "parity", "reel_card"))
PRELUDE = """
import json, os, sys
import numpy as np, torch
from huggingface_hub import HfApi, ModelCard
from transformers import VideoMAEForVideoClassification, VideoMAEImageProcessor, pipeline
def show(**k): print("@" + json.dumps(k))
"""


class Hub:
    def __init__(self):
        spec = importlib.util.spec_from_file_location("mock_hub", os.path.join(c.HERE, "..", "hub", "mock_hub.py"))
        mock = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(mock)
        self.hub, self.servers = mock.start(c.folder("hub"), cdn_bind="127.0.0.2")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("HF_") and "proxy" not in k.lower()}
        self.env.update(HF_ENDPOINT=self.hub.hub_url, HF_HOME=c.folder("hub_home"), HF_TOKEN="hf_mock_write", HF_HUB_DISABLE_XET="1",
                        HF_HUB_DISABLE_TELEMETRY="1", OMP_NUM_THREADS="2")

    def python(self, code):
        r = subprocess.run([sys.executable, "-c", PRELUDE + code], capture_output=True, text=True, env=self.env, timeout=300)
        for line in r.stdout.splitlines():
            if line.startswith("@"):
                return json.loads(line[1:])
        raise RuntimeError(f"{(r.stderr.strip().splitlines() or ['no answer'])[-1]}\n{r.stderr[-2000:]}")  # the reason first: it may be all that is shown

    def reel(self, *args):
        r = subprocess.run([c.REEL, *map(str, args)], capture_output=True, text=True, env=self.env)
        if r.returncode != 0:
            raise RuntimeError(f"reel {' '.join(map(str, args))}: exit {r.returncode}\n{r.stderr}")
        return r.stdout

    def commits(self, rid):
        return len(self.hub.load("model", rid)["commits"])


CONFIG = {"architectures": ["VideoMAEForVideoClassification"], "model_type": "videomae", "image_size": 32, "patch_size": 16, "num_channels": 3,
          "num_frames": 4, "tubelet_size": 2, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
          "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.02, "layer_norm_eps": 1e-12,
          "qkv_bias": True, "use_mean_pooling": True, "decoder_num_attention_heads": 2, "decoder_hidden_size": 8, "decoder_num_hidden_layers": 1,
          "decoder_intermediate_size": 16, "norm_pix_loss": True}


def train_and_push(h):
    d = c.folder("push")
    with open(os.path.join(d, "config.json"), "w") as f:
        json.dump(CONFIG, f)
    data = os.path.join(d, "two ways: up & down")
    h.reel("data", "synth", data, "--classes", 3, "--train", 6, "--val", 3, "--test", 1, "--groups", 5, "--width", 64, "--height", 48, "--frames", 20, "-q")
    h.reel("train", "--from_config", os.path.join(d, "config.json"), "--data", data, "--num_frames", 4, "--sample_rate", 2, "--learning_rate", "1e-3",
           "--per_device_train_batch_size", 4, "--min_size", 36, "--max_size", 40, "--num_train_epochs", 2, "--output_dir", os.path.join(d, "run"),
           "--push_to_hub", "--hub_model_id", "acme/tiny", "--license", "cc-by-4.0", "-q")
    return d, os.path.join(d, "run"), data


def loads_in_python(h, d, run, data):
    pixels = np.random.default_rng(3).standard_normal((2, 4, 3, 32, 32), dtype=np.float32)
    save_file({"pixel_values": pixels}, os.path.join(d, "x.safetensors"))
    np.save(os.path.join(d, "x.npy"), pixels)
    h.reel("forward", "--model", run, "--input", os.path.join(d, "x.safetensors"), "-o", os.path.join(d, "y.safetensors"))
    clip = sorted(os.path.join(b, n) for b, _, names in os.walk(os.path.join(data, "test")) for n in names)[0]
    r = h.python(f"""
m, info = VideoMAEForVideoClassification.from_pretrained("acme/tiny", output_loading_info=True)
with torch.no_grad(): y = m.eval()(torch.from_numpy(np.load({os.path.join(d, 'x.npy')!r}))).logits
p = pipeline("video-classification", model="acme/tiny")
show(y=y.tolist(), missing=sorted(info["missing_keys"]), unexpected=sorted(info["unexpected_keys"]), answers=p({clip!r}, top_k=3))
""")
    c.close("from_pretrained of what reel pushed: the logits", r["y"], c.tensors(os.path.join(d, "y.safetensors"))["logits"], 1e-4)
    c.report(not r["missing"] and not r["unexpected"], "no key is missing or unexpected", f"{r['missing']} {r['unexpected']}")
    ours = json.loads(h.reel("predict", "--model", run, clip, "--json", "--top_k", 3).splitlines()[0])
    ours = ours[0] if isinstance(ours, list) and isinstance(ours[0], list) else ours
    ours = {a["label"]: a["score"] for a in ours}
    theirs = {a["label"]: a["score"] for a in r["answers"]}
    c.report(ours.keys() == theirs.keys() and all(abs(ours[k] - theirs[k]) < 1e-3 for k in ours), "the pipeline's answers are those of reel predict",
             f"{ours} {theirs}")


def card_is_read(h):
    r = h.python("""
card = ModelCard.load("acme/tiny"); card.validate()
show(d=card.data.to_dict(), e=[[x.metric_type, x.metric_value, x.dataset_name, x.dataset_type, x.dataset_split, x.task_type] for x in card.data.eval_results])
""")
    metrics = r["d"]["model-index"][0]["results"][0]["metrics"]
    c.report(r["d"]["license"] == "cc-by-4.0" and r["d"]["pipeline_tag"] == "video-classification" and r["d"]["library_name"] == "transformers",
             "the card's block is read by the official client", str(r["d"])[:300])
    names = ["Accuracy of clips", "Accuracy of videos", "F1 (macro) of videos", "Precision (macro) of videos", "Recall (macro) of videos"]
    c.report([m["type"] for m in metrics] == ["accuracy", "accuracy", "f1", "precision", "recall"] and [m["name"] for m in metrics] == names and
             all(0 <= m["value"] <= 1 for m in metrics), "with values", str(metrics))
    c.report([e[2:] for e in r["e"]] == [["two ways: up & down"] * 2 + ["val", "video-classification"]] * 5, "and what they are of", str(r["e"]))


def both_agree_on_names(h, run):
    """Neither sends anything again that the other has sent."""
    before = h.commits("acme/tiny")
    h.hub.log = []
    h.python(f"HfApi().upload_folder(repo_id='acme/tiny', folder_path={run!r}, ignore_patterns=['_*', 'checkpoint-*']); show(ok=1)")
    put = [e for e in h.hub.log if e["method"] == "PUT"]
    c.report(h.commits("acme/tiny") == before and not put, "the official client finds nothing to send after reel")
    h.python(f"a = HfApi(); a.create_repo('acme/theirs'); a.upload_folder(repo_id='acme/theirs', folder_path={run!r}); show(ok=1)")
    out = h.reel("hub", "upload", "acme/theirs", run)
    c.report(out.startswith("same"), "reel finds nothing to send after the official client", out)


def python_pushes(h, d, run):
    r = h.python(f"""
m = VideoMAEForVideoClassification.from_pretrained({run!r}); m.push_to_hub("acme/frompy"); VideoMAEImageProcessor.from_pretrained({run!r}).push_to_hub("acme/frompy")
with torch.no_grad(): y = m.eval()(torch.from_numpy(np.load({os.path.join(d, 'x.npy')!r}))).logits
show(y=y.tolist())
""")
    if "hub download" not in subprocess.run([c.REEL, "hub", "--help"], capture_output=True, text=True).stdout:
        c.skip("reel loads what Python pushed", "this build does not download")
        return
    out = os.path.join(d, "fetched")
    h.reel("hub", "download", "acme/frompy", "--local_dir", out)
    for name, model in (("a downloaded folder", out), ("--model ORG/NAME", "acme/frompy")):
        y = os.path.join(d, "z.safetensors")
        h.reel("forward", "--model", model, "--input", os.path.join(d, "x.safetensors"), "-o", y)
        c.close(f"what Python pushed, as {name}: the logits", c.tensors(y)["logits"], r["y"], 1e-4)


def texts():
    known = ["no", "On", "null", "~", "12", "1_000", "1e3", "12:30:00", "2024-01-01", "a: b", "a #b", "*x", "- a", " a ", "a'b", 'a"b', "a\\b", "---", "...", "|", ">",
             "{a: b}", "[a]", "!x", "%x", "@x", "`x`", "&x", "? x", ".inf", ".nan", "0x1F", "0o7", "=", "<<", "caf\u00e9", "\U0001f3ac", "a\nb", "a\r\nb", "a\tb",
             "\u0085", "\u2028", "\ufeff", "\x7f", "\x01", "\ufffe", "\U000fffff", "mit", "org/name", "a" * 3000, "x-", "a.b", "y", "Y", "TRUE", "nan"]
    r = random.Random(1)
    alphabet = [chr(x) for x in range(1, 0x180)] + list("\u2028\u2029\ufeff\U0001f3ac:#-'\"{}[],&*?|>!%@` ")
    return known + ["".join(r.choice(alphabet) for _ in range(r.randint(1, 12))) for _ in range(500)]


def any_text_survives():
    all_texts = texts()
    out = subprocess.run([CARD], input=b"".join(t.encode() + b"\0" for t in all_texts), capture_output=True, check=True).stdout.split(b"\0")[:-1]
    bad = []
    for text, card in zip(all_texts, out):
        try:
            block = yaml.safe_load(card.decode().split("\n---\n")[0][4:])
            index = block["model-index"][0]
            data = index["results"][0]["dataset"]
            if not all(x == text for x in (block["license"], index["name"], data["name"], data["type"], data["split"])):
                bad.append((text, block["license"]))
            if len(ModelCard(card.decode()).data.eval_results) != 4:
                bad.append((text, "eval_results"))
        except Exception as e:
            bad.append((text, repr(e)[:200]))
    c.report(len(out) == len(all_texts) and not bad, f"{len(all_texts)} texts come back as they were from the card's block", f"{len(bad)} wrong: {bad[:3]!r}" if bad else "")


def main():
    any_text_survives()
    h = Hub()
    try:
        d, run, data = train_and_push(h)
        loads_in_python(h, d, run, data)
        card_is_read(h)
        both_agree_on_names(h, run)
        python_pushes(h, d, run)
        c.report(h.hub.leaks == 0, "no token reached the store")
    finally:
        for s in h.servers:
            s.shutdown()


if __name__ == "__main__":
    main()
    c.finish()
