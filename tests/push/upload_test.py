"""reel hub upload against the local hub: what it sends, what it refuses, and that nothing half-done is ever seen. TAP."""
import json
import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "hub"))
from common import REEL, WORK, WRITE, Near, check, environment, folder, main, refused, sha256, start

near = Near()
reel, fresh, fault, seen, head, files, commits, put = (near.reel, near.fresh, near.fault, near.seen, near.head, near.files, near.commits, near.put)

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
    check(r.code == 0 and files("acme/new") == want, "a new repository gets all files", r, sorted(files("acme/new") if head("acme/new") else []))
    check(commits("acme/new") == 2 and len(seen("POST", "/commit/")) == 1, "by one commit")
    check(r.json and r.json[0]["changed"] and r.json[0]["commit"] == head("acme/new") and r.json[0]["sent"] == 7 and
          r.json[0]["url"] == near.url + "/acme/new", "the answer is JSON", r)
    check(len(seen("PUT", "/part/")) == 4 and len(seen("PUT", "/put/")) == 1, "in parts, and in one piece")
    check(all("content-length" in e["headers"] and "transfer-encoding" not in e["headers"] for e in seen("PUT")), "with a length")
    check(not any(e["token"] for e in seen("PUT") + seen("POST", "complete_multipart")), "without a token at the store, and where parts are put together")
    check(seen("POST", "/commit/")[0]["commit_keys"].count("lfsFile") == 2, "an empty file is a regular one")
    check(all(e["body"]["transfers"] == ["basic", "multipart"] for e in seen("POST", "/batch")), "Xet is not asked for")
    before = head("acme/new")
    fresh(**PARTS)
    r = reel("hub", "upload", "acme/new", up)
    check(r.code == 0 and r.out.startswith("same") and head("acme/new") == before and not seen("PUT") and not seen("POST", "/batch") and
          not seen("POST", "/commit/"), "again: nothing to do", r)
    folder("more", {"config.json": "changed"})
    fresh(**PARTS)
    r = reel("hub", "upload", "acme/new", WORK + "/more", "--commit_message", "Second \"one\"")
    repo = near.hub.load("model", "acme/new")
    check(r.code == 0 and files("acme/new") == dict(want, **{"config.json": b"changed"}) and not seen("PUT"), "a changed file: that one alone", r)
    check(repo["commits"][repo["refs"]["main"]]["message"] == 'Second "one"', "under its message")
    same = rnd.randbytes(20_000)
    fresh()
    r = reel("hub", "upload", "acme/twice", folder("twice", {"a.bin": same, "b.bin": same}))
    check(r.code == 0 and len(seen("PUT")) == 1 and files("acme/twice") == {"a.bin": same, "b.bin": same}, "equal contents are sent once", r)
    many = {"n%03d.txt" % i: "%d" % i for i in range(300)}
    r = reel("hub", "upload", "acme/many", folder("many", many))
    check(r.code == 0 and files("acme/many") == as_bytes(many) and commits("acme/many") == 2, "300 files", r)


def places():
    fresh()
    one = folder("one", {"clip.tar.gz": rnd.randbytes(1000), "b.txt": "b", "c.log": "c", ".gitignore": "*.log\n"})
    r = reel("hub", "upload", "acme/clips", one + "/clip.tar.gz", "--repo_type", "dataset")
    check(r.code == 0 and list(files("acme/clips", "dataset")) == ["clip.tar.gz"], "one file, of a data set", r)
    r = reel("hub", "upload", "acme/clips", one + "/b.txt", "deep/x.txt", "--repo_type", "dataset")
    check(r.code == 0 and files("acme/clips", "dataset").get("deep/x.txt") == b"b", "a file under another name", r)
    r = reel("hub", "upload", "mine", one, "inner")
    check(r.code == 0 and "inner/b.txt" in files("alice/mine") and near.url + "/alice/mine" in r.out, "without ORG it is the user's; below a folder", r)
    r = reel("hub", "upload", "acme/ign", one)
    check(r.code == 0 and sorted(files("acme/ign")) == [".gitignore", "b.txt", "clip.tar.gz"], ".gitignore is kept to", r)
    r = reel("hub", "upload", "acme/pat", one, "--include", "*.txt", "--include", "*.log", "--exclude", "c*")
    check(r.code == 0 and sorted(files("acme/pat")) == ["b.txt"], "--include and --exclude", r)
    r = reel("hub", "upload", "acme/pat3", folder("twice", {"a.txt": "a", "key.txt": "k", "x,y.log": "xy", "x": "x", "y.log": "y"}), "--exclude", "key*",
             "--exclude", "x,*")
    check(r.code == 0 and sorted(files("acme/pat3")) == ["a.txt", "x", "y.log"], "each --exclude counts, and a comma is one", r)
    refused(reel("hub", "upload", "acme/pat2", one, "--include", "*.none"), "nothing left to send", "no file", "--include")
    r = reel("hub", "upload", "acme/pat", one + "/c.log", "--revision", "exp/two")
    check(r.code == 0 and "c.log" in files("acme/pat", branch="exp/two") and "c.log" not in files("acme/pat"), "a branch that is missing is made", r)
    r = reel("hub", "upload", "acme/pat", one + "/c.log", "--create_pr")
    check(r.code == 0 and "/discussions/1" in r.out and "c.log" not in files("acme/pat"), "a pull request", r)
    r = reel("hub", "upload", "acme/pat", ".", "--include", "one/b.txt")
    check(r.code == 0 and "one/b.txt" in files("acme/pat"), "the folder that this is", r)
    fresh(endpoint_in_urls="https://huggingface.co", **PARTS)
    r = reel("hub", "upload", "acme/mirror", folder("up", contents(2)))
    check(r.code == 0 and files("acme/mirror") == as_bytes(contents(2)) and "huggingface.co" not in r.out, "a mirror whose answers name the public hub", r)
    near.hub.renames["model:acme/old"] = "acme/mirror"
    near.hub.config["endpoint_in_urls"] = ""
    fault("/api/repos/create", status=409, body={"error": "You already created this model repo"})
    r = reel("hub", "upload", "acme/old", folder("more", {"new.txt": "new"}))
    check(r.code == 0 and files("acme/mirror").get("new.txt") == b"new" and head("acme/old") is None, "a repository that was renamed", r)


def refusals():
    fresh()
    one = folder("one", {"b.txt": "b"})
    for place in ("/abs", "../x", "a/../b", "x/.git", ".cache/x", "a//b"):
        r = refused(reel("hub", "upload", "acme/place", one, place), "%s is no place in a repository" % place, "PATH_IN_REPO", place)
        check("b.txt" not in r.err, "no file is blamed", r)
    for option in ("--commit_message", "--commit_description"):
        refused(reel("hub", "upload", "acme/place", one, option, b"bad\xff"), option + " that is not UTF-8", option, "UTF-8")
    check(not seen(), "nothing was asked", seen())
    check(reel("hub", "upload", "acme/place", one, "in/side/").code == 0 and sorted(files("acme/place")) == ["in/side/b.txt"], "a folder that ends in /")
    refused(reel("hub", "upload", "acme/place", one, "--offline"), "offline", "sending to acme/place is not possible in offline mode")
    fresh()
    up = folder("up", contents(3))
    r = reel("hub", "upload", "acme/priv", up, "--private")
    check(r.code == 0 and near.hub.load("model", "acme/priv")["private"], "a private repository", r)
    check(reel("hub", "upload", "acme/priv", up).code == 0 and near.hub.load("model", "acme/priv")["private"], "stays private without --private")
    reel("hub", "upload", "acme/pub", up)
    before = head("acme/pub")
    up2 = folder("up2", contents(4))
    fault("/api/models/acme/pub$", "GET", status=200, body={"id": "acme/pub", "sha": before})
    r = reel("hub", "upload", "acme/pub", up, "--private")
    check(r.code == 0 and "does not say whether" in r.err, "a server that does not tell who can read it: a warning", r)
    refused(reel("hub", "upload", "acme/pub", up2, "--private"), "--private on a public one stops", "is public", "Nothing was sent")
    refused(reel("hub", "upload", "acme/pub", up2, HF_TOKEN="hf_mock_read"), "a token that may read only", "HF_TOKEN", "role write")
    refused(reel("hub", "upload", "acme/nope", up2, HF_TOKEN="hf_mock_read"), "the same, and a repository that is not there", "role write", "acme")
    refused(reel("hub", "upload", "others/nope", up2), "a namespace of others", "others/nope", "role write")
    refused(reel("hub", "upload", "acme/pub", up2, HF_TOKEN="hf_wrong_token"), "a token that the Hub does not know", "does not know the token from HF_TOKEN")
    refused(reel("hub", "upload", "acme/pub", up2, HF_TOKEN=None), "no token", "reel hub login")
    fresh()
    refused(reel("hub", "upload", "acme/pub", up2, HF_HUB_OFFLINE="1"), "offline", "offline")
    for bad in ("a--b/c", "acme/x.git", "../x", "a/b/c", "acme/-x"):
        refused(reel("hub", "upload", bad, up2), "the name " + bad, "not the name of a repository")
    refused(reel("hub", "upload", "acme/pub", up2 + "/none"), "a folder that is not there", "no such file")
    check(not seen(), "for all of these nothing was asked", seen())
    check(reel("hub", "upload").code == 2, "no name is wrong usage")
    refused(reel("hub", "upload", "acme/pub", up2, HF_ENDPOINT="http://127.0.0.1:9"), "a server that is not there", "127.0.0.1:9", "no answer")
    check(head("acme/pub") == before, "nothing has changed")
    bad = folder("bad", {"README.md": "---\n\tx: y\n---\n", "a.bin": rnd.randbytes(500)})
    refused(reel("hub", "upload", "acme/pub", bad), "a card that the Hub does not accept", "README.md", "tab in indentation")
    check(head("acme/pub") == before and not seen("PUT"), "stops before anything is sent")
    fresh()
    fault("validate-yaml", status=404, times=-1)
    check(reel("hub", "upload", "acme/pub2", folder("good", {"README.md": "---\nlicense: mit\n---\n"})).code == 0, "a mirror that judges no cards")


def secrets_and_links():
    for name, text in ((".env", "x"), ("sub/id_rsa", "x"), ("key.pem", "x"), ("notes.txt", "export HF_TOKEN=hf_mock_write\n")):
        fresh()
        up = folder("secret", {"a.txt": "a", name: text})
        refused(reel("hub", "upload", "acme/secret", up), "%s is not sent" % name, name.split("/")[-1], "--exclude")
        check(not seen(), "%s: nothing was asked" % name)
        check(reel("hub", "upload", "acme/secret", up, "--exclude", name).code == 0 and name not in files("acme/secret"), "%s: left out" % name)
    check(reel("hub", "upload", "acme/secret", up, "--force").code == 0 and "notes.txt" in files("acme/secret"), "--force sends it")
    fresh()
    up = folder("links", {"a.txt": "a", "in/b.txt": "b"})
    os.symlink("../outside.txt", up + "/leads.txt")
    with open(WORK + "/outside.txt", "w") as f:
        f.write("private")
    refused(reel("hub", "upload", "acme/links", up), "a link that leads outside", "leads.txt", "outside")
    os.unlink(up + "/leads.txt")
    os.symlink("in", up + "/round")
    refused(reel("hub", "upload", "acme/links", up), "a link to a folder", "round", "link to a folder")
    os.unlink(up + "/round")
    check(not seen(), "nothing was asked for those")
    up = folder("links", {"a.txt": "a", "in/b.txt": "b", ".git/config": "url = https://me:password@host", ".cache/x": "x", ".env": "KEY=1"})
    for name, target in (("git.txt", ".git/config"), ("in/git.txt", "../.git/config"), ("round.txt", "git.txt"), ("cache.txt", ".cache/x"), ("g", ".git")):
        os.symlink(target, os.path.join(up, name))
    os.symlink(up + "/a.txt", up + "/whole.txt")
    r = reel("hub", "upload", "acme/ways", up, "--exclude", ".env")
    check(r.code == 0 and sorted(files("acme/ways")) == ["a.txt", "in/b.txt", "whole.txt"], "what stays by its name is not sent through a link either",
          r, sorted(files("acme/ways")))
    check(all("/%s is left out" % n in r.err for n in ("git.txt", "in/git.txt", "round.txt", "cache.txt", "g")) and
          r.err.count("left out") == 5 and "password" not in r.err, "and that is said, link by link", r)
    fresh()
    os.symlink(".env", up + "/settings.txt")
    refused(reel("hub", "upload", "acme/ways2", up, "--exclude", ".env"), "a link to a secret", ".env", "looks like a secret", "--exclude settings.txt")
    refused(reel("hub", "upload", "acme/ways2", up + "/settings.txt"), "a single file that is a link to one", ".env", "looks like a secret")
    refused(reel("hub", "upload", "acme/ways2", up + "/.env", "env.txt"), "a secret under another name", ".env", "looks like a secret")
    refused(reel("hub", "upload", "acme/ways2", up + "/git.txt"), "a single file of git", ".git", "--force")
    refused(reel("hub", "upload", "acme/ways2", up + "/.git"), "a folder of git", ".git", "--force")
    check(not seen(), "nothing was asked for those either")
    os.unlink(up + "/settings.txt")
    tokens = folder("tokens", {"a.txt": "a", "hf/token": "hf_another", "hf/stored_tokens": "[x]\nhf_token = hf_another\n"})
    os.symlink("hf/token", tokens + "/t.txt")
    for exclude, name in ((["hf/*"], "t.txt"), (["hf/token", "t.txt"], "hf/stored_tokens")):
        refused(reel("hub", "upload", "acme/ways2", tokens, *[x for e in exclude for x in ("--exclude", e)], HF_HOME=tokens + "/hf"), "a file of tokens: " + name, "tokens",
                "--exclude " + name)
    up = folder("links", {"a.txt": "a", "in/b.txt": "b"})
    os.mkfifo(up + "/pipe")
    refused(reel("hub", "upload", "acme/links", up), "a pipe", "pipe", "no regular file")
    check(not seen(), "nothing was asked")
    check(reel("hub", "upload", "acme/links", up, "--exclude", "pipe").code == 0 and sorted(files("acme/links")) == ["a.txt", "in/b.txt"], "left out")
    refused(reel("hub", "upload", "acme/links", folder("names", {"a\\b": "x"})), "a name that the Hub cannot have", "cannot be a file's name")


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
            hit = near.hub.faults[0].get("hits", 0) == 1
            check(r.code == 0 and hit and files(rid) == as_bytes(c) and commits(rid) == 2, "%s at %s %s" % (name, method, path), hit, r)
    fresh(**PARTS)
    c = contents(200)
    fault("/put/", "PUT", "cdn", drop_request_at=1000)
    r = reel("hub", "upload", "acme/g1", folder("up", c))
    check(r.code == 0 and files("acme/g1") == as_bytes(c), "a connection that breaks while a file is sent", r)
    fresh(**PARTS)
    fault("/part/.*/2\\?", "PUT", "cdn", status=500)
    c = contents(201)
    r = reel("hub", "upload", "acme/g2", folder("up", c))
    check(r.code == 0 and len(seen("PUT", "/part/")) == 5 and files("acme/g2") == as_bytes(c), "a part that fails is sent again, alone", r)
    for what, path in (("in one piece", "/put/"), ("in parts", "/part/.*/3\\?")):
        fresh(**PARTS)
        fault(path, "PUT", "cdn", status=403, body="<Error><Code>AccessDenied</Code></Error>")
        c = contents(202 + len(path))
        r = reel("hub", "upload", "acme/g3", folder("up", c))
        check(r.code == 0 and len(seen("POST", "/batch")) == 2 and files("acme/g3") == as_bytes(c), "an address that has expired, " + what, r)
    before = head("acme/g3")
    fresh(cdn_url_ttl=0)
    last = refused(reel("hub", "upload", "acme/g3", folder("up", contents(205))), "addresses that always have expired", "could not be stored", "answers 403")
    check("signature" not in last.err, "whose secret part is not shown")
    check(len(seen("POST", "/batch")) == 3, "are asked for three times in all")
    check(head("acme/g3") == before, "and change nothing")


def lost_and_moved():
    fresh(**PARTS)
    reel("hub", "upload", "acme/lost", folder("up", contents(300)))
    fault("/commit/", "POST", after="close")
    c = contents(301)
    r = reel("hub", "upload", "acme/lost", folder("up", c), "--json")
    check(r.code == 0 and commits("acme/lost") == 3 and files("acme/lost") == as_bytes(c) and
          r.json[0]["commit"] == head("acme/lost"), "a commit whose answer is lost was made once", r)
    fresh(**PARTS)
    before = head("acme/lost")
    fault("/commit/", "POST", times=-1, status=500)
    c = contents(302)
    refused(reel("hub", "upload", "acme/lost", folder("up", c)), "a server that takes no commit", "the server fails")
    check(head("acme/lost") == before, "the repository is as it was")
    hub_log = len(seen("PUT"))
    fresh(**PARTS)
    r = reel("hub", "upload", "acme/lost", WORK + "/up")
    check(hub_log > 0 and r.code == 0 and not seen("PUT") and files("acme/lost") == as_bytes(c), "the next try sends no file again", r)
    fresh(**PARTS)
    fault("objects/batch", "POST", call=lambda: put("acme/lost", "other.txt", "from others"))  # behind preupload, before the commit
    c = contents(303)
    folder("up", c)
    seen_before = commits("acme/lost")
    r = reel("hub", "upload", "acme/lost", WORK + "/up")
    check(r.code == 0 and files("acme/lost") == dict(as_bytes(c), **{"other.txt": b"from others"}) and
          commits("acme/lost") == seen_before + 2 and len(seen("POST", "/commit/")) == 2, "others commit meanwhile: both are kept", r, len(seen("POST", "/commit/")))
    fresh(**PARTS)
    fault("/commit/", "POST", times=-1, status=412, body={"error": "A commit has happened since."})
    refused(reel("hub", "upload", "acme/lost", folder("up", contents(304))), "others commit all the time", "others commit")
    check(len(seen("POST", "/commit/")) == 9, "it is tried nine times", len(seen("POST", "/commit/")))
    fresh(**PARTS)
    many = [start(near, near.home, "hub", "upload", "acme/lost", folder("many%d" % i, {"m%d.txt" % i: str(i)}), HF_TOKEN=WRITE) for i in range(8)]
    ends = [(p.communicate()[1], p.returncode) for p in many]
    check(all(code == 0 for _, code in ends) and all(files("acme/lost").get("m%d.txt" % i) == str(i).encode() for i in range(8)),
          "eight that commit at once all come through", ends)
    fresh(**PARTS)
    fault("/commit/", "POST", after="close")
    refused(reel("hub", "upload", "acme/lost", WORK + "/up", "--create_pr"), "a pull request whose answer is lost is not made twice", "pull request was lost")
    check(near.hub.load("model", "acme/lost")["prs"] == 1, "once, that is")


def grow(path):
    with open(path, "ab") as f:
        f.write(b"x")


def damage():
    fresh(**PARTS)
    reel("hub", "upload", "acme/dam", folder("up", contents(400)))
    before = head("acme/dam")
    fault("/put/", "PUT", "cdn", status=200, body="")  # says yes, keeps nothing
    c = contents(401)
    refused(reel("hub", "upload", "acme/dam", folder("up", c)), "a store that keeps nothing", "did not arrive")
    check(head("acme/dam") == before, "nothing has changed")
    fresh(verify_action=False, **PARTS)
    fault("/put/", "PUT", "cdn", status=200, body="")
    refused(reel("hub", "upload", "acme/dam", WORK + "/up"), "the same where nobody verifies: the commit finds it", "was not uploaded")
    check(head("acme/dam") == before, "nothing has changed then either")
    fresh(**PARTS)
    r = reel("hub", "upload", "acme/dam", WORK + "/up")
    check(r.code == 0 and files("acme/dam") == as_bytes(c), "the next try mends it", r)
    before = head("acme/dam")
    fresh(**PARTS)
    up = folder("up", contents(402))
    fault("objects/batch", "POST", call=lambda: grow(up + "/small.safetensors"))
    refused(reel("hub", "upload", "acme/dam", up), "a file that changes while it is sent", "small.safetensors", "was changed")
    check(head("acme/dam") == before, "is not committed")
    for what, body, words in (("no JSON", "not json", "not valid JSON"), ("nothing said", {"files": []}, "which way a.txt goes"),
                              ("a way that is none", {"files": [{"path": "a.txt", "uploadMode": "pigeon"}]}, "which way a.txt goes")):
        fresh()
        fault("/preupload/", "POST", status=200, body=body)
        refused(reel("hub", "upload", "acme/dam", folder("a", {"a.txt": "a" + what})), "an answer of preupload with " + what, words)
    def upload(actions):
        return {"objects": [{"oid": "OID", "actions": {"upload": actions}}]}
    for what, body, words in (("an error", {"objects": [{"oid": "OID", "error": {"code": 413, "message": "too large\x1b[31m"}}]}, "refuses a.bin"),
                              ("no address", upload({}), "where a.bin is to be put"),
                              ("an address of a file", upload({"href": "file:///etc/passwd"}), "not an http or https address"),
                              ("nothing", {"objects": []}, "says nothing about a.bin")):
        fresh()
        data = rnd.randbytes(100)
        oid = sha256(data)
        fault("objects/batch", "POST", status=200, body=json.loads(json.dumps(body).replace("OID", oid)))
        r = reel("hub", "upload", "acme/dam", folder("a", {"a.bin": data}))
        refused(r, "an answer of the batch with " + what, words)
        check("\x1b" not in r.err, "%s: no control character is shown" % what)
    check(head("acme/dam") == before, "still nothing has changed")


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
        p = subprocess.Popen([REEL, "hub", "upload", "acme/kill", up], env=environment(near, near.home, HF_TOKEN=WRITE), stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        try:
            p.wait(pick.uniform(0, 0.7))
        except subprocess.TimeoutExpired:
            p.send_signal(signal.SIGKILL)
            p.wait()
        time.sleep(0.1)  # what is on its way arrives
        near.rest()
        now = files("acme/kill")
        if now not in (old, c):
            check(False, "killed: neither the old state nor the new (round %d)" % i, sorted(now))
        left += now == old
        done += now == c
        fresh(**PARTS)
        r = reel("hub", "upload", "acme/kill", up)
        if r.code != 0 or files("acme/kill") != c:
            check(False, "the next try after a kill (round %d)" % i, r)
        old = c
    check(left + done == rounds and left > 3, "%d times killed: the old state or the new, and the next try succeeds" % rounds, left, done)


main([new_changed_again, places, refusals, secrets_and_links, faults, lost_and_moved, damage, killed])
