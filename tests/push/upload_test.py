"""reel hub upload against the local hub: what it sends, what it refuses, and that nothing half-done is ever seen. TAP."""
import os
import random
import signal
import subprocess
import time

import bed as b
from bed import check, commits, fault, files, folder, fresh, head, reel, refused, seen

rnd = random.Random(7)
PARTS = dict(multipart_threshold=100_000, chunk_size=100_000)


def contents(seed):
    r = random.Random(seed)
    return {"config.json": '{"seed": %d}\n' % seed, "model.safetensors": r.randbytes(350_000), "small.safetensors": r.randbytes(5_000), "empty.bin": b"",
            "sub/d é#?.txt": "text %d" % seed, "README.md": "---\nlicense: mit\n---\n# %d\n" % seed}


def as_bytes(c):
    return {k: v if isinstance(v, bytes) else v.encode() for k, v in c.items()}


def new_changed_again():
    fresh(**PARTS)
    c = contents(1)
    up = folder("up", dict(c, **{".git/HEAD": "x", ".cache/huggingface/x": "x", "sub/.cache/y": "y"}))
    os.symlink("config.json", up + "/link.json")
    r = reel("hub", "upload", "acme/new", up, "--json")
    want = dict(as_bytes(c), **{"link.json": as_bytes(c)["config.json"]})
    check("a new repository gets all files", r.code == 0 and files("acme/new") == want, r, sorted(files("acme/new") if head("acme/new") else []))
    check("by one commit", commits("acme/new") == 2 and len(seen("POST", "/commit/")) == 1)
    check("the answer is JSON", r.json and r.json[0]["changed"] and r.json[0]["commit"] == head("acme/new") and r.json[0]["sent"] == 7 and
          r.json[0]["url"] == b.hub.hub_url + "/acme/new", r)
    check("in parts, and in one piece", len(seen("PUT", "/part/")) == 4 and len(seen("PUT", "/put/")) == 1)
    check("with a length", all("content-length" in e["headers"] and "transfer-encoding" not in e["headers"] for e in seen("PUT")))
    check("without a token at the store, and where parts are put together", not any(e["token"] for e in seen("PUT") + seen("POST", "complete_multipart")))
    check("an empty file is a regular one", seen("POST", "/commit/")[0]["commit_keys"].count("lfsFile") == 2)
    check("Xet is not asked for", all(e["body"]["transfers"] == ["basic", "multipart"] for e in seen("POST", "/batch")))
    before = head("acme/new")
    fresh(**PARTS)
    r = reel("hub", "upload", "acme/new", up)
    check("again: nothing to do", r.code == 0 and r.out.startswith("same") and head("acme/new") == before and not seen("PUT") and not seen("POST", "/batch") and
          not seen("POST", "/commit/"), r)
    folder("more", {"config.json": "changed"})
    fresh(**PARTS)
    r = reel("hub", "upload", "acme/new", b.WORK + "/more", "--commit_message", "Second \"one\"")
    repo = b.hub.load("model", "acme/new")
    check("a changed file: that one alone", r.code == 0 and files("acme/new") == dict(want, **{"config.json": b"changed"}) and not seen("PUT"), r)
    check("under its message", repo["commits"][repo["refs"]["main"]]["message"] == 'Second "one"')
    same = rnd.randbytes(20_000)
    fresh()
    r = reel("hub", "upload", "acme/twice", folder("twice", {"a.bin": same, "b.bin": same}))
    check("equal contents are sent once", r.code == 0 and len(seen("PUT")) == 1 and files("acme/twice") == {"a.bin": same, "b.bin": same}, r)
    many = {"n%03d.txt" % i: "%d" % i for i in range(300)}
    r = reel("hub", "upload", "acme/many", folder("many", many))
    check("300 files", r.code == 0 and files("acme/many") == as_bytes(many) and commits("acme/many") == 2, r)


def places():
    fresh()
    one = folder("one", {"clip.tar.gz": rnd.randbytes(1000), "b.txt": "b", "c.log": "c", ".gitignore": "*.log\n"})
    r = reel("hub", "upload", "acme/clips", one + "/clip.tar.gz", "--repo_type", "dataset")
    check("one file, of a data set", r.code == 0 and list(files("acme/clips", "dataset")) == ["clip.tar.gz"], r)
    r = reel("hub", "upload", "acme/clips", one + "/b.txt", "deep/x.txt", "--repo_type", "dataset")
    check("a file under another name", r.code == 0 and files("acme/clips", "dataset").get("deep/x.txt") == b"b", r)
    r = reel("hub", "upload", "mine", one, "inner")
    check("without ORG it is the user's; below a folder", r.code == 0 and "inner/b.txt" in files("alice/mine") and b.hub.hub_url + "/alice/mine" in r.out, r)
    r = reel("hub", "upload", "acme/ign", one)
    check(".gitignore is kept to", r.code == 0 and sorted(files("acme/ign")) == [".gitignore", "b.txt", "clip.tar.gz"], r)
    r = reel("hub", "upload", "acme/pat", one, "--include", "*.txt,*.log", "--exclude", "c*")
    check("--include and --exclude", r.code == 0 and sorted(files("acme/pat")) == ["b.txt"], r)
    refused("nothing left to send", reel("hub", "upload", "acme/pat2", one, "--include", "*.none"), "no file", "--include")
    r = reel("hub", "upload", "acme/pat", one + "/c.log", "--revision", "exp/two")
    check("a branch that is missing is made", r.code == 0 and "c.log" in files("acme/pat", branch="exp/two") and "c.log" not in files("acme/pat"), r)
    r = reel("hub", "upload", "acme/pat", one + "/c.log", "--create_pr")
    check("a pull request", r.code == 0 and "/discussions/1" in r.out and "c.log" not in files("acme/pat"), r)
    r = reel("hub", "upload", "acme/pat", ".", "--include", "one/b.txt")
    check("the folder that this is", r.code == 0 and "one/b.txt" in files("acme/pat"), r)
    fresh(endpoint_in_urls="https://huggingface.co", **PARTS)
    r = reel("hub", "upload", "acme/mirror", folder("up", contents(2)))
    check("a mirror whose answers name the public hub", r.code == 0 and files("acme/mirror") == as_bytes(contents(2)) and "huggingface.co" not in r.out, r)
    b.hub.renames["model:acme/old"] = "acme/mirror"
    b.hub.config["endpoint_in_urls"] = ""
    fault("/api/repos/create", status=409, body={"error": "You already created this model repo"})
    r = reel("hub", "upload", "acme/old", folder("more", {"new.txt": "new"}))
    check("a repository that was renamed", r.code == 0 and files("acme/mirror").get("new.txt") == b"new" and head("acme/old") is None, r)


def refusals():
    fresh()
    up = folder("up", contents(3))
    r = reel("hub", "upload", "acme/priv", up, "--private")
    check("a private repository", r.code == 0 and b.hub.load("model", "acme/priv")["private"], r)
    check("stays private without --private", reel("hub", "upload", "acme/priv", up).code == 0 and b.hub.load("model", "acme/priv")["private"])
    reel("hub", "upload", "acme/pub", up)
    before = head("acme/pub")
    up2 = folder("up2", contents(4))
    refused("--private on a public one stops", reel("hub", "upload", "acme/pub", up2, "--private"), "is public", "Nothing was sent")
    refused("a token that may read only", reel("hub", "upload", "acme/pub", up2, HF_TOKEN="hf_mock_read"), "HF_TOKEN", "role write")
    refused("the same, and a repository that is not there", reel("hub", "upload", "acme/nope", up2, HF_TOKEN="hf_mock_read"), "role write", "acme")
    refused("a namespace of others", reel("hub", "upload", "others/nope", up2), "others/nope", "role write")
    refused("a token that the Hub does not know", reel("hub", "upload", "acme/pub", up2, HF_TOKEN="hf_wrong_token"), "does not know the token from HF_TOKEN")
    refused("no token", reel("hub", "upload", "acme/pub", up2, HF_TOKEN=None), "reel hub login")
    fresh()
    refused("offline", reel("hub", "upload", "acme/pub", up2, HF_HUB_OFFLINE="1"), "offline")
    for bad in ("a--b/c", "acme/x.git", "../x", "a/b/c", "acme/-x"):
        refused("the name " + bad, reel("hub", "upload", bad, up2), "not the name of a repository")
    refused("a folder that is not there", reel("hub", "upload", "acme/pub", up2 + "/none"), "no such file")
    check("for all of these nothing was asked", not b.hub.log, b.hub.log)
    check("no name is wrong usage", reel("hub", "upload").code == 2)
    refused("a server that is not there", reel("hub", "upload", "acme/pub", up2, HF_ENDPOINT="http://127.0.0.1:9"), "127.0.0.1:9", "no answer")
    check("nothing has changed", head("acme/pub") == before)
    bad = folder("bad", {"README.md": "---\n\tx: y\n---\n", "a.bin": rnd.randbytes(500)})
    refused("a card that the Hub does not accept", reel("hub", "upload", "acme/pub", bad), "README.md", "tab in indentation")
    check("stops before anything is sent", head("acme/pub") == before and not seen("PUT"))
    fresh()
    fault("validate-yaml", status=404, times=-1)
    check("a mirror that judges no cards", reel("hub", "upload", "acme/pub2", folder("good", {"README.md": "---\nlicense: mit\n---\n"})).code == 0)


def secrets_and_links():
    for name, text in ((".env", "x"), ("sub/id_rsa", "x"), ("key.pem", "x"), ("notes.txt", "export HF_TOKEN=hf_mock_write\n")):
        fresh()
        up = folder("secret", {"a.txt": "a", name: text})
        refused("%s is not sent" % name, reel("hub", "upload", "acme/secret", up), name.split("/")[-1], "--exclude")
        check("%s: nothing was asked" % name, not b.hub.log)
        check("%s: left out" % name, reel("hub", "upload", "acme/secret", up, "--exclude", name).code == 0 and name not in files("acme/secret"))
    check("--force sends it", reel("hub", "upload", "acme/secret", up, "--force").code == 0 and "notes.txt" in files("acme/secret"))
    fresh()
    up = folder("links", {"a.txt": "a", "in/b.txt": "b"})
    os.symlink("../outside.txt", up + "/leads.txt")
    with open(b.WORK + "/outside.txt", "w") as f:
        f.write("private")
    refused("a link that leads outside", reel("hub", "upload", "acme/links", up), "leads.txt", "outside")
    os.unlink(up + "/leads.txt")
    os.symlink("in", up + "/round")
    refused("a link to a folder", reel("hub", "upload", "acme/links", up), "round", "link to a folder")
    os.unlink(up + "/round")
    check("nothing was asked for those", not b.hub.log)
    up = folder("links", {"a.txt": "a", "in/b.txt": "b", ".git/config": "url = https://me:password@host", ".cache/x": "x", ".env": "KEY=1"})
    for name, target in (("git.txt", ".git/config"), ("in/git.txt", "../.git/config"), ("round.txt", "git.txt"), ("cache.txt", ".cache/x"), ("g", ".git")):
        os.symlink(target, os.path.join(up, name))
    os.symlink(up + "/a.txt", up + "/whole.txt")
    r = reel("hub", "upload", "acme/ways", up, "--exclude", ".env")
    check("what stays by its name is not sent through a link either", r.code == 0 and sorted(files("acme/ways")) == ["a.txt", "in/b.txt", "whole.txt"],
          r, sorted(files("acme/ways")))
    check("and that is said, link by link", all("/%s is left out" % n in r.err for n in ("git.txt", "in/git.txt", "round.txt", "cache.txt", "g")) and
          r.err.count("left out") == 5 and "password" not in r.err, r)
    fresh()
    os.symlink(".env", up + "/settings.txt")
    refused("a link to a secret", reel("hub", "upload", "acme/ways2", up, "--exclude", ".env"), ".env", "looks like a secret", "--exclude settings.txt")
    refused("a single file that is a link to one", reel("hub", "upload", "acme/ways2", up + "/settings.txt"), ".env", "looks like a secret")
    refused("a secret under another name", reel("hub", "upload", "acme/ways2", up + "/.env", "env.txt"), ".env", "looks like a secret")
    refused("a single file of git", reel("hub", "upload", "acme/ways2", up + "/git.txt"), ".git", "--force")
    refused("a folder of git", reel("hub", "upload", "acme/ways2", up + "/.git"), ".git", "--force")
    check("nothing was asked for those either", not b.hub.log)
    os.unlink(up + "/settings.txt")
    tokens = folder("tokens", {"a.txt": "a", "hf/token": "hf_another", "hf/stored_tokens": "[x]\nhf_token = hf_another\n"})
    os.symlink("hf/token", tokens + "/t.txt")
    for exclude, name in (("hf/*", "t.txt"), ("hf/token,t.txt", "hf/stored_tokens")):
        refused("a file of tokens: " + name, reel("hub", "upload", "acme/ways2", tokens, "--exclude", exclude, HF_HOME=tokens + "/hf"), "tokens",
                "--exclude " + name)
    up = folder("links", {"a.txt": "a", "in/b.txt": "b"})
    os.mkfifo(up + "/pipe")
    refused("a pipe", reel("hub", "upload", "acme/links", up), "pipe", "no regular file")
    check("nothing was asked", not b.hub.log)
    check("left out", reel("hub", "upload", "acme/links", up, "--exclude", "pipe").code == 0 and sorted(files("acme/links")) == ["a.txt", "in/b.txt"])
    refused("a name that the Hub cannot have", reel("hub", "upload", "acme/links", folder("names", {"a\\b": "x"})), "cannot be a file's name")


def faults():
    steps = [("/api/repos/create", "POST", "hub"), ("/api/models/acme/f[^/]*$", "GET", "hub"), ("/revision/", "GET", "hub"), ("validate-yaml", "POST", "hub"),
             ("/preupload/", "POST", "hub"), ("objects/batch", "POST", "hub"), ("/part/", "PUT", "cdn"), ("/put/", "PUT", "cdn"),
             ("complete_multipart", "POST", "hub"), ("objects/verify", "POST", "hub"), ("/commit/", "POST", "hub")]
    kinds = [("429", {"status": 429, "headers": {"Retry-After": "0"}}), ("500", {"status": 500}), ("a reset", {"reset": True})]
    n = 0
    for path, method, server in steps:
        for name, action in kinds:
            n += 1
            fresh(**PARTS)
            rid, c = "acme/f%d" % n, contents(100 + n)
            fault(path, method, server, **action)
            r = reel("hub", "upload", rid, folder("up", c))
            hit = b.hub.faults[0].get("hits", 0) == 1
            check("%s at %s %s" % (name, method, path), r.code == 0 and hit and files(rid) == as_bytes(c) and commits(rid) == 2, hit, r)
    fresh(**PARTS)
    c = contents(200)
    fault("/put/", "PUT", "cdn", drop_request_at=1000)
    r = reel("hub", "upload", "acme/g1", folder("up", c))
    check("a connection that breaks while a file is sent", r.code == 0 and files("acme/g1") == as_bytes(c), r)
    fresh(**PARTS)
    fault("/part/.*/2\\?", "PUT", "cdn", status=500)
    c = contents(201)
    r = reel("hub", "upload", "acme/g2", folder("up", c))
    check("a part that fails is sent again, alone", r.code == 0 and len(seen("PUT", "/part/")) == 5 and files("acme/g2") == as_bytes(c), r)
    for what, path in (("in one piece", "/put/"), ("in parts", "/part/.*/3\\?")):
        fresh(**PARTS)
        fault(path, "PUT", "cdn", status=403, body="<Error><Code>AccessDenied</Code></Error>")
        c = contents(202 + len(path))
        r = reel("hub", "upload", "acme/g3", folder("up", c))
        check("an address that has expired, " + what, r.code == 0 and len(seen("POST", "/batch")) == 2 and files("acme/g3") == as_bytes(c), r)
    before = head("acme/g3")
    fresh(cdn_url_ttl=0)
    last = refused("addresses that always have expired", reel("hub", "upload", "acme/g3", folder("up", contents(205))), "could not be stored", "answers 403")
    check("whose secret part is not shown", "signature" not in last.err)
    check("are asked for three times in all", len(seen("POST", "/batch")) == 3)
    check("and change nothing", head("acme/g3") == before)


def lost_and_moved():
    fresh(**PARTS)
    reel("hub", "upload", "acme/lost", folder("up", contents(300)))
    fault("/commit/", "POST", after="close")
    c = contents(301)
    r = reel("hub", "upload", "acme/lost", folder("up", c), "--json")
    check("a commit whose answer is lost was made once", r.code == 0 and commits("acme/lost") == 3 and files("acme/lost") == as_bytes(c) and
          r.json[0]["commit"] == head("acme/lost"), r)
    fresh(**PARTS)
    before = head("acme/lost")
    fault("/commit/", "POST", times=-1, status=500)
    c = contents(302)
    refused("a server that takes no commit", reel("hub", "upload", "acme/lost", folder("up", c)), "the server fails")
    check("the repository is as it was", head("acme/lost") == before)
    hub_log = len(seen("PUT"))
    fresh(**PARTS)
    r = reel("hub", "upload", "acme/lost", b.WORK + "/up")
    check("the next try sends no file again", hub_log > 0 and r.code == 0 and not seen("PUT") and files("acme/lost") == as_bytes(c), r)
    fresh(**PARTS)
    fault("objects/batch", "POST", call=lambda: put("acme/lost", "other.txt", "from others"))  # behind preupload, before the commit
    c = contents(303)
    folder("up", c)
    seen_before = commits("acme/lost")
    r = reel("hub", "upload", "acme/lost", b.WORK + "/up")
    check("others commit meanwhile: both are kept", r.code == 0 and files("acme/lost") == dict(as_bytes(c), **{"other.txt": b"from others"}) and
          commits("acme/lost") == seen_before + 2 and len(seen("POST", "/commit/")) == 2, r, len(seen("POST", "/commit/")))
    fresh(**PARTS)
    fault("/commit/", "POST", times=-1, status=412, body={"error": "A commit has happened since."})
    refused("others commit all the time", reel("hub", "upload", "acme/lost", folder("up", contents(304))), "others commit")
    fresh(**PARTS)
    fault("/commit/", "POST", after="close")
    refused("a pull request whose answer is lost is not made twice", reel("hub", "upload", "acme/lost", b.WORK + "/up", "--create_pr"), "pull request was lost")
    check("once, that is", b.hub.load("model", "acme/lost")["prs"] == 1)


def put(rid, path, text):
    with b.hub.lock:
        repo = b.hub.load("model", rid)
        oid, old = b.hub.resolve(repo, "main")
        b.hub.add_commit(repo, "main", dict(old, **{path: b.hub.store_small(text.encode())}), "put", oid)


def grow(path):
    with open(path, "ab") as f:
        f.write(b"x")


def wait_for(condition, seconds=10):
    end = time.time() + seconds
    while not condition() and time.time() < end:
        time.sleep(0.01)


def damage():
    fresh(**PARTS)
    reel("hub", "upload", "acme/dam", folder("up", contents(400)))
    before = head("acme/dam")
    fault("/put/", "PUT", "cdn", status=200, body="")  # says yes, keeps nothing
    c = contents(401)
    refused("a store that keeps nothing", reel("hub", "upload", "acme/dam", folder("up", c)), "did not arrive")
    check("nothing has changed", head("acme/dam") == before)
    fresh(verify_action=False, **PARTS)
    fault("/put/", "PUT", "cdn", status=200, body="")
    refused("the same where nobody verifies: the commit finds it", reel("hub", "upload", "acme/dam", b.WORK + "/up"), "was not uploaded")
    check("nothing has changed then either", head("acme/dam") == before)
    fresh(**PARTS)
    r = reel("hub", "upload", "acme/dam", b.WORK + "/up")
    check("the next try mends it", r.code == 0 and files("acme/dam") == as_bytes(c), r)
    before = head("acme/dam")
    fresh(**PARTS)
    up = folder("up", contents(402))
    fault("objects/batch", "POST", call=lambda: grow(up + "/small.safetensors"))
    refused("a file that changes while it is sent", reel("hub", "upload", "acme/dam", up), "small.safetensors", "was changed")
    check("is not committed", head("acme/dam") == before)
    for what, body in (("no JSON", "not json"), ("nothing said", {"files": []}), ("a way that is none", {"files": [{"path": "a.txt", "uploadMode": "pigeon"}]})):
        fresh()
        fault("/preupload/", "POST", status=200, body=body)
        refused("an answer of preupload with " + what, reel("hub", "upload", "acme/dam", folder("a", {"a.txt": "a" + what})), "")
    for what, body in (("an error", {"objects": [{"oid": "OID", "error": {"code": 413, "message": "too large\x1b[31m"}}]}), ("no address", {"objects": [
            {"oid": "OID", "actions": {"upload": {}}}]}), ("an address of a file", {"objects": [{"oid": "OID", "actions": {"upload": {"href": "file:///etc/passwd"}}}]}),
            ("nothing", {"objects": []})):
        fresh()
        data = rnd.randbytes(100)
        oid = b.mock.hashlib.sha256(data).hexdigest()
        fault("objects/batch", "POST", status=200, body=b.json.loads(b.json.dumps(body).replace("OID", oid)))
        r = reel("hub", "upload", "acme/dam", folder("a", {"a.bin": data}))
        refused("an answer of the batch with " + what, r, "")
        check("%s: no control character is shown" % what, "\x1b" not in r.err)
    check("still nothing has changed", head("acme/dam") == before)


def killed():
    fresh(**PARTS)
    old = as_bytes(contents(500))
    reel("hub", "upload", "acme/kill", folder("up", contents(500)))
    pick = random.Random(5)
    left, done = 0, 0
    rounds = 50
    for i in range(rounds):
        fresh(**PARTS)
        fault("", None, "hub", -1, hang=0.03)
        fault("", None, "cdn", -1, hang=0.03)
        c = as_bytes(contents(501 + i))
        up = folder("up", c)
        p = subprocess.Popen([b.REEL, "hub", "upload", "acme/kill", up], env=b.ENV, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            p.wait(pick.uniform(0, 0.7))
        except subprocess.TimeoutExpired:
            p.send_signal(signal.SIGKILL)
            p.wait()
        time.sleep(0.1)  # what is on its way arrives
        wait_for(lambda: b.hub.busy == 0)
        now = files("acme/kill")
        if now not in (old, c):
            check("killed: neither the old state nor the new (round %d)" % i, False, sorted(now))
        left += now == old
        done += now == c
        fresh(**PARTS)
        r = reel("hub", "upload", "acme/kill", up)
        if r.code != 0 or files("acme/kill") != c:
            check("the next try after a kill (round %d)" % i, False, r)
        old = c
    check("%d times killed: the old state or the new, and the next try succeeds" % rounds, left + done == rounds and left > 3, left, done)


for part in (new_changed_again, places, refusals, secrets_and_links, faults, lost_and_moved, damage, killed):
    try:
        part()
    except Exception as e:  # one broken part must not hide the others
        import traceback
        check(part.__name__, False, traceback.format_exc())
b.finish()
