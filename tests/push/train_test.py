"""reel train --push_to_hub against the local hub, end to end on a tiny synthetic set. TAP."""
import json
import os
import shlex
import subprocess

import bed as b
from bed import check, fault, files, folder, fresh, head, reel, refused, seen

CONFIG = {"architectures": ["VideoMAEForVideoClassification"], "model_type": "videomae", "image_size": 32, "patch_size": 16, "num_channels": 3,
          "num_frames": 4, "tubelet_size": 2, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
          "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.02, "layer_norm_eps": 1e-12,
          "qkv_bias": True, "use_mean_pooling": True, "decoder_num_attention_heads": 2, "decoder_hidden_size": 8, "decoder_num_hidden_layers": 1,
          "decoder_intermediate_size": 16, "norm_pix_loss": True}
folder("c", {"config.json": json.dumps(CONFIG)})
DATA = b.WORK + "/no: clips"  # a name that YAML would misread
r = reel("data", "synth", DATA, "--classes", 2, "--train", 6, "--val", 2, "--test", 2, "--groups", 5, "--width", 64, "--height", 48, "--frames", 16, "-q")
check("a data set", r.code == 0, r)


def train(out, *more, **env):
    return reel("train", "--from_config", b.WORK + "/c/config.json", "--data", DATA, "--num_frames", 4, "--sample_rate", 2, "--learning_rate", "1e-3",
                "--logging_steps", 1, "--per_device_train_batch_size", 4, "--min_size", 36, "--max_size", 40, "--num_train_epochs", 2, "--output_dir", out,
                *more, **env)


def text(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


RESULT = ["README.md", "all_results.json", "config.json", "eval_results.json", "model.safetensors", "preprocessor_config.json", "train_results.json",
          "trainer_state.json"]
fresh()
run = b.WORK + "/run"
r = train(run, "--push_to_hub", "--hub_model_id", "acme/tiny", "--hub_private_repo", "--license", "mit")
check("a run that is pushed", r.code == 0 and "pushed   %s/acme/tiny" % b.hub.hub_url in r.out, r)
check("its result is there, its checkpoints are not", sorted(files("acme/tiny")) == RESULT, sorted(files("acme/tiny")))
check("as it is on the disk", all(open(os.path.join(run, n), "rb").read() == data for n, data in files("acme/tiny").items()))
check("private, under Trainer's message", b.hub.load("model", "acme/tiny")["private"] and
      b.hub.load("model", "acme/tiny")["commits"][head("acme/tiny")]["message"] == "End of training")
creates = [e["seq"] for e in seen("POST", "/api/repos/create")]
check("the repository was made and the right asked for before the first step", len(creates) == 2 and
      seen("GET", "/auth-check/write")[0]["seq"] < creates[1])
card = text(run + "/README.md")
state = json.loads(text(run + "/trainer_state.json"))
evals = [e for e in state["log_history"] if "eval_loss" in e]
check("the card has a row an evaluation", all("| %s | %d | %.4f | %.4f |" % (e["epoch"], e["step"], e["eval_loss"], e["eval_accuracy"]) in card for e in evals)
      and len(evals) == 2, card)
best = max(evals, key=lambda e: e["eval_accuracy"])
check("the figures of the best model", "      value: %s\n" % round(best["eval_accuracy"], 4) in card, best, card)
check("names in quotes where they must be", 'name: "no: clips"' in card, card)
check("no path of this machine", b.WORK not in card)
check("the license that was given", "\nlicense: mit\n" in card)
check("accuracy of each class", card.count("| 2 | ") == 2, card)

fresh()
r = train(b.WORK + "/r2", "--push_to_hub", "--hub_model_id", "acme/none", HF_TOKEN="hf_mock_read")
refused("a token that may not write is refused before anything is done", r, "role write")
check("no folder was made", not os.path.exists(b.WORK + "/r2"))
refused("no token", train(b.WORK + "/r2", "--push_to_hub", "--hub_model_id", "acme/none", HF_TOKEN=None), "reel hub login")
refused("a name that is none", train(b.WORK + "/r2", "--push_to_hub", "--hub_model_id", "a--b/x"), "--hub_model_id")
check("offline", train(b.WORK + "/r2", "--push_to_hub", "--hub_model_id", "acme/none", HF_HUB_OFFLINE="1").code == 1 and not os.path.exists(b.WORK + "/r2"))
r = train(b.WORK + "/r2", "--hub_token", "hf_mock_write")
check("--hub_token is refused, and not shown", r.code == 2 and "reel hub login" in r.err and "hf_mock_write" not in r.err, r)
b.secret_shown[:] = [a for a in b.secret_shown if "--hub_token" not in a]

fresh()
r = train(b.WORK + "/named-so", "--push_to_hub", "--json")
check("without a name it is called as the folder", r.code == 0 and head("alice/named-so") is not None, r)
check("JSON tells the address", r.json[-1].get("hub_url") == b.hub.hub_url + "/alice/named-so" and r.json[-1].get("hub_commit") == head("alice/named-so"), r)
check("and a push event with it", [e.get("path") for e in r.json if e["event"] == "push"] == [b.hub.hub_url + "/alice/named-so"], r)

fresh()
r = train(b.WORK + "/plain")
check("without --push_to_hub nothing is asked, and no card is written", r.code == 0 and not b.hub.log and not os.path.exists(b.WORK + "/plain/README.md"), r)

fresh()
fault("/commit/", "POST", times=-1, status=403, body={"error": "not today"})
failing = b.WORK + "/failing"
r = train(failing, "--push_to_hub", "--hub_model_id", "acme/failing")
check("a push that fails is exit 1", r.code == 1 and "not today" in r.err and "done " in r.out, r)
check("everything is in the folder", all(n in os.listdir(failing) for n in RESULT) and json.loads(text(failing + "/trainer_state.json"))["global_step"] == 6)
check("and nothing on the Hub", files("acme/failing") == {})
command = r.err[r.err.rindex("reel hub upload"):].strip().rstrip(".") if "reel hub upload" in r.err else "reel none"
fresh()
r = reel(*shlex.split(command)[1:])
check("the command that it names does it", r.code == 0 and sorted(files("acme/failing")) == RESULT, command, r)
b.os.unlink(failing + "/README.md")
fresh()
r = reel("train", "--resume_from_checkpoint", failing + "/checkpoint-6")
check("going on from the last checkpoint pushes too", r.code == 0 and len(seen("POST", "/commit/")) == 1, r)
check("with the table of classes", text(failing + "/README.md").count("| 2 | ") == 2)

# A README of the user.
for name in ("README.md", "_notes.txt", "mine.txt"):
    with open(os.path.join(failing, name), "w") as f:
        f.write("---\nlicense: apache-2.0\n---\n# My words\n" if name == "README.md" else "mine")
fresh()
r = reel("train", "--resume_from_checkpoint", failing + "/checkpoint-6")
card = text(failing + "/README.md")
check("a README of the user keeps its words", r.code == 0 and card.startswith("---\nlicense: apache-2.0\n") and card.endswith("---\n# My words\n"), card)
check("and gets what it lacks", "\nmodel-index:\n" in card and "\npipeline_tag: video-classification\n" in card and card.count("license:") == 1, card)
check("what begins with _ stays, other files go", "_notes.txt" not in files("acme/failing") and files("acme/failing").get("mine.txt") == b"mine")

# A new run over an old one.
fresh()
r = train(run, "--overwrite_output_dir")
check("a new run takes the old card away", r.code == 0 and not os.path.exists(run + "/README.md"), r)

# Model and data of the Hub: the card names them, and the license is the model's.
fresh()
r = reel("model", "new", "--from_config", b.WORK + "/c/config.json", "-o", b.WORK + "/base")
check("a model", r.code == 0 and reel("hub", "upload", "acme/base", b.WORK + "/base").code == 0, r)
subprocess.run(["tar", "-czf", b.WORK + "/clips.tar.gz", "-C", b.WORK, "no: clips"], check=True)
r = reel("hub", "upload", "acme/clips", b.WORK + "/clips.tar.gz", "--repo_type", "dataset")
check("a data set", r.code == 0, r)
fault("/api/models/acme/base$", "GET", times=-1, status=200, body={"id": "acme/base", "sha": head("acme/base"), "private": False, "tags": ["license:openrail"]})
r = reel("train", "--model", "acme/base", "--data", "acme/clips:clips.tar.gz", "--sample_rate", 2, "--per_device_train_batch_size", 4, "--min_size", 36,
         "--max_size", 40, "--max_steps", 2, "--output_dir", b.WORK + "/fine", "--push_to_hub", "--hub_model_id", "acme/fine")
card = text(b.WORK + "/fine/README.md") if r.code == 0 else ""
for line in ("license: openrail", "base_model: acme/base", "datasets:\n- acme/clips", "      type: acme/clips", "      name: clips"):
    check("the card has " + line.replace("\n", " "), "\n" + line + "\n" in card, r, card)
b.finish()
