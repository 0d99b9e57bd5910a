"""What the tests of the Hub share: a mock hub, runs of reel, TAP. Python's standard library alone. argv[1] is the command."""
import hashlib
import importlib.util
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
REEL = os.path.abspath(sys.argv[1])
WORK = tempfile.mkdtemp(prefix="reel_hub_")
WRITE, READ = "hf_mock_write", "hf_mock_read"
count = failed = 0
mocks = []
tokens_shown = []
SEED = 20240607


class Mock:
    def __init__(self, *args, name="mock"):
        self.dir = os.path.join(WORK, name)
        ready = self.dir + ".ready"
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "mock_hub.py"), "--root", self.dir, "--ready", ready, "--cdn-bind", "127.0.0.2", *args],
            stdout=subprocess.DEVNULL)
        mocks.append(self)
        for _ in range(200):
            if os.path.exists(ready) and os.path.getsize(ready):
                break
            time.sleep(0.05)
        with open(ready) as f:
            where = json.load(f)
        self.url, self.cdn = where["endpoint"], where["cdn"]

    def get(self, what):
        with urllib.request.urlopen(self.url + "/_mock/" + what) as r:
            return r.read().decode()

    def post(self, what, data):
        r = urllib.request.Request(self.url + "/_mock/" + what, json.dumps(data).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(r) as answer:
            return json.loads(answer.read() or b"{}")

    def log(self, method="", path="", server=""):
        lines = [json.loads(x) for x in self.get("log").splitlines() if x.strip()]
        return [e for e in lines if (not method or e["method"] == method) and path in e["path"] and (not server or e["server"] == server)]

    def leaks(self):
        return json.loads(self.get("leaks"))["leaks"]

    def seed(self, rid, folder, kind="model", **more):
        self.post("repo", dict(more, type=kind, id=rid, folder=folder))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def head(self, rid, kind="model"):
        repos = json.loads(self.get("repos"))
        repos = repos if isinstance(repos, list) else repos.get("repos", repos)
        return [r for r in repos if r["id"] == rid and r["type"] == kind][0]


class Silent:
    """A hub that takes every connection, and never answers."""

    def __init__(self):
        self.count, self.held = 0, []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.take, daemon=True).start()

    def take(self):
        while True:
            self.held.append(self.socket.accept()[0])
            self.count += 1


class Run:
    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds
        self.json = [json.loads(x) for x in out.splitlines() if x.startswith("{")]

    def __str__(self):
        return "exit %s\nout: %s\nerr: %s" % (self.code, self.out[-1500:], self.err[-1500:])


class Near:
    """A mock hub in this process, for tests that do something between two requests, or look at what it holds; its writer runs reel."""

    def __init__(self, name="near"):
        spec = importlib.util.spec_from_file_location("mock_hub", os.path.join(HERE, "mock_hub.py"))
        self.mock = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.mock)
        self.hub, self.servers = self.mock.start(os.path.join(WORK, name), cdn_bind="127.0.0.2")
        self.url, self.home = self.hub.hub_url, home()
        mocks.append(self)

    def stop(self):
        check(self.leaks() == 0, "no token came to the storage server", self.leaks())
        for s in self.servers:
            s.shutdown()

    def leaks(self):
        return self.hub.leaks

    def reel(self, *args, **env):
        return reel(self, self.home, *args, timeout=120, **dict({"HF_TOKEN": WRITE}, **env))

    def rest(self):
        """Waits until what was begun is over: a client may be gone before the hub has noted what it asked."""
        end = time.time() + 10
        while self.hub.busy and time.time() < end:
            time.sleep(0.005)

    def fresh(self, **config):
        self.rest()
        self.hub.faults, self.hub.log = [], []
        self.hub.config = dict(self.mock.CONFIG, **config)

    def fault(self, path, method=None, server="hub", times=1, **action):
        rule = dict(action, path=path, server=server, times=times)
        if method:
            rule["method"] = method
        self.hub.faults.append(rule)

    def seen(self, method="", path="", server=None):
        self.rest()
        return [e for e in self.hub.log if e["method"].startswith(method) and path in e["path"] and server in (None, e["server"])]

    def head(self, rid, kind="model", branch="main"):
        repo = self.hub.load(kind, rid)
        return repo and repo["refs"].get(branch)

    def files(self, rid, kind="model", branch="main"):
        """Names and contents at the head of a branch; {} where there is no repository."""
        repo = self.hub.load(kind, rid)
        out = {}
        for name, e in repo["commits"][repo["refs"][branch]]["files"].items() if repo else ():
            out[name] = read(self.hub.lfs_path(e["lfs"]) if e.get("lfs") else os.path.join(self.hub.root, "objects/git", e["oid"]))
        out.pop(".gitattributes", None)
        return out

    def commits(self, rid, kind="model"):
        return len(self.hub.load(kind, rid)["commits"])

    def put(self, rid, path, text):
        """A commit by others."""
        with self.hub.lock:
            repo = self.hub.load("model", rid)
            oid, old = self.hub.resolve(repo, "main")
            self.hub.add_commit(repo, "main", dict(old, **{path: self.hub.store_small(text.encode())}), "put", oid)


homes = 0


def home():
    """A fresh HF_HOME."""
    global homes
    homes += 1
    path = os.path.join(WORK, "home%d" % homes)
    os.makedirs(path)
    return path


def environment(mock, hf_home, **more):
    keep = {k: v for k, v in os.environ.items() if not k.startswith("HF_") and "proxy" not in k.lower() and k != "TRANSFORMERS_OFFLINE"}
    env = dict(keep, HF_HOME=hf_home, HOME=hf_home, XDG_CACHE_HOME=os.path.join(hf_home, "xdg"), LC_ALL="C.UTF-8", OMP_NUM_THREADS="2")
    if mock is not None:
        env["HF_ENDPOINT"] = mock if isinstance(mock, str) else mock.url
    env.update(more)
    return {k: v for k, v in env.items() if v is not None}


def reel(mock, hf_home, *args, stdin="", timeout=60, cwd=None, before=None, **env):
    begun = time.time()
    r = subprocess.run([REEL, *(a if isinstance(a, bytes) else str(a) for a in args)], input=stdin, capture_output=True, text=True, timeout=timeout, cwd=cwd or WORK, preexec_fn=before,
                       env=environment(mock, hf_home, **env))
    if any(token in r.stdout + r.stderr for token in (WRITE, READ)):
        tokens_shown.append(args)
    return Run(r.returncode, r.stdout, r.stderr, time.time() - begun)


def start(mock, hf_home, *args, **env):
    return subprocess.Popen([REEL, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=WORK,
                            env=environment(mock, hf_home, **env))


def check(good, name, *detail):
    global count, failed
    count += 1
    failed += not good
    print("%s %d - %s" % ("ok" if good else "not ok", count, name), flush=True)
    if not good:
        for line in [x for d in detail for x in str(d).splitlines()][:40]:
            print("#   " + line)
    return good


def skip(name, why):
    global count
    count += 1
    print("ok %d - %s # SKIP %s" % (count, name, why), flush=True)


def fails(r, code, *words):
    """One sentence of reel's with all these words, nothing on stdout."""
    lines = [x for x in r.err.splitlines() if x.startswith("reel: ")]
    return r.code == code and len(lines) == 1 and all(w.lower() in lines[0].lower() for w in words) and not r.out


def refused(r, name, *words):
    check(fails(r, 1, *words), name, words, r)
    return r


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    return path


def read(path):
    with open(path, "rb") as f:
        return f.read()


def folder(name, contents):
    """Makes WORK/name hold exactly these files; returns its path."""
    path = os.path.join(WORK, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    for n, data in contents.items():
        write(os.path.join(path, n), data)
    return path


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def git_id(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def tree(top):
    """Every path below a folder, with its content or the target of its link."""
    out = {}
    for base, dirs, names in os.walk(top):
        for n in names + [d for d in dirs if os.path.islink(os.path.join(base, d))]:
            p = os.path.join(base, n)
            out[os.path.relpath(p, top)] = "-> " + os.readlink(p) if os.path.islink(p) else read(p)
    return out


def cache_problems(hf_home):
    """What is read as data in a cache must be whole: blobs are what their name says, links lead to blobs, refs name commits."""
    bad = []
    top = os.path.join(hf_home, "hub")
    for path, content in tree(top).items():
        parts = path.split(os.sep)
        if len(parts) > 2 and parts[1] == "blobs" and not path.endswith(".incomplete"):
            if parts[2] not in (sha256(content), git_id(content)):
                bad.append("%s has other content" % path)
        if len(parts) > 2 and parts[1] == "snapshots":
            if not os.path.exists(os.path.join(top, path)):
                bad.append("%s leads nowhere" % path)
        if len(parts) > 2 and parts[1] == "refs" and not path.endswith(".tmp") and len(content) != 40:
            bad.append("%s is %r" % (path, content))
    return bad


def holds(folder, files):
    """Does a folder hold exactly these contents (links followed)?"""
    return all(os.path.exists(os.path.join(folder, n)) and read(os.path.join(folder, n)) == c for n, c in files.items())


def finish():
    check(not tokens_shown, "no token was printed", tokens_shown)
    for m in mocks:
        m.stop()
    shutil.rmtree(WORK, ignore_errors=True)
    print("1..%d" % count)
    sys.exit(1 if failed else 0)


def main(tests):
    try:
        for test in tests:
            try:
                test()
            except Exception as e:  # one broken test must not hide the others
                check(False, test.__name__, "%s: %s" % (type(e).__name__, e))
    finally:
        finish()


# A model that takes a moment.
CONFIG = {"architectures": ["VideoMAEForVideoClassification"], "model_type": "videomae", "image_size": 32, "patch_size": 16, "num_channels": 3,
          "num_frames": 4, "tubelet_size": 2, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
          "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.02, "layer_norm_eps": 1e-12,
          "qkv_bias": True, "use_mean_pooling": True, "decoder_num_attention_heads": 2, "decoder_hidden_size": 8, "decoder_num_hidden_layers": 1,
          "decoder_intermediate_size": 16, "norm_pix_loss": True}
RANDOM = random.Random(SEED)
