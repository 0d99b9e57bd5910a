"""The Hub's cache, tokens and local folders shared with the official client, both ways, against a mock hub."""
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request

import common as c

MOCK = os.path.join(os.path.dirname(c.HERE), "hub", "mock_hub.py")
FILES = {"config.json": b'{"a": 1}\n', "sub/a.txt": b"hi\n", "empty.txt": b"", "model.safetensors": os.urandom(2_000_000)}
PRELUDE = """import json, os, sys
import huggingface_hub as H
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
def show(**k): print(json.dumps(k))
"""


class Bed:
    """A mock hub, and both clients with one HF_HOME."""

    def __init__(self, seeds):
        self.dir = c.folder("hub")
        ready = os.path.join(self.dir, "ready")
        self.process = subprocess.Popen([sys.executable, MOCK, "--root", os.path.join(self.dir, "root"), "--ready", ready, "--cdn-bind", "127.0.0.2",
                                         *[x for s in seeds for x in ("--seed", s)]], stdout=subprocess.DEVNULL)
        for _ in range(200):
            if os.path.exists(ready) and os.path.getsize(ready):
                break
            time.sleep(0.05)
        self.url = c.read_json(ready)["endpoint"]
        self.homes = 0

    def fresh(self):
        self.homes += 1
        self.home = os.path.join(self.dir, f"home{self.homes}")
        os.makedirs(self.home)
        self.post("reset", {})

    def post(self, what, data):
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/_mock/{what}", json.dumps(data).encode())) as r:
            return r.read()

    def log(self):
        with urllib.request.urlopen(f"{self.url}/_mock/log") as r:
            return [json.loads(x) for x in r.read().decode().splitlines() if x]

    def env(self, **more):
        keep = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
        return dict(keep, HF_HOME=self.home, HF_ENDPOINT=self.url, HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_TELEMETRY="1",
                    HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HUB_DISABLE_UPDATE_CHECK="1", XDG_CACHE_HOME=os.path.join(self.home, "xdg"), **more)

    def python(self, code, **env):
        r = subprocess.run([sys.executable, "-c", PRELUDE + code], capture_output=True, text=True, env=self.env(**env), cwd=self.dir)
        if r.returncode != 0:
            return {"failed": r.stderr[-1500:]}
        return json.loads(r.stdout.strip().splitlines()[-1])

    def reel(self, *args, stdin="", **env):
        return subprocess.run([c.REEL, *map(str, args)], input=stdin, capture_output=True, text=True, env=self.env(**env), cwd=self.dir)


def report(good, name, detail=""):
    c.report(bool(good), name, "" if good else str(detail).replace("\n", " "))


def whole(folder):
    return all(open(os.path.join(folder, n), "rb").read() == d for n, d in FILES.items())


def cache_both_ways(b):
    b.fresh()
    r = b.reel("hub", "download", "acme/vid")
    b.post("reset", {})
    p = b.python('p = snapshot_download("acme/vid"); f = hf_hub_download("acme/vid", "sub/a.txt"); s = H.scan_cache_dir(); '
                 'show(p=p, f=open(f).read(), w=[str(x) for x in s.warnings], n=len(s.repos))', HF_HUB_OFFLINE="1")
    report(r.returncode == 0 and p.get("p") == r.stdout.strip() and p["f"] == "hi\n" and not p["w"] and p["n"] == 1 and whole(p["p"]) and not b.log(),
             "reel downloads, Python reads offline", "" if "p" in p else str(p) + r.stderr)
    p = b.python('show(p=snapshot_download("acme/vid"))')
    bodies = [e for e in b.log() if e["method"] == "GET" and ("/resolve/" in e["path"] or e["server"] == "cdn")]
    report("p" in p and not bodies, "Python online finds all that reel downloaded", str(bodies or ""))
    b.fresh()
    p = b.python('show(p=snapshot_download("acme/vid"))')
    b.post("reset", {})
    r = b.reel("hub", "download", "acme/vid", "--offline")
    report(r.returncode == 0 and r.stdout.strip() == p.get("p") and not b.log() and "warning" not in r.stderr, "Python downloads, reel runs offline", r.stderr)
    r = b.reel("hub", "download", "acme/vid", "--json")
    report(r.returncode == 0 and json.loads(r.stdout)["fetched"] == 0, "reel online finds all that Python downloaded", r.stderr)
    b.fresh()
    folder = b.reel("hub", "download", "acme/vid").stdout.strip()
    os.unlink(os.path.join(folder, "config.json"))
    p = b.python('try:\n    snapshot_download("acme/vid"); show(e="")\nexcept Exception as e: show(e=type(e).__name__)\n', HF_HUB_OFFLINE="1")
    report(p.get("e"), "a file is missing: Python tells by reel's listing", p)
    b.fresh()
    b.reel("hub", "download", "acme/vid", "nothing.txt")
    p = b.python('from huggingface_hub import try_to_load_from_cache, _CACHED_NO_EXIST as N; show(n=try_to_load_from_cache("acme/vid", "nothing.txt") is N)')
    report(p.get("n") is True, "what reel found missing is known to Python", str(p))


def tokens_both_ways(b):
    b.fresh()
    b.reel("hub", "login", stdin="hf_mock_write")
    p = b.python('from huggingface_hub.utils import get_stored_tokens; show(t=H.get_token(), n=HfApi().whoami()["name"], s=get_stored_tokens())')
    report(p.get("t") == "hf_mock_write" and p["n"] == "alice" and p["s"] == {"mock-write": "hf_mock_write"}, "reel logs in, Python is logged in", str(p))
    b.fresh()
    b.python('H.login("hf_mock_read"); show(x=1)')
    r = b.reel("hub", "whoami", "--json")
    report(r.returncode == 0 and json.loads(r.stdout)["name"] == "bob", "Python logs in, reel is logged in", r.stderr)
    before = open(os.path.join(b.home, "stored_tokens")).read()
    b.reel("hub", "login", stdin="hf_mock_write")
    p = b.python('from huggingface_hub.utils import get_stored_tokens; show(s=get_stored_tokens())')
    report(p.get("s") == {"mock-read": "hf_mock_read", "mock-write": "hf_mock_write"}, "both names are kept", before)
    b.reel("hub", "logout")
    p = b.python('show(t=H.get_token())')
    report(p.get("t", 0) is None, "reel logs out, Python is logged out", str(p))


def folders_both_ways(b):
    b.fresh()
    d = os.path.join(b.home, "d")
    b.reel("hub", "download", "acme/vid", "--local_dir", d)
    b.post("reset", {})
    p = b.python(f'show(p=snapshot_download("acme/vid", local_dir={d!r}))')
    bodies = [e for e in b.log() if e["method"] == "GET" and ("/resolve/" in e["path"] or e["server"] == "cdn")]
    report("p" in p and not bodies and whole(d), "reel fills a folder, Python fetches nothing", str(bodies or p))
    b.fresh()
    d = os.path.join(b.home, "d")
    b.python(f'show(p=snapshot_download("acme/vid", local_dir={d!r}))')
    b.post("reset", {})
    r = b.reel("hub", "download", "acme/vid", "--local_dir", d, "--json")
    report(r.returncode == 0 and json.loads(r.stdout)["fetched"] == 0 and whole(d), "Python fills a folder, reel fetches nothing", r.stderr + r.stdout)


def together(b):
    b.fresh()
    b.post("faults", {"server": "cdn", "method": "GET", "rate": 600_000, "times": -1})
    code = PRELUDE + 'print(hf_hub_download("acme/vid", "model.safetensors"))'
    p = subprocess.Popen([sys.executable, "-c", code], env=b.env(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    for _ in range(200):
        if any(e for e in b.log()):
            break
        time.sleep(0.05)
    r = b.reel("hub", "download", "acme/vid", "model.safetensors")
    p.communicate()
    bodies = [e for e in b.log() if e["server"] == "cdn" and e["method"] == "GET"]
    report(p.returncode == 0 and r.returncode == 0 and len(bodies) == 1 and open(r.stdout.strip(), "rb").read() == FILES["model.safetensors"],
             "both at once: one body", f"{len(bodies)} bodies {r.stderr}")


def models_both_ways(b):
    import predict_parity
    model = predict_parity.make_model(c.folder("hub_model"))
    b.post("repo", {"type": "model", "id": "acme/tiny", "folder": model})
    load = ('from transformers import VideoMAEForVideoClassification as M, AutoImageProcessor as P; m = M.from_pretrained("acme/tiny"); '
            'p = P.from_pretrained("acme/tiny"); show(n=sum(x.numel() for x in m.parameters()), mean=list(p.image_mean))')
    b.fresh()
    r = b.reel("model", "info", "acme/tiny", "--json")
    b.post("reset", {})
    p = b.python(load, HF_HUB_OFFLINE="1")
    report(r.returncode == 0 and p.get("n") == json.loads(r.stdout)["parameters"] and not b.log(), "reel loads ORG/NAME, from_pretrained works offline", str(p) + r.stderr)
    b.fresh()
    p = b.python(load)
    b.post("reset", {})
    r = b.reel("model", "info", "acme/tiny", "--json", "--offline")
    report(r.returncode == 0 and json.loads(r.stdout)["parameters"] == p.get("n") and not b.log(), "from_pretrained, then reel works offline", str(p) + r.stderr)


def main():
    source = c.folder("hub_source")
    for name, data in FILES.items():
        path = os.path.join(source, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
    b = Bed([f"acme/vid={source}"])
    try:
        for part in (cache_both_ways, tokens_both_ways, folders_both_ways, together, models_both_ways):
            part(b)
    finally:
        b.process.terminate()
        b.process.wait()
        shutil.rmtree(b.dir, ignore_errors=True)


if __name__ == "__main__":
    main()
    c.finish()
