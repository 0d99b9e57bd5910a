"""hub download: the cache's layout, and every fault that a server or a line can have."""
import re
import resource
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from common import *

FILES = {"config.json": b'{"a": 1}\n', "sub/a.txt": b"hi\n", "d \u00e9/a b#c?.txt": b"odd\n", "empty.txt": b"",
         "model.safetensors": RANDOM.randbytes(3_000_000), "other.bin": RANDOM.randbytes(300_000)}
SHA = sha256(FILES["model.safetensors"])
src = os.path.join(WORK, "src")
for name, data in FILES.items():
    write(os.path.join(src, name), data)
mock = Mock("--seed", "acme/vid=" + src, "--seed", "dataset:acme/clips=" + src)
REPO = "hub/models--acme--vid"
FILES[".gitattributes"] = None


def head():
    return mock.head("acme/vid")["refs"]["main"]


def fresh(*faults, **config):
    mock.post("reset", {})
    mock.post("config", dict({"page_size": 1000, "cdn_url_ttl": 3600.0, "cdn_url_pad": 0, "endpoint_in_urls": "", "resolve_cache": True, "gzip_regular": False,
                              "xet": False}, **config))
    if faults:
        mock.post("faults", list(faults))
    return home()


def get(h, *args, **env):
    return reel(mock, h, "hub", "download", "acme/vid", *args, **env)


def whole(r, h):
    files = {k: v for k, v in FILES.items() if v is not None}
    return r.code == 0 and holds(r.out.strip(), files) and not cache_problems(h) and mock.leaks() == 0


def layout():
    h = fresh()
    r = get(h, HF_TOKEN=WRITE)
    check(whole(r, h), "a whole repository", r)
    t = tree(os.path.join(h, REPO))
    c = head()
    check(t["refs/main"] == c.encode(), "the ref has no newline")
    check(t["snapshots/%s/config.json" % c] == "-> ../../blobs/" + git_id(FILES["config.json"]), "a link of two steps")
    check(t["snapshots/%s/sub/a.txt" % c] == "-> ../../../blobs/" + git_id(b"hi\n"), "a link of three steps")
    check(t["snapshots/%s/model.safetensors" % c] == "-> ../../blobs/" + SHA, "a large file's blob has its SHA-256")
    check(not [k for k in t if k.endswith((".incomplete", ".tmp"))], "no partial file stays")
    tree_json = json.loads(t["trees/%s.json" % c])
    check(tree_json["format_version"] == 1 and tree_json["files"]["model.safetensors"]["lfs_sha256"] == SHA, "trees/COMMIT.json")
    check(read(h + "/hub/CACHEDIR.TAG").startswith(b"Signature: 8a477f597d28d172789f06886806bc55\n"), "CACHEDIR.TAG")
    check(os.path.exists(h + "/hub/.locks/models--acme--vid/%s.lock" % SHA), "the lock stays")
    mock.post("reset", {})
    r = get(h)
    check(whole(r, h) and not mock.log("GET", "/resolve/") and not mock.log(server="cdn"), "again: nothing is fetched", mock.log())
    r = get(h, "--json", "config.json", "--force_download")
    check(r.code == 0 and json.loads(r.out)["fetched"] == 1 and json.loads(r.out)["commit"] == c, "--force_download, --json", r)
    mock.post("reset", {})
    r = get(h, "config.json", "--revision", c)
    check(r.code == 0 and not mock.log(), "a full commit id that is there: no network", mock.log())
    r = get(h, "--offline")
    check(whole(r, h) and not mock.log(), "--offline: from the cache, no network", r)
    r = reel("http://127.0.0.1:9", h, "hub", "download", "acme/vid", "sub/a.txt")
    check(r.code == 0 and "warning" in r.err and read(r.out.strip()) == b"hi\n" and r.seconds < 3, "dead endpoint: the copy, and a warning", r)
    r = reel("http://127.0.0.1:9", h, "hub", "download", "acme/vid")
    check(whole(r, h) and "warning" in r.err, "dead endpoint: the whole copy", r)
    os.unlink(r.out.strip() + "/config.json")
    r = get(h, "--offline")
    check(fails(r, 1, "1 of its 7 files"), "offline: a copy that is not whole is told", r)


def kinds():
    h = fresh()
    r = get(h, "config.json", "sub/a.txt")
    check(r.code == 0 and r.out.strip().endswith(head()) and holds(r.out.strip(), {"config.json": FILES["config.json"]}), "two files", r)
    check(not os.path.exists(h + "/" + REPO + "/trees"), "no trees file for a part")
    r = get(h, "d é/a b#c?.txt")
    check(r.code == 0 and read(r.out.rstrip("\n")) == b"odd\n", "a name that needs quoting", r)
    r = get(h, "empty.txt")
    check(r.code == 0 and read(r.out.strip()) == b"", "an empty file", r)
    r = reel(mock, h, "hub", "download", "acme/clips", "other.bin", "--repo_type", "dataset")
    check(r.code == 0 and "datasets--acme--clips" in r.out and read(r.out.strip()) == FILES["other.bin"], "a data set", r)
    r = reel(mock, fresh(page_size=2), "hub", "download", "acme/vid", "--include", "*.txt", "--include", "*.json", "--exclude", "sub/*")
    check(r.code == 0 and sorted(tree(r.out.strip())) == ["config.json", "d é/a b#c?.txt", "empty.txt"], "patterns, pages of two", tree(r.out.strip()))
    r = get(home(), "sub/")
    check(r.code == 0 and list(tree(r.out.strip())) == ["sub/a.txt"], "a folder", r)
    r = reel(mock, home(), "hub", "download", "acme/vid", "--exclude", "*.safetensors", "--exclude", "*.bin", "--exclude", "*.txt")
    check(r.code == 0 and sorted(tree(r.out.strip())) == [".gitattributes", "config.json"], "each --exclude counts", r)
    mock.seed("acme/comma", folder("comma", {"a,b.txt": "ab", "a": "a", "b.txt": "b", "sub/x[1].txt": "x", "sub/x1.txt": "1"}))
    r = reel(mock, home(), "hub", "download", "acme/comma", "a,b.txt", "sub/")
    check(r.code == 0 and sorted(tree(r.out.strip())) == ["a,b.txt", "sub/x1.txt", "sub/x[1].txt"], "a comma is part of a name", r)
    r = reel(mock, home(), "hub", "download", "acme/comma", "--include", "a,*", "--include", "sub/x[1].txt")
    check(r.code == 0 and sorted(tree(r.out.strip())) == ["a,b.txt", "sub/x1.txt", "sub/x[1].txt"], "and of a pattern", r)
    options = write(WORK + "/options.json", json.dumps({"include": ["*.txt", "a"], "exclude": "sub/"}))
    r = reel(mock, home(), "hub", "download", "acme/comma", "--config", options)
    check(r.code == 0 and sorted(tree(r.out.strip())) == ["a", "a,b.txt", "b.txt"], "lists from a file", r)
    refused(reel(mock, home(), "hub", "download", "acme/vid@v1.0"), "a revision behind the name", "--revision v1.0")
    refused(reel(mock, home(), "hub", "download", "acme/clips", "x"), "a data set taken for a model", "--repo_type dataset")
    refused(reel(mock, home(), "hub", "download", "acme/comma", "none.txt", "sub/"), "a name that is not there, beside a folder", "none.txt")
    h = fresh()
    get(h, "config.json", "--revision", "refs/pr/1")
    mock.post("put", {"id": "acme/vid", "path": "new.txt", "text": "n"})
    short = head()[:10]
    r = get(h, "new.txt", "--revision", short)
    check(r.code == 0 and read(h + "/" + REPO + "/refs/" + short).decode() == head(), "a short id gets a ref", r)
    h = fresh({"method": "HEAD", "path": "/resolve/", "set_headers": {"X-HF-Warning": "old; Please\x1b[31m mind"}, "times": -1}, resolve_cache=False)
    r = get(h, "config.json", "sub/a.txt", "--max_workers", "1")
    check(r.code == 0 and r.err.count("Please") == 1 and "\x1b" not in r.err, "the hub's warning, once", r)
    h = fresh(xet=True)
    r = get(h, "model.safetensors", HF_TOKEN=WRITE)
    check(r.code == 0 and read(r.out.strip()) == FILES["model.safetensors"] and mock.leaks() == 0, "xet announced: plain", r)
    h = fresh(resolve_cache=False, gzip_regular=True)
    r = get(h, "config.json")
    check(r.code == 0 and not cache_problems(h), "no compression is asked for", r)
    h = fresh(endpoint_in_urls="https://huggingface.co", page_size=3)
    r = get(h)
    check(r.code == 0 and not cache_problems(h), "a mirror that names the public hub", r)
    h = fresh()
    r = get(h, "config.json", HF_HUB_DISABLE_SYMLINKS="1")
    check(r.code == 0 and not os.path.islink(r.out.strip()) and read(r.out.strip()) == FILES["config.json"], "no links: a real file", r)
    r = get(h, "config.json")
    check(r.code == 0 and not os.path.islink(r.out.strip()), "a real file is taken", r)
    mock.post("rename", {"type": "model", "old": "acme/old", "new": "acme/vid"})
    h = fresh()
    r = reel(mock, h, "hub", "download", "acme/old", "model.safetensors", HF_TOKEN=WRITE)
    check(r.code == 0 and "models--acme--old" in r.out and mock.leaks() == 0, "a renamed repository keeps the name that was typed", r)


def local_dir():
    h = fresh()
    d = os.path.join(WORK, "local")
    r = get(h, "--local_dir", d)
    check(r.code == 0 and r.out.strip() == d and holds(d, {k: v for k, v in FILES.items() if v is not None}), "--local_dir", r)
    notes = os.path.join(d, ".cache/huggingface")
    check(read(notes + "/.gitignore") == b"*" and read(notes + "/download/sub/a.txt.metadata").split()[:2] ==
          [head().encode(), git_id(b"hi\n").encode()], "its notes")
    check(not os.path.exists(h + "/hub/models--acme--vid"), "the cache is not written")
    mock.post("reset", {})
    r = get(h, "--local_dir", d)
    check(r.code == 0 and not mock.log("GET", "/resolve/"), "again: nothing is fetched", mock.log())
    r = get(h, "sub/a.txt", "--local_dir", d, "--revision", head())
    check(r.code == 0 and r.out.strip() == d + "/sub/a.txt", "one file", r)
    write(d + "/sub/a.txt", "changed")
    later = time.time() + 10
    os.utime(d + "/sub/a.txt", (later, later))
    r = get(h, "sub/a.txt", "--local_dir", d)
    check(r.code == 0 and read(d + "/sub/a.txt") == b"hi\n", "a changed file is fetched again", r)
    os.unlink(notes + "/download/model.safetensors.metadata")
    mock.post("reset", {})
    r = get(h, "model.safetensors", "--local_dir", d)
    check(r.code == 0 and not mock.log(server="cdn") and os.path.exists(notes + "/download/model.safetensors.metadata"), "no note: it is hashed", r)
    get(h, "other.bin")
    mock.post("reset", {})
    r = get(h, "other.bin", "--local_dir", d + "2")
    check(r.code == 0 and not mock.log(server="cdn") and read(d + "2/other.bin") == FILES["other.bin"], "from the cache", mock.log())


def refusals():
    mock.seed("acme/secret", src, private=True)
    mock.seed("acme/gate", src, gated="manual")
    h = fresh()
    for args, words, name in (
            (["acme/none"], ["acme/none", "no such repository", "login"], "no such repository"),
            (["acme/secret"], ["private", "login"], "a private one"),
            (["acme/gate", "config.json"], ["conditions", "login", "(%s/acme/gate)" % mock.url], "a gated one: where to ask for access"),
            (["acme/vid", "confg.json"], ["confg.json", "did you mean 'config.json'"], "no such file: the nearest is told"),
            (["acme/vid", "--revision", "nope"], ["nope", "revision"], "no such revision"),
            (["acme/vid", "config.json", "--revision", "nope"], ["nope", "revision"], "no such revision, one file"),
            (["a//b"], ["not the name"], "no name"), (["acme/vid", "../x"], ["cannot be the name"], "a file outside"),
            (["acme/vid", "x", "--revision", "../y"], ["--revision"], "a revision outside"),
            (["acme/vid", "--include", "*.zip"], ["matches"], "nothing that matches")):
        r = reel(mock, h, "hub", "download", *args)
        check(fails(r, 1, *words), name, r)
    r = reel(mock, h, "hub", "download", "acme/secret", "config.json", HF_TOKEN=READ)
    check(fails(r, 1, "HF_TOKEN", "no access") and READ not in r.err, "a token without access: where it is from", r)
    r = reel(mock, h, "hub", "download", "acme/vid", "config.json", HF_TOKEN="hf_bad")
    check(fails(r, 1, "HF_TOKEN") and "hf_bad" not in r.err, "a bad token, on public files too", r)
    r = reel(mock, h, "hub", "download", "acme/secret", "config.json", HF_TOKEN=WRITE)
    check(r.code == 0, "its owner gets the private one", r)
    r = reel(mock, h, "hub", "download", "acme/secret", "config.json")
    check(r.code == 0 and "warning" in r.err, "access that was lost: the copy", r)
    r = reel(mock, h, "hub", "download", "acme/none2", "config.json", "--offline")
    check(fails(r, 1, "offline", "config.json", "acme/none2"), "offline and not there", r)
    r = reel("http://127.0.0.1:9", home(), "hub", "download", "acme/vid", "config.json")
    check(fails(r, 1, "127.0.0.1:9", "tried 2 times") and r.seconds < 5, "dead endpoint and no copy (%.1f s)" % r.seconds, r)
    names = [os.path.join(b, n) for b, folders, files in os.walk(h) for n in folders + files]
    check(names and not [n for n in names if "none" in n], "what is not there leaves no folder", names)
    h = fresh()
    get(h, "nothing.txt")
    t = tree(os.path.join(h, REPO))
    check(t.get(".no_exist/%s/nothing.txt" % head()) == b"" and t["refs/main"] == head().encode(), ".no_exist", list(t))


def no_hub():
    """Answers of a proxy, a log-in page or another server say nothing of the repository: a copy serves, and nothing is noted."""
    page = {"Content-Type": "text/html"}
    told = (mock.url + " does not answer as a hub does", "HF_ENDPOINT")
    portal = "<html>log in first</html>"
    for action in ([dict(status=n, body="not here") for n in (400, 404, 407, 410, 451)] +
                   [dict(status=404, body=portal, headers=page), dict(status=200, body=portal, headers=page), dict(redirect="{cdn}/portal"), dict(redirect="ftp://portal/")]):
        fault = dict(action, path="/resolve/|/api/", times=-1)
        name = str(action)
        h = fresh()
        get(h)
        mock.post("faults", fault)
        for args in (["sub/a.txt"], ["sub/a.txt", "config.json"], []):
            r = get(h, *args)
            check(r.code == 0 and "copy" in r.err and "did you mean" not in r.err, "no hub answers, and the copy serves: %s %s" % (name, args), r)
        h = fresh(fault)
        for args in (["sub/a.txt"], []):
            r = get(h, *args)
            check(fails(r, 1, "acme/vid", *told) and "did you mean" not in r.err and r.seconds < 3, "no hub answers: %s %s" % (name, args), r)
            check(not os.path.exists(os.path.join(h, REPO)), "nothing is noted of it", list(tree(h)))
    # What the Hub itself says is final.
    for code, words in (("EntryNotFound", "no file"), ("RevisionNotFound", "no revision")):
        h = fresh()
        get(h, "sub/a.txt")
        mock.post("faults", {"path": "/resolve/", "status": 404, "headers": {"X-Error-Code": code}, "times": -1})
        r = get(h, "sub/a.txt")
        check(fails(r, 1, words) and "did you mean" not in r.err, "a 404 with %s: no copy serves" % code, r)
    h = fresh({"path": "/resolve/", "status": 404, "headers": {"X-Repo-Commit": head()}, "times": -1})
    r = get(h, "sub/a.txt")
    check(fails(r, 1, "no file 'sub/a.txt'") and "did you mean" not in r.err, "a file that the list has is not suggested for itself", r)


def line_faults():
    big = {"server": "cdn", "method": "GET", "times": 1}
    for faults, name in (
            ([dict(big, drop_at=1_000_000)], "dropped at byte 1000000"), ([dict(big, drop_at=1)], "dropped at byte 1"),
            ([dict(big, drop_at=1_500_000, rst=True)], "reset in the middle"), ([dict(big, status=500)], "500 on the body"),
            ([dict(big, status=429, headers={"Retry-After": "0"})], "429 on the body"),
            ([dict(big, length_delta=-1)], "one byte too few, once"), ([dict(big, corrupt_at=5)], "a byte is flipped, once"),
            ([dict(big, drop_at=2_000_000), dict(big, ignore_range=True)], "the range is ignored"),
            ([dict(big, stall_at=100_000, stall=4)], "it stands still"), ([dict(big, status=403)], "the signed address is refused, once"),
            ([dict(big, rate=2_000_000)], "a slow body"),
            ([{"method": "HEAD", "path": "/acme/vid/resolve", "status": 503, "times": 1}], "503 on HEAD"),
            ([{"method": "HEAD", "path": "/acme/vid/resolve", "status": 429, "headers": {"RateLimit": '"api";r=0;t=0'}, "times": 2}], "429 with RateLimit"),
            ([{"method": "HEAD", "path": "/acme/vid/resolve", "reset": True, "times": 1}], "HEAD is cut off"),
            ([{"method": "HEAD", "path": "/acme/vid/resolve", "hang": 3, "times": 1}], "HEAD hangs")):
        h = fresh(*faults)
        r = get(h, "model.safetensors", HF_TOKEN=WRITE, HF_HUB_DOWNLOAD_TIMEOUT="2", HF_HUB_ETAG_TIMEOUT="1")
        good = r.code == 0 and read(r.out.strip()) == FILES["model.safetensors"] and not cache_problems(h) and mock.leaks() == 0
        check(good, name + " (%.1f s)" % r.seconds, r)
    h = fresh(dict(big, drop_at=1_000_000))
    get(h, "model.safetensors")
    ranges = [e["range"] for e in mock.log("GET", server="cdn")]
    check(ranges == [None, "bytes=1000000-"], "resumed where it broke", ranges)
    for args, path, name in ((["model.safetensors"], "/resolve/main/", "HEAD"), ([], "/revision/main", "the question for the commit")):
        for status in (429, 503):
            h = fresh({"path": path, "status": status, "headers": {"Retry-After": "2"}, "times": 1})
            r = get(h, *args)
            check(r.code == 0 and r.seconds > 2.9, "the wait that %d asks for is kept, on the first try of %s (%.1f s)" % (status, name, r.seconds), r)
            h = fresh({"path": path, "status": status, "headers": {"Retry-After": "4000"}, "times": -1})
            r = get(h, *args)
            check(fails(r, 1, "67 minutes") and len(mock.log(path=path)) == 1, "one that is too long is told after one question", (r, mock.log(path=path)))
    h = fresh({"method": "GET", "path": "/tree/", "status": 500, "times": 1})
    r = get(h)
    check(whole(r, h), "500 on the listing", r)
    h = fresh({"method": "GET", "path": "/api/models/acme/vid/revision", "hang": 2, "times": 1})
    r = get(h, HF_HUB_ETAG_TIMEOUT="1")
    check(whole(r, h), "the question for the commit hangs, once", r)
    h = fresh(*[dict(big, drop_at=1) for _ in range(3)])
    r = get(h, "model.safetensors", "-v")
    waits = [int(w) for w in re.findall(r"again in (\d+) s", r.err)]
    check(r.code == 0 and len(waits) == 3 and waits[2] > 2 > waits[0], "a byte a try is no progress: the waits grow", (waits, r))
    h = fresh(*[dict(big, drop_at=900_000) for _ in range(3)])
    r = get(h, "model.safetensors", "-v")
    waits = [int(w) for w in re.findall(r"again in (\d+) s", r.err)]
    check(r.code == 0 and waits == [1, 1, 1], "900000 bytes a try are progress", (waits, r))
    h = fresh(*[dict(big, drop_at=900_000, ignore_range=True) for _ in range(3)])
    r = get(h, "model.safetensors", "-v")
    waits = [int(w) for w in re.findall(r"again in (\d+) s", r.err)]
    check(r.code == 0 and len(waits) == 3 and waits[2] > 1, "the same bytes again are none", (waits, r))
    h = fresh(cdn_url_pad=20000)
    r = get(h, "model.safetensors")
    check(r.code == 0 and not cache_problems(h), "an address of 20000 characters", r)
    far = "{hub}/api/models/acme/vid/revision/main?" + "x" * 20000
    h = fresh({"method": "GET", "path": "/revision/main$", "redirect": far, "times": 1})
    r = get(h)
    asked = [len(e["path"]) for e in mock.log("GET", "/revision/main?")]
    check(whole(r, h) and asked == [len(far) - len("{hub}")], "a question that is sent on to such an address", (asked, r))
    h = fresh(cdn_url_ttl=0)
    r = get(h, "model.safetensors")
    check(fails(r, 1, "model.safetensors", "refuses", "403") and len(mock.log("GET", server="cdn")) == 3, "an address that is always expired: two new ones, then an end", r)
    check("signature" not in r.err, "a signed address is told without its query", r)


def lasting_faults():
    big = {"server": "cdn", "method": "GET", "times": -1}
    for faults, words, name in (
            ([dict(big, length_delta=1)], ["more than"], "one byte too many"), ([dict(big, length_delta=-1)], ["announced"], "one byte too few"),
            ([dict(big, corrupt_at=5)], [SHA, "should be"], "flipped bytes: both hashes are named"),
            ([{"path": "/resolve/", "linked_size_delta": 5, "times": -1}], ["announced"], "a wrong size announced"),
            ([{"path": "/resolve/", "linked_size_delta": -5, "times": -1}], ["more than"], "a smaller size announced"),
            ([{"path": "/resolve/", "no_headers": ["X-Repo-Commit"], "times": -1}], ["X-Repo-Commit", "HF_ENDPOINT"], "no hub"),
            ([{"path": "/resolve/", "set_headers": {"X-Repo-Commit": "../../../evil"}, "times": -1}], ["commit"], "an evil commit"),
            ([{"path": "/resolve/", "set_headers": {"X-Repo-Commit": "A" * 40}, "times": -1}], ["commit"], "an upper-case commit"),
            ([{"path": "/resolve/", "set_headers": {"X-Much": "x" * 60000, "X-More": "x" * 60000, "X-Most": "x" * 60000}, "times": -1}], ["headers", "128 KiB"], "endless headers"),
            ([{"path": "/resolve/", "redirect": "file:///etc/passwd", "times": -1}], ["may not go"], "redirect to a file"),
            ([{"path": "/resolve/", "redirect": "ftp://127.0.0.1/x", "times": -1}], ["may not go"], "redirect to ftp"),
            ([{"path": "/resolve/", "redirect": "http://u:p@127.0.0.1/x", "times": -1}], ["may not go"], "redirect with a password"),
            ([{"path": "/resolve/", "redirect": "{hub}/acme/vid/resolve/main/model.safetensors", "times": -1}], ["circle"], "redirects in a circle"),
            ([{"path": "/resolve/", "redirect": "{cdn}/foreign", "times": -1}], ["X-Repo-Commit"], "redirect to a foreign host")):
        h = fresh(*faults)
        r = get(h, "model.safetensors", HF_TOKEN=WRITE)
        check(fails(r, 1, *words) and not cache_problems(h) and mock.leaks() == 0 and WRITE not in r.err, name, r)
        left = [k for k in tree(h) if "/blobs/" in k and not k.endswith(".incomplete")] + [k for k in tree(WORK) if "evil" in k]
        check(not left, name + ": nothing is stored", left)


def evil_names():
    h = fresh({"path": "/resolve/", "set_headers": {"X-Linked-Etag": '"../../../evil"'}, "times": -1})
    r = get(h, "model.safetensors")
    check(r.code == 0 and read(r.out.strip()) == FILES["model.safetensors"] and not cache_problems(h), "an evil etag: its own hash is the name", r)
    check(not [k for k in tree(WORK) if "evil" in k], "an evil etag makes no file")
    for bad in ("../evil", "/etc/evil", "a/../../evil", "a//evil", "a\\evil", ".git/evil", "C:evil", "a\x01evil", ""):
        h = fresh({"method": "GET", "path": "/tree/", "status": 200, "body": [{"type": "file", "path": bad, "size": 1, "oid": "a" * 40}], "times": -1})
        r = get(h)
        check(fails(r, 1, "cannot be the name"), "a listing with %r" % bad, r)
    for size in (-1, 1.5, "7", 2**70, None):
        h = fresh({"method": "GET", "path": "/tree/", "status": 200, "body": [{"type": "file", "path": "a", "size": size, "oid": "a" * 40}], "times": -1})
        check(fails(get(h), 1, "size") or fails(get(h), 1, "integer") or fails(get(h), 1, "number"), "a listing with the size %r" % size, get(h))
    h = fresh({"method": "GET", "path": "/tree/", "status": 200, "body": [], "headers": {"Link": '<%s/x>; rel="next"' % mock.cdn}, "times": -1})
    r = get(h, HF_TOKEN=WRITE)
    check(fails(r, 1, "another host") and mock.leaks() == 0, "a next page at a foreign host", r)
    h = fresh({"method": "GET", "path": "/tree/", "status": 200, "body": "[" * 100000, "times": -1})
    check(get(h).code == 1, "a listing nested deep")
    # A link that was planted must not lead out, nor be believed.
    h = fresh()
    out = os.path.join(WORK, "outside")
    os.makedirs(out)
    get(h, "config.json")
    os.symlink(out, os.path.join(h, REPO, "snapshots", head(), "sub"))
    r = get(h, "sub/a.txt")
    check(fails(r, 1, "link") and not os.listdir(out), "a planted folder link is not followed", r)
    h = fresh()
    get(h, "config.json")
    link = os.path.join(h, REPO, "snapshots", head(), "config.json")
    os.unlink(link)
    os.symlink("/etc/passwd", link)
    r = get(h, "config.json", "--offline")
    check(r.code == 1, "a planted link is not believed", r)
    r = get(h, "config.json")
    check(r.code == 0 and read(link) == FILES["config.json"], "and is replaced", r)
    write(os.path.join(h, REPO, "refs/main"), "../../../evil")
    check(get(h, "config.json", "--offline").code == 1, "a ref that is no commit")


def ends_at_once(h, after):
    """Does Ctrl-C after so many seconds of a download end it, as that signal's death?"""
    p = start(mock, h, "hub", "download", "acme/vid", "model.safetensors")
    time.sleep(after)
    p.send_signal(signal.SIGINT)
    begun = time.time()
    p.communicate()
    return p.returncode == -signal.SIGINT and time.time() - begun < 3


def resumed():
    h = fresh({"server": "cdn", "method": "GET", "rate": 2_000_000, "times": -1})
    p = start(mock, h, "hub", "download", "acme/vid", "model.safetensors")
    partial = os.path.join(h, REPO, "blobs", SHA + ".reel.incomplete")
    while not (os.path.exists(partial) and os.path.getsize(partial) > 500_000):
        time.sleep(0.02)
    p.kill()
    p.communicate()
    size = os.path.getsize(partial)
    mock.post("reset", {})
    r = get(h, "model.safetensors")
    ranges = [e["range"] for e in mock.log("GET", server="cdn")]
    check(r.code == 0 and [x for x in ranges if x] == ["bytes=%d-" % size] and not cache_problems(h), "resumed after kill -9", (r, ranges))
    h = fresh()
    write(os.path.join(h, REPO, "blobs", SHA + ".reel.incomplete"), FILES["model.safetensors"][:1000] + b"x" * 1000)
    r = get(h, "model.safetensors")
    check(r.code == 0 and not cache_problems(h), "a partial file that is damaged: once more from the beginning", r)
    h = fresh()
    write(os.path.join(h, REPO, "blobs", SHA + ".reel.incomplete"), b"x" * 4_000_000)
    check(get(h, "model.safetensors").code == 0 and not cache_problems(h), "a partial file that is too long")
    h = fresh()
    write(os.path.join(h, REPO, "blobs", SHA + ".reel.incomplete"), FILES["model.safetensors"])
    r = get(h, "model.safetensors")
    check(r.code == 0 and not mock.log("GET", server="cdn"), "a partial file that is whole", r)
    # Where the size is not announced, only the answer 416 says that there is no more.
    silent = {"method": "HEAD", "path": "/resolve/", "no_headers": ["X-Linked-Size"], "times": -1}
    for content, statuses, name in (
            (FILES["model.safetensors"], [416], "is whole"), (b"x" * 3_000_000, [416, 200], "has the size and not the content"),
            (FILES["model.safetensors"] + b"x", [416, 200], "is too long"), (FILES["model.safetensors"][:1_000_000], [206], "is a part")):
        h = fresh(silent)
        write(os.path.join(h, REPO, "blobs", SHA + ".reel.incomplete"), content)
        r = get(h, "model.safetensors")
        got = [e["status"] for e in mock.log("GET", server="cdn")]
        check(r.code == 0 and got == statuses and not cache_problems(h), "no size is announced, and the partial file " + name, (got, r))
    h = fresh({"server": "cdn", "method": "GET", "status": 416, "times": -1})
    write(os.path.join(h, REPO, "blobs", SHA + ".reel.incomplete"), FILES["model.safetensors"][:1000])
    r = get(h, "model.safetensors")
    check(fails(r, 1, "model.safetensors", "416") and len(mock.log("GET", server="cdn")) == 2, "416 for whatever is asked", r)
    h = fresh({"server": "cdn", "method": "GET", "rate": 2_000_000, "times": -1})
    check(ends_at_once(h, 0.5), "Ctrl-C ends it at once")
    h = fresh({"method": "HEAD", "path": "/resolve/", "status": 429, "headers": {"Retry-After": "100"}, "times": -1})
    check(ends_at_once(h, 1), "Ctrl-C ends a wait, too")
    h = fresh({"method": "HEAD", "path": "/resolve/", "status": 429, "headers": {"Retry-After": "4000"}, "times": -1})
    r = get(h, "model.safetensors")
    check(fails(r, 1, "no more requests", "67 minutes") and r.seconds < 5, "a wait above five minutes is told, not waited for", r)


def together():
    h = fresh({"server": "cdn", "method": "GET", "rate": 3_000_000, "times": -1})
    p = [start(mock, h, "hub", "download", "acme/vid", "model.safetensors") for _ in range(2)]
    outs = [x.communicate() for x in p]
    check([x.returncode for x in p] == [0, 0] and len(mock.log("GET", server="cdn")) == 1 and not cache_problems(h), "two processes at once fetch one body", outs)
    h = fresh()
    p = [start(mock, h, "hub", "download", "acme/vid") for _ in range(4)]
    outs = [x.communicate() for x in p]
    check([x.returncode for x in p] == [0] * 4 and not cache_problems(h), "four processes, a whole repository", outs)


def stopped_in_a_copy(h, folder):
    """A process that copies from the cache into a folder, stopped in the middle; None if it was too quick."""
    p = start(mock, h, "hub", "download", "acme/large", "large.bin", "--local_dir", folder, "--offline")
    notes = os.path.join(folder, ".cache/huggingface/download")
    while p.poll() is None and not (os.path.isdir(notes) and any(e.stat().st_size for e in os.scandir(notes))):
        pass
    p.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, p.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    if p.poll() is None and not os.path.exists(folder + "/large.bin"):
        return p
    p.kill()
    p.communicate()
    return None


def copies():
    large = RANDOM.randbytes(60_000_000)
    write(os.path.join(WORK, "large/large.bin"), large)
    mock.seed("acme/large", os.path.join(WORK, "large"))
    h = fresh()
    reel(mock, h, "hub", "download", "acme/large", "large.bin")
    first = None
    for i in range(10):
        folder = os.path.join(WORK, "copies%d" % i)
        first = first or stopped_in_a_copy(h, folder)
        if first:
            break
    if not check(first, "a process was stopped while it copied"):
        return
    second = start(mock, h, "hub", "download", "acme/large", "large.bin", "--local_dir", folder, "--offline")
    try:
        second.wait(1)
    except subprocess.TimeoutExpired:
        pass
    first.send_signal(signal.SIGCONT)
    outs = [first.communicate(), second.communicate()]
    check([first.returncode, second.returncode] == [0, 0] and read(folder + "/large.bin") == large, "two processes that copy offline at once", outs)
    left = [n for n in os.listdir(folder + "/.cache/huggingface/download") if not n.endswith((".lock", ".metadata"))]
    check(not left, "no copy stays", left)


def no_answer():
    h = fresh()
    get(h)
    silent = Silent()
    r = reel(silent.url, h, "hub", "download", "acme/vid", HF_HUB_ETAG_TIMEOUT="1")
    check(whole(r, h) and "copy" in r.err and silent.count == 1, "a hub that never answers: the whole copy, after one question", (silent.count, r))
    silent.count = 0
    r = reel(silent.url, h, "hub", "download", "acme/vid", "config.json", "sub/a.txt", "empty.txt", "other.bin", HF_HUB_ETAG_TIMEOUT="1")
    check(r.code == 0 and r.err.count("copy") == 4 and silent.count == 1, "the same for files that are named", (silent.count, r))
    os.unlink(os.path.join(h, REPO, "snapshots", head(), "other.bin"))
    h2 = fresh({"method": "GET", "path": "/revision/", "status": 503, "times": 1})
    r = get(h2, "config.json", "sub/a.txt")
    check(r.code == 0 and len({e["path"].split("/")[4] for e in mock.log("HEAD", "/acme/vid/resolve/")}) == 1 and not mock.log("HEAD", "/resolve/main/"),
          "a commit that is asked for twice: both files are of it", [e["path"] for e in mock.log()])


def folder_without_hub():
    """What is in a folder serves offline, and where the hub is dead."""
    files = {k: v for k, v in FILES.items() if v is not None}
    h, d, d2, d3 = fresh(), os.path.join(WORK, "away"), os.path.join(WORK, "away2"), os.path.join(WORK, "away3")
    get(h, "--local_dir", d)
    c = head()
    get(h, "sub/", "--local_dir", d2)
    mock.post("reset", {})
    dead = "http://127.0.0.1:9"
    for place, args, name in ((d, [], "a whole repository"), (d, ["--revision", c], "by its commit"), (d, ["sub/"], "a folder of it"), (d2, ["sub/"], "a folder alone")):
        r = get(h, *args, "--local_dir", place, "--offline", "--json")
        check(r.code == 0 and r.json[-1]["path"] == place and r.json[-1]["commit"] == c and not mock.log(), "offline, from a folder: " + name, r)
        r = reel(dead, h, "hub", "download", "acme/vid", *args, "--local_dir", place, "--json")
        check(r.code == 0 and r.json[-1]["path"] == place and "copy" in r.err, "a dead hub, from a folder: " + name, r)
    r = get(h, "--local_dir", d2, "--offline")
    check(r.code == 0 and "cannot be told" in r.err, "offline, a folder that no list tells of is taken as it is", r)
    r = reel(dead, h, "hub", "download", "acme/vid", "--local_dir", d2)
    check(fails(r, 1, "127.0.0.1:9", d2, "not known"), "a dead hub: it is not called whole", r)
    r = get(h, "--local_dir", d, "--offline", "--revision", "a" * 40)
    check(fails(r, 1, "a" * 40, d), "offline, another commit than the folder's", r)
    r = get(h, "--local_dir", os.path.join(WORK, "away4"), "--offline")
    check(fails(r, 1, "away4", "offline"), "offline, an empty folder", r)
    write(d + "/sub/a.txt", "changed")
    later = time.time() + 10
    os.utime(d + "/sub/a.txt", (later, later))
    os.unlink(d + "/other.bin")
    for args in (["--offline"], []):
        r = get(h, "--local_dir", d, *args) if args else reel(dead, h, "hub", "download", "acme/vid", "--local_dir", d)
        check(fails(r, 1, "2 of its ", d), "one file of it changed and one gone %s" % args, r)
    get(h)
    r = reel(dead, h, "hub", "download", "acme/vid", "--local_dir", d3)
    check(r.code == 0 and holds(d3, files), "a dead hub: into a new folder, from the cache", r)
    mock.post("reset", {})
    r = get(h, "--local_dir", d3 + "b", "--offline")
    check(r.code == 0 and holds(d3 + "b", files) and not mock.log(), "offline: into a new folder, from the cache", r)


def interrupted():
    """A whole download that was ended in the middle is never taken for a whole one."""
    def half(*faults):
        h = fresh({"server": "cdn", "method": "GET", "rate": 2_000_000, "times": -1})
        p = start(mock, h, "hub", "download", "acme/vid")
        partial = os.path.join(h, REPO, "blobs", SHA + ".reel.incomplete")
        while not (os.path.exists(partial) and os.path.getsize(partial) > 200_000):
            time.sleep(0.02)
        p.send_signal(signal.SIGINT)
        p.communicate()
        mock.post("reset", {})
        mock.post("faults", list(faults))
        return h

    question = {"method": "GET", "path": "/revision/main"}
    for action, name in (({"status": 503}, "503"), ({"status": 429, "headers": {"Retry-After": "0"}}, "429"), ({"reset": True}, "cut off"), ({"hang": 3}, "a time-out")):
        h = half(dict(question, times=1, **action))
        r = get(h, "--json", HF_HUB_ETAG_TIMEOUT="1")
        check(r.code == 0 and r.json[-1]["files"] >= 7 and holds(r.json[-1]["path"], {k: v for k, v in FILES.items() if v}) and len(mock.log("GET", "/revision/main")) >= ("hang" not in action) + 1,
              "the question for the commit is asked again: " + name, r)
    h = half()
    dead = "http://127.0.0.1:9"
    r = reel(dead, h, "hub", "download", "acme/vid")
    check(fails(r, 1, "127.0.0.1:9", "files are not in"), "interrupted, and then a dead hub: how many are missing", r)
    r = reel(dead, h, "hub", "download", "acme/vid", "--offline")
    check(fails(r, 1, "files are not in"), "the same offline", r)
    h = fresh()
    get(h, "config.json")
    r = reel(dead, h, "hub", "download", "acme/vid")
    check(fails(r, 1, "127.0.0.1:9", "not known", "--offline"), "one file, and then a dead hub: not all", r)
    r = reel(dead, h, "hub", "download", "acme/vid", "--include", "*.json")
    check(r.code == 0 and r.err.count("warning") == 2, "what matches is taken, and that is said", r)
    r = reel(dead, h, "hub", "download", "acme/vid", "--offline")
    check(r.code == 0 and "cannot be told" in r.err, "offline it is taken as it is", r)
    h = fresh()
    get(h)
    mock.post("reset", {})
    mock.post("faults", dict(question, status=503, times=-1))
    r = get(h)
    check(whole(r, h) and "copy" in r.err and [e["status"] for e in mock.log("GET", "/revision/main")].count(503) == 1, "a copy that is whole serves after one question", r)
    r = get(h, "--include", "*.zip", "--offline")
    check(fails(r, 1, "matches"), "offline, and nothing that matches", r)


def no_room():
    h = fresh()
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    r = get(h, "model.safetensors", before=limit)
    check(fails(r, 1, "no room", "model.safetensors", "2000000"), "no room: how much is missing", r)
    mock.post("reset", {})
    r = get(h, "model.safetensors")
    ranges = [e["range"] for e in mock.log("GET", server="cdn")]
    check(r.code == 0 and ranges == ["bytes=1000000-"] and not cache_problems(h), "with room it goes on", ranges)
    if os.getuid() != 0:
        h = fresh()
        os.makedirs(h + "/hub")
        os.chmod(h + "/hub", 0o500)
        check(fails(get(h, "config.json"), 1, "denied"), "a cache that cannot be written", None)
        os.chmod(h + "/hub", 0o700)
    else:
        skip("a cache that cannot be written", "root writes everywhere")


def secrets():
    h = fresh({"server": "cdn", "method": "GET", "rate": 1_500_000, "times": 1})
    p = start(mock, h, "hub", "download", "acme/vid", "-v", "--json", HF_TOKEN=WRITE)
    time.sleep(0.5)
    line = read("/proc/%d/cmdline" % p.pid)
    out, err = p.communicate()
    check(p.returncode == 0 and WRITE.encode() not in line and WRITE not in out + err, "the token is not in the process list, --verbose nor --json", err)
    everything = b"".join(v if isinstance(v, bytes) else v.encode() for v in tree(h).values())
    check(WRITE.encode() not in everything, "nor in any file")
    asked = mock.log(server="hub")
    check(asked and all(e["token"] for e in asked) and not [e for e in mock.log(server="cdn") if e["token"]] and mock.leaks() == 0,
          "the token goes to the hub, and to nobody else")
    h = fresh()
    get(h, "config.json", HF_TOKEN=WRITE, HF_HUB_DISABLE_IMPLICIT_TOKEN="1")
    check("authorization" not in mock.log()[-1]["headers"] and not mock.log()[-1]["token"], "HF_HUB_DISABLE_IMPLICIT_TOKEN holds HF_TOKEN back, too")
    r = get(home(), "config.json")
    check(r.code == 0 and "authorization" not in mock.log()[-1]["headers"] and not mock.log()[-1]["token"], "without a token, no such header")


def expired(key):
    """A self-signed certificate of 2020, or None."""
    top = os.path.join(WORK, "ca")
    write(top + "/index.txt", "")
    write(top + "/ca.conf", "[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\nnew_certs_dir = .\nrand_serial = yes\ndefault_md = sha256\n"
          "policy = p\nx509_extensions = e\n[p]\ncommonName = supplied\n[e]\nsubjectAltName = DNS:localhost\nbasicConstraints = CA:TRUE\n")
    for args in (["req", "-new", "-key", key, "-out", "old.csr", "-subj", "/CN=localhost"],
                 ["ca", "-selfsign", "-batch", "-config", "ca.conf", "-startdate", "20200101000000Z", "-enddate", "20200102000000Z", "-in", "old.csr",
                  "-keyfile", key, "-out", "old.pem", "-notext"]):
        if subprocess.run(["openssl", *args], capture_output=True, cwd=top).returncode != 0:
            return None
    return top + "/old.pem"


def tls():
    key, cert = os.path.join(WORK, "key.pem"), os.path.join(WORK, "cert.pem")
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
                           "-addext", "subjectAltName=DNS:localhost"], capture_output=True)
    if made.returncode != 0:
        return skip("a self-signed server", "openssl req is not there")
    seen = []

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.headers.get("Authorization"))
            body = b'{"name": "carol"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_HEAD(self):
            self.send_response(302)
            self.send_header("Location", mock.url + "/acme/vid/resolve/main/config.json")
            self.end_headers()

        def log_message(self, *args):
            pass

    def serve(certificate):
        server = HTTPServer(("localhost", 0), Hub)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server, "https://localhost:%d" % server.server_port

    server, url = serve(cert)
    h = home()
    r = reel(url, h, "hub", "whoami", HF_TOKEN=WRITE)
    check(fails(r, 1, "certificate", "SSL_CERT_FILE") and not seen, "a self-signed server is refused, and gets no token", r)
    r = reel(url, h, "hub", "whoami", HF_TOKEN=WRITE, SSL_CERT_FILE=cert)
    check(r.code == 0 and "carol" in r.out and seen == ["Bearer " + WRITE], "and accepted through SSL_CERT_FILE", r)
    r = reel(url.replace("localhost", "127.0.0.1"), h, "hub", "whoami", HF_TOKEN=WRITE, SSL_CERT_FILE=cert)
    check(fails(r, 1, "certificate") and len(seen) == 1, "a certificate for another name is refused", r)
    r = reel(url, h, "hub", "download", "acme/vid", "config.json", HF_TOKEN=WRITE, SSL_CERT_FILE=cert)
    check(fails(r, 1, "https to http"), "no redirect from https to http", r)
    server.shutdown()
    old = expired(key)
    if old is None:
        return skip("a certificate that has expired", "openssl ca is not there")
    server, url = serve(old)
    r = reel(url, h, "hub", "whoami", HF_TOKEN=WRITE, SSL_CERT_FILE=old)
    check(fails(r, 1, "certificate", "expired", "clock right?") and len(seen) == 1, "a certificate that has expired: is the clock right?", r)
    r = reel(url, h, "hub", "whoami", HF_TOKEN=WRITE)
    check(fails(r, 1, "certificate") and "clock" not in r.err, "one that is not trusted at all has nothing to do with the clock", r)
    server.shutdown()


def narrow():
    import fcntl
    import pty
    import struct
    for columns in (20, 30, 40, 80):
        h = fresh({"server": "cdn", "method": "GET", "rate": 3_000_000, "times": -1})
        pid, fd = pty.fork()
        if pid == 0:
            fcntl.ioctl(2, 0x5414, struct.pack("HHHH", 24, columns, 0, 0))  # TIOCSWINSZ
            os.execve(REEL, [REEL, "hub", "download", "acme/vid", "model.safetensors"], environment(mock, h, TERM="xterm", NO_COLOR=None))
        shown = b""
        try:
            while True:
                shown += os.read(fd, 1000)
        except OSError:
            pass
        code = os.waitpid(pid, 0)[1]
        lines = shown.decode().split("\r\x1b[K")
        drawn = [re.sub("\x1b\\[[0-9;]*m", "", x) for x in lines[1:-1]]
        check(code == 0 and len(drawn) > 2 and "MB" in "".join(drawn) and max(map(len, drawn)) < columns, "the bar fits %d columns" % columns, drawn, shown)
        check(lines[-1].startswith("\x1b[1mhub"), "and is gone at the end", shown)


main([narrow, layout, kinds, local_dir, refusals, no_hub, line_faults, lasting_faults, evil_names, resumed, together, copies, no_answer, folder_without_hub, interrupted, no_room, secrets, tls])
