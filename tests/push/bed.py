"""For tests of the command against the local hub: TAP lines, the hub, what it holds, what a run printed. argv[1] is the command."""
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
REEL = os.path.abspath(sys.argv[1])
spec = importlib.util.spec_from_file_location("mock_hub", os.path.join(HERE, "..", "hub", "mock_hub.py"))
mock = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mock)

WORK = tempfile.mkdtemp(prefix="reel_push_")
hub, servers = mock.start(os.path.join(WORK, "hub"), cdn_bind="127.0.0.2")
ENV = {k: v for k, v in os.environ.items() if not k.startswith("HF_") and "proxy" not in k.lower()}
ENV.update(HF_ENDPOINT=hub.hub_url, HF_HOME=os.path.join(WORK, "home"), HF_TOKEN="hf_mock_write", HOME=WORK, XDG_CACHE_HOME=WORK + "/cache",
           LC_ALL="C.UTF-8", OMP_NUM_THREADS="2")
count = failed = 0
secret_shown = []


def check(what, good, *detail):
    global count, failed
    count += 1
    failed += not good
    print("%s %d - %s" % ("ok" if good else "not ok", count, what), flush=True)
    if not good:
        for d in detail:
            print("# " + str(d).replace("\n", "\n# "), flush=True)


class Ran:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err
        self.json = [json.loads(x) for x in out.splitlines() if x.startswith("{")]

    def __str__(self):
        return "exit %s\nout: %s\nerr: %s" % (self.code, self.out[-1500:], self.err[-1500:])


def reel(*args, **env):
    """env: variables changed for this run; None takes one away."""
    e = {k: v for k, v in dict(ENV, **env).items() if v is not None}
    r = subprocess.run([REEL, *map(str, args)], capture_output=True, text=True, env=e, stdin=subprocess.DEVNULL, timeout=120, cwd=WORK)
    for token in ("hf_mock_write", "hf_mock_read", "hf_wrong_token"):
        if token in r.stdout + r.stderr:
            secret_shown.append(args)
    return Ran(r.returncode, r.stdout, r.stderr)


def refused(what, r, *words):
    """One sentence on stderr, exit 1, nothing on stdout."""
    lines = [x for x in r.err.splitlines() if x.startswith("reel: ")]
    check(what, r.code == 1 and len(lines) == 1 and not r.out and all(w in lines[0] for w in words), words, r)
    return r


def fresh(**config):
    hub.faults, hub.log = [], []
    hub.config = dict(mock.CONFIG, **config)


def fault(path, method=None, server="hub", times=1, **action):
    rule = dict(action, path=path, server=server, times=times)
    if method:
        rule["method"] = method
    hub.faults.append(rule)


def seen(method="", path="", server=None):
    return [e for e in hub.log if e["method"].startswith(method) and path in e["path"] and server in (None, e["server"])]


def head(rid, kind="model", branch="main"):
    repo = hub.load(kind, rid)
    return repo and repo["refs"].get(branch)


def files(rid, kind="model", branch="main"):
    """Names and contents at the head of a branch."""
    repo = hub.load(kind, rid)
    out = {}
    for name, e in repo["commits"][repo["refs"][branch]]["files"].items():
        with open(hub.lfs_path(e["lfs"]) if e.get("lfs") else os.path.join(hub.root, "objects/git", e["oid"]), "rb") as f:
            out[name] = f.read()
    out.pop(".gitattributes", None)
    return out


def commits(rid, kind="model"):
    return len(hub.load(kind, rid)["commits"])


def folder(name, contents):
    """Makes WORK/name hold exactly these files; returns its path."""
    path = os.path.join(WORK, name)
    shutil.rmtree(path, ignore_errors=True)
    for n, data in contents.items():
        full = os.path.join(path, n)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
    return path


def finish():
    check("no token reached the store", hub.leaks == 0, hub.leaks)
    check("no token was printed", not secret_shown, secret_shown)
    for s in servers:
        s.shutdown()
    shutil.rmtree(WORK, ignore_errors=True)
    print("1..%d" % count)
    sys.exit(failed > 0)
