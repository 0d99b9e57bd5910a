"""ORG/NAME and ORG/NAME:FILE wherever a model or data set is named, and videos at an address."""
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from common import *

mock = Mock()
H = home()
WINDOW = ["--num_frames", "4", "--min_size", "36", "--max_size", "40", "--per_device_train_batch_size", "2", "--max_steps", "1"]


def run(*args, **env):
    return reel(mock, H, *args, **env)


def made():
    write(WORK + "/config.json", json.dumps(CONFIG))
    run("data", "synth", WORK + "/data", "--classes", "2", "--train", "4", "--val", "2", "--test", "2", "--groups", "5", "--width", "64", "--height",
        "48", "--frames", "16", "-q")
    labels = ",".join(sorted(os.listdir(WORK + "/data/test")))
    r = run("model", "new", "--from_config", WORK + "/config.json", "--labels", labels, "-o", WORK + "/model", "-q")
    write(WORK + "/model/notes.md", "not needed")
    os.makedirs(WORK + "/set")
    with tarfile.open(WORK + "/set/clips.tar.gz", "w:gz") as t:
        t.add(WORK + "/data", "data")
    first = sorted(os.listdir(WORK + "/data/test"))[0]
    clip = WORK + "/data/test/%s/%s" % (first, sorted(os.listdir(WORK + "/data/test/" + first))[0])
    shutil.copy(clip, WORK + "/set/clip.avi")
    mock.seed("acme/tiny", WORK + "/model")
    mock.seed("acme/set", WORK + "/set", kind="dataset")
    check(r.code == 0, "a model and a data set on the hub", r)


def models():
    mock.post("reset", {})
    r = run("predict", "--model", "acme/tiny", WORK + "/set/clip.avi", "--json")
    local = run("predict", "--model", WORK + "/model", WORK + "/set/clip.avi", "--json")
    check(r.code == 0 and r.out == local.out, "predict: as from the folder", (str(r), str(local)))
    files = {os.path.basename(p) for p in tree(H + "/hub/models--acme--tiny/snapshots")}
    check(files == {"config.json", "model.safetensors", "preprocessor_config.json"}, "only what is needed is fetched", files)
    mock.post("reset", {})
    r = run("predict", "--model", "acme/tiny", WORK + "/set/clip.avi", "--json")
    check(r.out == local.out and [e["path"] for e in mock.log()][:1] == ["/acme/tiny/resolve/main/config.json"] and len(mock.log()) <= 2,
          "again: one question", [e["path"] for e in mock.log()])
    mock.post("reset", {})
    for env, args in (({}, ["--offline"]), ({"HF_HUB_OFFLINE": "1"}, []), ({"TRANSFORMERS_OFFLINE": "yes"}, [])):
        r = run("predict", "--model", "acme/tiny", WORK + "/set/clip.avi", "--json", *args, **env)
        check(r.out == local.out and not mock.log(), "offline: %s" % (args or env), r)
    r = run("model", "info", "acme/tiny", "--json")
    check(r.code == 0 and json.loads(r.out)["parameters"] > 0, "model info", r)
    r = run("model", "info", "acme/tiny@" + mock.head("acme/tiny")["refs"]["main"])
    check(r.code == 0, "@COMMIT", r)
    r = run("model", "convert", "acme/tiny", "--dtype", "bf16", "-o", WORK + "/bf16")
    check(r.code == 0 and os.path.exists(WORK + "/bf16/model.safetensors"), "model convert", r)
    r = run("evaluate", "--model", "acme/tiny", "--data", "acme/set:clips.tar.gz", "--json")
    check(r.code == 0, "evaluate", r)
    r = run("bench", "--model", "acme/tiny", "--seconds", "0.1", "--json")
    check(r.code == 0, "bench", r)
    r = run("preview", "--data", "acme/set:clips.tar.gz", "--model", "acme/tiny", "-o", WORK + "/p.gif")
    check(r.code == 0, "preview", r)
    r = run("data", "pack", "--data", "acme/set:clips.tar.gz", "--model", "acme/tiny", "--split", "test", "-o", WORK + "/p.safetensors")
    check(r.code == 0, "data pack", r)
    r = run("train", "--model", "acme/tiny", "--data", "acme/set:clips.tar.gz", "--output_dir", WORK + "/run1", *WINDOW)
    check(r.code == 0 and os.path.exists(WORK + "/run1/model.safetensors") and "acme/tiny" in r.err, "train", r)
    h = home()
    r = reel(mock, h, "preview", "--data", WORK + "/data", "--model", "acme/tiny", "-o", WORK + "/q.gif")
    files = {os.path.basename(p) for p in tree(h + "/hub/models--acme--tiny/snapshots")}
    check(r.code == 0 and files == {"config.json", "preprocessor_config.json"}, "a preview fetches no weights", files)


def no_network():
    h = home()
    reel(mock, h, "hub", "download", "acme/tiny")
    begun = time.time()
    r = reel("http://127.0.0.1:9", h, "predict", "--model", "acme/tiny", WORK + "/set/clip.avi", "--json")
    check(r.code == 0 and json.loads(r.out) and "copy" in r.err and time.time() - begun < 20, "a model that is whole in the cache serves when the Hub does not answer", r)
    for path in [os.path.join(b, n) for b, _, names in os.walk(h + "/hub") for n in names if n == "model.safetensors"]:
        os.remove(path)
    r = reel("http://127.0.0.1:9", h, "predict", "--model", "acme/tiny", WORK + "/set/clip.avi", "--json")
    check(fails(r, 1, "acme/tiny", "does not answer"), "without its weights it is told", r)
    h, silent = home(), Silent()
    reel(mock, h, "hub", "download", "acme/tiny")
    reel(mock, h, "hub", "download", "acme/set", "clips.tar.gz", "--repo_type", "dataset")
    r = reel(silent.url, h, "train", "--model", "acme/tiny", "--data", "acme/set:clips.tar.gz", "--output_dir", WORK + "/run2", *WINDOW, HF_HUB_ETAG_TIMEOUT="1")
    check(r.code == 0 and os.path.exists(WORK + "/run2/model.safetensors") and "copy of config.json" in r.err and "copy of clips.tar.gz" in r.err,
          "a hub that never answers: a run starts with what is here, and says so", r)
    check(silent.count == 1, "and waits for it once", silent.count)


def log_in_page():
    """A network's log-in page instead of the Hub: what is here serves; what is not is not called missing."""
    h = home()
    reel(mock, h, "hub", "download", "acme/tiny")
    mock.post("faults", {"path": "/resolve/", "status": 200, "body": "<html>", "headers": {"Content-Type": "text/html"}, "times": -1})
    r = reel(mock, h, "model", "info", "acme/tiny")
    check(r.code == 0 and "copy of config.json" in r.err and mock.url in r.err, "a log-in page instead of the Hub: the copy", r)
    r = reel(mock, home(), "model", "info", "acme/tiny")
    check(fails(r, 1, "acme/tiny", mock.url + " does not answer as a hub does"), "a log-in page instead of the Hub, and no copy", r)
    mock.post("reset", {})


def first_fetch_interrupted():
    """What a first fetch left is no model: the Hub is asked with patience, and its first bad answer ends nothing."""
    local = run("predict", "--model", WORK + "/model", WORK + "/set/clip.avi", "--json")
    for action in ({"reset": True}, {"status": 503}, {"status": 429, "headers": {"Retry-After": "0"}}):
        for had in (["config.json"], ["config.json", "preprocessor_config.json"]):
            h = home()
            mock.post("reset", {})
            reel(mock, h, "hub", "download", "acme/tiny", *had)
            mock.post("faults", dict(action, method="HEAD", path="/config.json", times=1))
            r = reel(mock, h, "predict", "--model", "acme/tiny", WORK + "/set/clip.avi", "--json")
            check(r.code == 0 and r.out == local.out, "%s is here, and the first answer is %s" % (had, action), r)
    for had in (["config.json", "model.safetensors"], ["config.json"]):
        h = home()
        mock.post("reset", {})
        reel(mock, h, "hub", "download", "acme/tiny", *had)
        mock.post("faults", {"method": "HEAD", "path": "/config.json", "status": 503, "times": 1})
        r = reel(mock, h, "preview", "--data", WORK + "/data", "--model", "acme/tiny", "-o", WORK + "/r.gif")
        files = {os.path.basename(p) for p in tree(h + "/hub/models--acme--tiny/snapshots")}
        check(r.code == 0 and "preprocessor_config.json" in files, "%s is here, and how frames are prepared is not" % had, r)
    mock.post("reset", {})


def names():
    r = run("model", "info", "acme/none")
    check(fails(r, 1, "acme/none", "no such folder", "Hub"), "neither a folder nor a repository", r)
    r = run("data", "info", "acme/set:none.tar.gz")
    check(fails(r, 1, "none.tar.gz"), "no such file of a data set", r)
    r = run("data", "info", "acme/none:x.tar.gz", "--offline")
    check(fails(r, 1, "offline"), "offline and not there", r)
    mock.post("reset", {})
    os.makedirs(WORK + "/acme/folder", exist_ok=True)
    r = run("model", "info", "acme/folder")
    check(fails(r, 1, "config.json") and not mock.log(), "a folder of that name is a folder", r)
    for name in ("../acme/x", "acme//x", "a/b/c", "acme/x@../y", "nothing"):
        r = run("model", "info", name)
        check(r.code == 1 and not mock.log(), "%s is no question to the Hub" % name, r)
    bare = WORK + "/bare"
    write(bare + "/config.json", json.dumps(CONFIG))
    mock.seed("acme/bare", bare)
    r = run("model", "info", "acme/bare")
    check(fails(r, 1, "no weights"), "a repository without weights", r)
    for bad in ("../../evil", "/etc/passwd", "a/../b"):
        write(bare + "/model.safetensors.index.json", json.dumps({"metadata": {}, "weight_map": {"w": bad}}))
        mock.seed("acme/bare", bare)
        r = run("model", "info", "acme/bare")
        check(fails(r, 1, "weight_map", "in the folder or below"), "a shard called %s" % bad, r)
    for bad in (".git", "C:x", "\xff\\"):
        write(bare + "/model.safetensors.index.json", json.dumps({"metadata": {}, "weight_map": {"w": bad}}))
        mock.seed("acme/bare", bare)
        check(fails(run("model", "info", "acme/bare"), 1, "weight_map"), "a shard called %r" % bad)


def files_by_name():
    local = run("predict", "--model", WORK + "/model", WORK + "/set/clip.avi", "--json")
    r = run("predict", "--model", "acme/tiny", "acme/set:clip.avi", "--json")
    check(r.code == 0 and r.out == local.out, "predict: a video of a data set", r)
    r = run("predict", "--model", "acme/tiny", "acme/set:none.avi", WORK + "/set/clip.avi")
    check(r.code == 1 and "none.avi" in r.err and "1 of 2" in r.err, "one that is not there beside one that is", r)
    r = run("preview", "acme/set:clip.avi", "--num_frames", "4", "--image_size", "32", "-o", WORK + "/hub.png")
    run("preview", WORK + "/set/clip.avi", "--num_frames", "4", "--image_size", "32", "-o", WORK + "/local.png")
    check(r.code == 0 and "acme/set:clip.avi" in r.out and read(WORK + "/hub.png") == read(WORK + "/local.png"), "preview: the same", r)
    r = run("model", "new", "--from_config", "acme/tiny", "-o", WORK + "/again", "-q")
    check(r.code == 0 and os.path.exists(WORK + "/again/model.safetensors"), "model new: a config", r)
    mock.post("reset", {})
    shutil.copy(WORK + "/set/clip.avi", write(WORK + "/acme/set:clip.avi", ""))
    r = run("predict", "--model", WORK + "/model", "acme/set:clip.avi", "--json")
    check(r.code == 0 and r.out == local.out and not mock.log(), "a file of that name comes first", r)
    os.unlink(WORK + "/acme/set:clip.avi")
    r = run("model", "info", "acme/set")
    check(fails(r, 1, "no such repository of a model") and "--repo_type" not in r.err, "no advice of an option that the verb has not", r)


def shards():
    """Many shards, named in no order: each is fetched once, and those that it does not need are not."""
    folder, n = WORK + "/shards", 60
    write(folder + "/config.json", json.dumps(CONFIG))
    data = read(WORK + "/model/model.safetensors")
    size = int.from_bytes(data[:8], "little")
    tensors = json.loads(data[8:8 + size])
    tensors.pop("__metadata__", None)
    place = {}

    def shard(i, own):
        name = "%smodel-%05d-of-%05d.safetensors" % ("in/part/" if i % 2 else "", i + 1, n)
        head, body = {}, b""
        for k, t in own.items():
            raw = data[8 + size + t["data_offsets"][0]:8 + size + t["data_offsets"][1]]
            head[k] = dict(t, data_offsets=[len(body), len(body) + len(raw)])
            body += raw
            place[k] = name
        text = json.dumps(head).encode()
        text += b" " * (-len(text) % 8)
        write(folder + "/" + name, len(text).to_bytes(8, "little") + text + body)

    items = sorted(tensors.items())
    for i in range(n):
        shard(i, dict(items[i::n]))
    names = list(place)
    RANDOM.shuffle(names)
    write(folder + "/model.safetensors.index.json", json.dumps({"metadata": {}, "weight_map": {k: place[k] for k in names}}))
    write(folder + "/spare.safetensors", b"spare")
    mock.seed("acme/shards", folder)
    mock.post("reset", {})
    r = run("model", "info", "acme/shards", "--json")
    gets = [e["path"].split("?")[0] for e in mock.log("GET", server="cdn")]
    check(r.code == 0 and json.loads(r.out)["parameters"] == json.loads(run("model", "info", WORK + "/model", "--json").out)["parameters"],
          "a model of %d shards, half of them in a folder of their own" % n, r)
    below = {p for p in tree(H + "/hub/models--acme--shards/snapshots") if "/in/part/" in p}
    wanted = {p for p in place.values() if p.startswith("in/part/")}
    check({p.split("/", 1)[1] for p in below} == wanted and len(below) > 10, "which the cache has as well", below)
    r = run("model", "info", "acme/shards", "--json", "--offline")
    check(r.code == 0, "and offline", r)
    check(len(gets) == len(set(gets)) and not [e for e in mock.log() if "spare" in e["path"]], "each is fetched once, and no other", len(gets))


FAR = "x" * 20000


class Videos(BaseHTTPRequestHandler):
    tokens = []

    def do_GET(self):
        Videos.tokens.append(self.headers.get("Authorization"))
        body = read(WORK + "/set/clip.avi")
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", {"/moved": "/clip.avi?again=1", "/moved-blank": "/cl ip.avi", "/moved-far": "/far.avi?" + FAR, "/moved-file": "file:///etc/passwd", "/moved-round?secret=1": "/moved-round?secret=1"}[self.path])
            self.end_headers()
            return
        self.send_response(404 if " " in self.path or self.path.startswith("/far.avi") and not self.path.endswith(FAR) else
                           {"/gone.avi": 404, "/error.avi": 500}.get(self.path, 200))
        if self.path == "/huge.avi":
            self.send_header("Content-Length", str(3 << 30))
            self.end_headers()
            self.wfile.write(body)
            return
        if self.path == "/text.avi":
            body = b"<html>no video</html>"
        if self.path != "/slow.avi":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path == "/slow.avi":
            try:
                for _ in range(200):
                    self.wfile.write(body[:1])
                    self.wfile.flush()
                    time.sleep(0.1)
            except OSError:
                pass
            return
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def addresses():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Videos)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = "http://127.0.0.1:%d" % server.server_port
    local = json.loads(run("predict", "--model", WORK + "/model", WORK + "/set/clip.avi", "--json").out)
    left = lambda: [f for f in os.listdir(H + "/xdg/reel") if f.startswith("reel-url")]

    def predict(*paths, **env):
        return run("predict", "--model", WORK + "/model", "--json", *[url + p for p in paths], **env)

    r = predict("/clip.avi?secret=1", HF_TOKEN=WRITE)
    got = json.loads(r.out)
    check(r.code == 0 and got == local and "secret" not in r.out + r.err, "a video at an address: as the file", r)
    check(not left(), "no temporary file stays")
    r = predict("/moved", HF_TOKEN=WRITE)
    check(r.code == 0, "moved", r)
    r = predict("/moved-far")
    check(r.code == 0 and json.loads(r.out) == local, "moved to an address of 20000 characters", r)
    check(not any(Videos.tokens), "no token is sent", Videos.tokens)
    r = predict("/moved-blank")
    check(r.code == 0 and json.loads(r.out) == local, "moved to an address with blanks", r)
    for path, words in (("/gone.avi", "404"), ("/error.avi", "500"), ("/huge.avi", "larger than"), ("/moved-file", "may not go"), ("/moved-round?secret=1", "circle")):
        r = predict(path)
        check(fails(r, 1, words) and "secret" not in r.err and not left(), path, r)
    r = predict("/text.avi")
    check(fails(r, 1, url + "/text.avi: ") and "/proc" not in r.err and "reel-url" not in r.err and not left(), "what is no video: its address is told", r)
    r = predict("/clip.avi", "/gone.avi")
    check("404" in r.err and local[0]["label"] in r.out, "one of two is not there: the other is told", r)
    r = predict("/clip.avi", HF_HUB_OFFLINE="1")
    check(fails(r, 1, "offline"), "not offline", r)
    r = run("predict", "--model", WORK + "/model", "http://user:pass@127.0.0.1/x.avi")
    check(fails(r, 1, "password") and "pass@" not in r.err, "no password in an address", r)
    for number, name in ((signal.SIGINT, "Ctrl-C"), (signal.SIGKILL, "kill -9")):
        asked = len(Videos.tokens)
        p = start(mock, H, "predict", "--model", WORK + "/model", url + "/slow.avi")
        while p.poll() is None and len(Videos.tokens) == asked:
            time.sleep(0.02)
        time.sleep(0.3)
        held = [os.readlink("/proc/%d/fd/%s" % (p.pid, fd)) for fd in os.listdir("/proc/%d/fd" % p.pid)]
        p.send_signal(number)
        p.communicate()
        check([f for f in held if H + "/xdg/reel/" in f] and p.returncode == -number and not left(), name + " leaves no temporary file",
              (held, p.returncode, left()))
    r = predict(*["/clip.avi?%d" % i for i in range(300)])
    check(r.code == 0 and json.loads(r.out) == [local] * 300 and not left(), "more addresses than descriptors are held for", r)
    server.shutdown()


main([made, models, no_network, log_in_page, first_fetch_interrupted, names, files_by_name, shards, addresses])
