"""reel train --push_to_hub against the local hub, end to end on a tiny synthetic set. TAP."""
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "hub"))
from common import CONFIG, REEL, WORK, WRITE, Near, check, environment, finish, folder, refused, write

near = Near()
reel, fresh, fault, seen, head, files = near.reel, near.fresh, near.fault, near.seen, near.head, near.files
folder("c", {"config.json": json.dumps(CONFIG)})
DATA = WORK + "/no: clips"  # a name that YAML would misread
r = reel("data", "synth", DATA, "--classes", 2, "--train", 6, "--val", 2, "--test", 2, "--groups", 5, "--width", 64, "--height", 48, "--frames", 16, "-q")
check(r.code == 0, "a data set", r)


def train(out, *more, **env):
    return reel("train", "--from_config", WORK + "/c/config.json", "--data", DATA, "--num_frames", 4, "--sample_rate", 2, "--learning_rate", "1e-3",
                "--logging_steps", 1, "--per_device_train_batch_size", 4, "--min_size", 36, "--max_size", 40, "--num_train_epochs", 2, "--output_dir", out,
                *more, **env)


def text(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


RESULT = ["README.md", "all_results.json", "config.json", "eval_results.json", "model.safetensors", "preprocessor_config.json", "train_results.json",
          "trainer_state.json"]
fresh()
run = WORK + "/run"
r = train(run, "--push_to_hub", "--hub_model_id", "acme/tiny", "--hub_private_repo", "--license", "mit")
check(r.code == 0 and "pushed   %s/acme/tiny" % near.url in r.out, "a run that is pushed", r)
check(sorted(files("acme/tiny")) == RESULT, "its result is there, its checkpoints are not", sorted(files("acme/tiny")))
check(all(open(os.path.join(run, n), "rb").read() == data for n, data in files("acme/tiny").items()), "as it is on the disk")
check(near.hub.load("model", "acme/tiny")["private"] and
      near.hub.load("model", "acme/tiny")["commits"][head("acme/tiny")]["message"] == "End of training", "private, under Trainer's message")
creates = [e["seq"] for e in seen("POST", "/api/repos/create")]
check(len(creates) == 2 and
      seen("GET", "/auth-check/write")[0]["seq"] < creates[1], "the repository was made and the right asked for before the first step")
card = text(run + "/README.md")
state = json.loads(text(run + "/trainer_state.json"))
evals = [e for e in state["log_history"] if "eval_loss" in e]
check(all("| %s | %d | %.4f | %.4f |" % (e["epoch"], e["step"], e["eval_loss"], e["eval_accuracy"]) in card for e in evals)
      and len(evals) == 2, "the card has a row an evaluation", card)
best = max(evals, key=lambda e: e["eval_accuracy"])
check("      value: %s\n" % round(best["eval_accuracy"], 4) in card, "the figures of the best model", best, card)
check('name: "no: clips"' in card, "names in quotes where they must be", card)
check(WORK not in card, "no path of this machine")
check("\nlicense: mit\n" in card, "the license that was given")
check(card.count("| 2 | ") == 2, "accuracy of each class", card)

fresh()
check(reel("hub", "upload", "acme/open", WORK + "/c").code == 0, "a public repository")
fresh()
r = train(WORK + "/r2", "--push_to_hub", "--hub_model_id", "acme/open", "--hub_private_repo")
refused(r, "one that is public already is not pushed to where private was asked for", "acme/open", "is public", "Nothing was sent")
check(not os.path.exists(WORK + "/r2") and sorted(files("acme/open")) == ["config.json"], "before the first step")
fresh()
r = train(WORK + "/r2", "--push_to_hub", "--hub_model_id", "acme/none", HF_TOKEN="hf_mock_read")
refused(r, "a token that may not write is refused before anything is done", "role write")
check(not os.path.exists(WORK + "/r2"), "no folder was made")
refused(train(WORK + "/r2", "--push_to_hub", "--hub_model_id", "acme/none", HF_TOKEN=None), "no token", "reel hub login")
refused(train(WORK + "/r2", "--push_to_hub", "--hub_model_id", "a--b/x"), "a name that is none", "--hub_model_id")
refused(train(WORK + "/r2", "--push_to_hub", "--hub_model_id", "acme/none", HF_HUB_OFFLINE="1"), "offline", "acme/none is not possible in offline mode")
check(not os.path.exists(WORK + "/r2"), "offline: no folder was made")
r = train(WORK + "/r2", "--hub_token", "hf_mock_write")
check(r.code == 2 and "reel hub login" in r.err and "hf_mock_write" not in r.err, "--hub_token is refused, and not shown", r)

fresh()
r = train(WORK + "/named-so", "--push_to_hub", "--json")
check(r.code == 0 and head("alice/named-so") is not None, "without a name it is called as the folder", r)
check(r.json[-1].get("hub_url") == near.url + "/alice/named-so" and r.json[-1].get("hub_commit") == head("alice/named-so"), "JSON tells the address", r)
check([e.get("path") for e in r.json if e["event"] == "push"] == [near.url + "/alice/named-so"], "and a push event with it", r)

fresh()
r = train(WORK + "/plain")
check(r.code == 0 and not seen() and not os.path.exists(WORK + "/plain/README.md"), "without --push_to_hub nothing is asked, and no card is written", r)

fresh()
fault("/commit/", "POST", times=-1, status=403, body={"error": "not today"})
failing = WORK + "/it's `x` $HOME \n failing"
r = train(failing, "--push_to_hub", "--hub_model_id", "acme/failing")
check(r.code == 1 and "not today" in r.err and "done " in r.out, "a push that fails is exit 1", r)
check(all(n in os.listdir(failing) for n in RESULT) and json.loads(text(failing + "/trainer_state.json"))["global_step"] == 6, "everything is in the folder")
check(files("acme/failing") == {}, "and nothing on the Hub")
found = re.search(r"(reel hub upload .*) \(all of it", r.err)
command = found[1] if found else "false"
for name in ("_mine.txt", ".half.tmp", ".trash-3.1/config.json", ".reel.lock"):
    write(os.path.join(failing, name), "stays")
fresh()
r = subprocess.run(["bash", "-c", command], env=dict(environment(near, near.home, HF_TOKEN=WRITE), PATH=os.path.dirname(REEL) + ":" + os.environ["PATH"]),
                   capture_output=True, text=True, cwd=WORK)
check(r.returncode == 0 and sorted(files("acme/failing")) == RESULT, "the command that it names does it, and leaves out what the push does", command, r,
      sorted(files("acme/failing")))
check(command.count("--exclude") > 4 and "," not in command, "an --exclude a pattern", command)
check("\n" not in command and "\\012" in command, "on one line", command)
for name in ("_mine.txt", ".half.tmp", ".reel.lock"):
    os.unlink(os.path.join(failing, name))
shutil.rmtree(failing + "/.trash-3.1")
far = "/".join(["a folder whose name is long " + "x" * 60] * 8)
fault("/commit/", "POST", times=-1, status=403, body={"error": "not today"})
r = train(far, "--push_to_hub", "--hub_model_id", "acme/far")
check(r.code == 1 and "not today" in r.err and "--exclude" not in r.err and r.err.rstrip().endswith("x)."), "a command that has no room is not shown cut", r)
os.unlink(failing + "/README.md")
fresh()
r = reel("train", "--resume_from_checkpoint", failing + "/checkpoint-6")
check(r.code == 0 and len(seen("POST", "/commit/")) == 1, "going on from the last checkpoint pushes too", r)
check(text(failing + "/README.md").count("| 2 | ") == 2, "with the table of classes")

# A README of the user.
for name in ("README.md", "_notes.txt", "mine.txt"):
    with open(os.path.join(failing, name), "w") as f:
        f.write("---\nlicense: apache-2.0\n---\n# My words\n" if name == "README.md" else "mine")
fresh()
r = reel("train", "--resume_from_checkpoint", failing + "/checkpoint-6")
card = text(failing + "/README.md")
check(r.code == 0 and card.startswith("---\nlicense: apache-2.0\n") and card.endswith("---\n# My words\n"), "a README of the user keeps its words", card)
check("\nmodel-index:\n" in card and "\npipeline_tag: video-classification\n" in card and card.count("license:") == 1, "and gets what it lacks", card)
check("_notes.txt" not in files("acme/failing") and files("acme/failing").get("mine.txt") == b"mine", "what begins with _ stays, other files go")

# One that stands on the Hub alone, from elsewhere.
fresh()
near.put("acme/failing", "README.md", "---\nlicense: mit\n---\n# Words from the page\n")
r = train(WORK + "/elsewhere", "--push_to_hub", "--hub_model_id", "acme/failing")
card = files("acme/failing")["README.md"].decode()
check(r.code == 0 and card.startswith("---\nlicense: mit\n") and card.endswith("---\n# Words from the page\n") and "\nmodel-index:\n" in card,
      "so does one that is on the Hub alone", r, card)
check("its words stay" in r.err + r.out and text(WORK + "/elsewhere/README.md") == card, "which is said, and is in the folder as well", r)
fresh()
put_back = card.replace("# Words", "<!-- Written by reel -->\n# Words")
near.put("acme/failing", "README.md", put_back)
r = train(WORK + "/elsewhere2", "--push_to_hub", "--hub_model_id", "acme/failing")
check(r.code == 0 and "Words from the page" not in files("acme/failing")["README.md"].decode(), "one of reel is written anew", r)
fresh()
fault("/resolve/", times=-1, status=403, body={"error": "not today"})
r = train(WORK + "/elsewhere3", "--push_to_hub", "--hub_model_id", "acme/failing")
check(r.code == 1 and "not pushed" in r.err and "reel hub upload" in r.err and not seen("POST", "/commit/"), "one that cannot be read is not written over", r)

# A new run over an old one.
fresh()
r = train(run, "--overwrite_output_dir")
check(r.code == 0 and not os.path.exists(run + "/README.md"), "a new run takes the old card away", r)

# Model and data of the Hub: the card names them, and the license is the model's.
fresh()
r = reel("model", "new", "--from_config", WORK + "/c/config.json", "-o", WORK + "/base")
check(r.code == 0 and reel("hub", "upload", "acme/base", WORK + "/base").code == 0, "a model", r)
subprocess.run(["tar", "-czf", WORK + "/clips.tar.gz", "-C", WORK, "no: clips"], check=True)
r = reel("hub", "upload", "acme/clips", WORK + "/clips.tar.gz", "--repo_type", "dataset")
check(r.code == 0, "a data set", r)
os.makedirs(WORK + "/acme/base")  # of acme/base@main it is no copy
os.makedirs(WORK + "/acme/clips")
fault("/api/models/acme/base$", "GET", times=-1, status=200, body={"id": "acme/base", "sha": head("acme/base"), "private": False, "tags": ["license:openrail"]})
r = reel("train", "--model", "acme/base@main", "--data", "acme/clips:clips.tar.gz", "--sample_rate", 2, "--per_device_train_batch_size", 4, "--min_size", 36,
         "--max_size", 40, "--max_steps", 2, "--output_dir", WORK + "/fine", "--push_to_hub", "--hub_model_id", "acme/fine")
card = text(WORK + "/fine/README.md") if r.code == 0 else ""
for line in ("license: openrail", "base_model: acme/base", "datasets:\n- acme/clips", "      type: acme/clips", "      name: clips"):
    check("\n" + line + "\n" in card, "the card has " + line.replace("\n", " "), r, card)
finish()
