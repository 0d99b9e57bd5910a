"""login, logout, whoami: the files, their permissions, and that a token is seen nowhere."""
import os
import pty
import pwd
import select
import stat
import termios

from common import *

mock = Mock()


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def from_a_pipe():
    h = home()
    r = reel(mock, h, "hub", "login", stdin=WRITE + "\n")
    check(r.code == 0 and "alice" in r.out, "a token from a pipe logs in", r)
    check(read(h + "/token") == WRITE.encode(), "the token file has the bare token")
    check(read(h + "/stored_tokens") == b"[mock-write]\nhf_token = hf_mock_write\n\n", "stored_tokens has its section", read(h + "/stored_tokens"))
    check(mode(h + "/token") == 0o600 and mode(h + "/stored_tokens") == 0o600 and mode(h) == 0o700, "for the owner only")
    check(WRITE not in r.out + r.err, "the token is not shown", r)
    check(sorted(os.listdir(h)) == ["stored_tokens", "token"], "nothing else is left", os.listdir(h))
    h2 = home()
    reel(mock, h2, "hub", "login", stdin=WRITE, before=lambda: os.umask(0))
    check(mode(h2 + "/token") == 0o600 and mode(h2 + "/stored_tokens") == 0o600, "whatever the umask is")
    r = reel(mock, h, "hub", "login", "--json", stdin="  " + READ + "\r\n")
    check(r.code == 0 and json.loads(r.out)["name"] == "bob" and json.loads(r.out)["role"] == "read", "login --json, blanks cut", r)
    check(b"[mock-write]" in read(h + "/stored_tokens") and b"[mock-read]" in read(h + "/stored_tokens"), "other sections stay")
    reel(mock, h, "hub", "login", stdin=READ)
    check(read(h + "/stored_tokens").count(b"[mock-read]") == 1, "a section is there once")
    r = reel(mock, h, "hub", "whoami", "--json")
    me = json.loads(r.out)
    check(me["name"] == "bob" and me["token_from"] == h + "/token" and me["endpoint"] == mock.url, "whoami --json", r)
    r = reel(mock, h, "hub", "whoami", "-v", HF_TOKEN=WRITE)
    check(r.code == 0 and "alice" in r.out and "HF_TOKEN" in r.out and WRITE not in r.out + r.err, "HF_TOKEN wins, and is not shown", r)
    r = reel(mock, h, "hub", "whoami", HF_TOKEN=" \n")
    check(r.code == 0 and "bob" in r.out, "a blank HF_TOKEN counts as none", r)
    r = reel(mock, h, "hub", "login", stdin=READ, HF_TOKEN=WRITE)
    check(r.code == 0 and "HF_TOKEN" in r.err and "wins" in r.err, "login says that HF_TOKEN wins", r)
    r = reel(mock, h, "hub", "logout", HF_TOKEN=WRITE)
    check(r.code == 0 and "HF_TOKEN" in r.err and not os.path.exists(h + "/token") and not os.path.exists(h + "/stored_tokens"),
          "logout removes both, and warns of HF_TOKEN", r)
    r = reel(mock, h, "hub", "whoami")
    check(fails(r, 1, "nobody is logged in", "reel hub login"), "whoami without a token", r)
    r = reel(mock, h, "hub", "logout", "--json")
    check(r.code == 0 and json.loads(r.out)["was_logged_in"] is False, "logout twice", r)


def what_is_refused():
    h = home()
    for text, words, name in (("hf_wrong", ["does not know"], "a wrong token"), ("", ["no token"], "an empty one"),
                              ("api_org_abc", ["organisation"], "an organisation's"), ("hf_a b", ["no token"], "one with a blank inside"),
                              ("hf_\x01", ["no token"], "one with a control character")):
        r = reel(mock, h, "hub", "login", stdin=text)
        check(fails(r, 1, *words) and not os.path.exists(h + "/token"), name + " is refused, and not stored", r)
    r = reel(mock, h, "hub", "login", "hf_argument")
    check(r.code == 2, "a token as an argument is wrong usage", r)
    r = reel(mock, h, "hub", "whoami", HF_TOKEN="hf_wrong")
    check(fails(r, 1, "HF_TOKEN") and "hf_wrong" not in r.err, "a bad token: where it comes from, not what it is", r)
    r = reel(mock, h, "hub", "whoami", HF_TOKEN="hf_\x01x")
    check(fails(r, 1, "HF_TOKEN"), "a token that would break a header", r)
    check("unset it" in r.err and "reel hub login" not in r.err, "the variable is to be changed", r)
    r = reel(mock, h, "hub", "login", "--offline", stdin=WRITE)
    check(fails(r, 1, "logging in is not possible in offline mode"), "no login offline", r)
    check(fails(reel(mock, h, "hub", "whoami", "--offline", HF_TOKEN=WRITE), 1, "is not possible in offline mode"), "nor whoami")
    r = reel(mock, h, "hub", "login", stdin=WRITE, HF_HOME=None, HOME=None, XDG_CACHE_HOME=None)
    check(fails(r, 1, "no place for the token"), "no login where the token has no place", r)
    r = reel("http://127.0.0.1:9", h, "hub", "login", stdin=WRITE)
    check(fails(r, 1, "127.0.0.1:9") and not os.path.exists(h + "/token"), "no login without an answer", r)
    r = reel("http://user:pass@127.0.0.1:9", h, "hub", "whoami", HF_TOKEN=WRITE)
    check(fails(r, 1, "HF_ENDPOINT") and "pass@" not in r.err, "an endpoint with a password is refused, and not shown", r)


def other_places():
    h = home()
    r = reel(mock, h, "hub", "login", stdin=WRITE, HF_TOKEN_PATH=h + "/deep/er/t")
    check(r.code == 0 and read(h + "/deep/er/t") == WRITE.encode() and os.path.exists(h + "/deep/er/stored_tokens"), "HF_TOKEN_PATH", r)
    r = reel(mock, h, "hub", "whoami", HF_TOKEN_PATH=h + "/deep/er/t", HF_HUB_DISABLE_IMPLICIT_TOKEN="1")
    check(fails(r, 1, "nobody is logged in"), "HF_HUB_DISABLE_IMPLICIT_TOKEN", r)
    for bits in (0o1777, 0o755, 0o770):
        shared = os.path.join(h, "shared%o" % bits)
        os.mkdir(shared)
        os.chmod(shared, bits)
        r = reel(mock, h, "hub", "login", stdin=WRITE, HF_TOKEN_PATH=shared + "/t")
        check(r.code == 0 and stat.S_IMODE(os.stat(shared).st_mode) == bits and mode(shared + "/t") == 0o600, "a folder %o that was there stays so" % bits, r)
    check(mode(h + "/deep/er") == 0o700, "one that is made is closed to others")
    os.mkdir(h + "/cwd")
    home_of = pwd.getpwuid(os.getuid())
    r = reel(mock, h, "hub", "whoami", cwd=h + "/cwd", HF_HOME="~%s/reel-none" % home_of.pw_name)
    check(fails(r, 1, home_of.pw_dir.rstrip("/") + "/reel-none/token"), "~USER in HF_HOME", r)
    h = home()
    write(h + "/token", WRITE)
    write(h + "/stored_tokens", "[web]\nhf_token = %s\nrefresh_token = r\nexpires_at = 1000\n" % WRITE)
    r = reel(mock, h, "hub", "whoami")
    check(r.code == 0 and "alice" in r.out and r.err.count("expired") == 1 and "log in again" in r.err, "a token that has expired is warned of: the hub decides", r)


def bad_tokens():
    """A token that is too old, or none at all, stops nothing that needs none."""
    source = folder("source", {"config.json": "{}", "a.txt": "a", "b.txt": "b"})
    mock.seed("acme/open", source)
    mock.seed("acme/shut", source, private=True)
    old, never = home(), home()
    reel(mock, old, "hub", "download", "acme/open")
    reel(mock, never, "hub", "download", "acme/open")
    write(old + "/token", WRITE)
    write(old + "/stored_tokens", "[oauth-alice]\nhf_token = %s\nrefresh_token = r\nexpires_at = 1000\n" % WRITE)
    write(never + "/token", "no token at all")
    commit = mock.head("acme/open")["refs"]["main"]
    for h, name in ((old, "expired"), (never, "none")):
        mock.post("reset", {})
        for args in (["--offline"], ["config.json", "--offline"], ["config.json", "--revision", commit]):
            r = reel(mock, h, "hub", "download", "acme/open", *args)
            check(r.code == 0 and "token" not in r.err and not mock.log(), "a token that is %s: %s needs none" % (name, args), r)
    r = reel(mock, old, "hub", "download", "acme/open", "--force_download")
    check(r.code == 0 and r.err.count("has expired; log in again") == 1 and mock.log()[-1]["token"], "an expired token: one warning, and it is sent", r)
    r = reel(mock, never, "hub", "download", "acme/open", "a.txt")
    check(r.code == 0 and "copy" in r.err and "characters" in r.err, "what is no token: the copy, and why", r)
    r = reel(mock, never, "hub", "download", "acme/shut", "a.txt")
    check(fails(r, 1, never + "/token", "characters", "login"), "without a copy it is refused", r)
    gone = "hf_gone"
    write(old + "/token", gone)
    write(old + "/stored_tokens", "[oauth-alice]\nhf_token = %s\nexpires_at = 1000\n" % gone)
    r = reel(mock, old, "hub", "download", "acme/open", "a.txt")
    check(r.code == 0 and "copy" in r.err and "log in again" in r.err and gone not in r.err, "the hub refuses an expired token: the copy", r)
    for args in (["whoami"], ["download", "acme/shut", "a.txt"], ["download", "acme/shut"], ["upload", "acme/open", source]):
        r = reel(mock, old, "hub", *args)
        last = r.err.strip().splitlines()[-1]
        check(r.code == 1 and last.startswith("reel: ") and "expired" in last and "log in again" in last, "the hub refuses an expired token: %s" % args[0], r)
    r = reel(mock, old, "hub", "whoami", "--offline")
    check(fails(r, 1, "offline"), "offline there is no whoami, whatever the token is", r)


def typed():
    h = home()
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(WORK)
        os.execve(REEL, [REEL, "hub", "login"], environment(mock, h, TERM="xterm"))
    shown = b""
    while b": " not in shown:
        shown += os.read(fd, 1000)
    time.sleep(0.2)
    os.write(fd, WRITE.encode() + b"\n")
    try:
        while True:
            more = os.read(fd, 1000)
            if not more:
                break
            shown += more
    except OSError:
        pass
    _, status = os.waitpid(pid, 0)
    check(status == 0 and b"alice" in shown and WRITE.encode() not in shown, "typed on a terminal: not shown", shown)
    check(read(h + "/token") == WRITE.encode(), "typed on a terminal: stored")


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, h, command, **env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(WORK)
            os.execvpe(command[0], command, environment(mock, h, TERM="xterm", PS1="$ ", HISTFILE=None, **env))
        self.shown = b""

    def until(self, *words, seconds=10):
        """All that is shown until each of these is there, in this order, or it ends."""
        end, at = time.time() + seconds, len(self.shown)
        for word in words:
            while word not in self.shown[at:] and time.time() < end:
                if select.select([self.fd], [], [], 0.1)[0]:
                    try:
                        more = os.read(self.fd, 1000)
                    except OSError:
                        return False
                    if not more:
                        return False
                    self.shown += more
            if word not in self.shown[at:]:
                return False
            at = self.shown.index(word, at) + len(word)
        return True

    def send(self, text):
        os.write(self.fd, text)

    def end(self):
        self.until(b"\0never")
        return os.waitpid(self.pid, 0)[1]


def stopped_and_continued():
    h = home()
    t = Terminal(h, ["bash", "--norc", "--noprofile", "-i"])
    t.until(b"$ ")
    t.send(REEL.encode() + b" hub login\n")
    check(t.until(b"there): "), "asked in a shell", t.shown)
    time.sleep(0.2)
    t.send(b"\x1a")
    check(t.until(b"topped"), "Ctrl-Z stops it", t.shown)
    t.send(b"fg\n")
    check(t.until(b"hub login", b"there): "), "fg asks again", t.shown)
    time.sleep(0.2)
    t.send(WRITE.encode() + b"\n")
    check(t.until(b"alice"), "and takes the token", t.shown)
    t.send(b"exit\n")
    t.end()
    check(WRITE.encode() not in t.shown and read(h + "/token") == WRITE.encode(), "which is not shown", t.shown)
    h = home()
    t = Terminal(h, [REEL, "hub", "login"])
    t.until(b"there): ")
    time.sleep(0.2)
    os.kill(t.pid, signal.SIGSTOP)
    os.waitpid(t.pid, os.WUNTRACED)
    modes = termios.tcgetattr(t.fd)
    modes[3] |= termios.ECHO
    termios.tcsetattr(t.fd, termios.TCSANOW, modes)
    os.kill(t.pid, signal.SIGCONT)
    check(t.until(b"there): "), "asked again after SIGSTOP", t.shown)
    time.sleep(0.2)
    t.send(WRITE.encode() + b"\n")
    check(t.end() == 0 and WRITE.encode() not in t.shown, "no echo after it", t.shown)
    t = Terminal(home(), [REEL, "hub", "login", "--offline"])
    check(t.end() == 256 and b"offline mode" in t.shown and b"not shown" not in t.shown, "offline, nothing is asked", t.shown)


def asked_once():
    mock.post("reset", {})
    h = home()
    reel(mock, h, "hub", "login", stdin=WRITE)
    check(len(mock.log()) == 1 and mock.log()[0]["path"] == "/api/whoami-v2", "login asks one thing", mock.log())
    agent = mock.log()[0]["headers"]["user-agent"]
    check(agent.startswith("reel/") and "; libcurl/" in agent, "the user agent", agent)
    mock.post("reset", {})
    reel(mock, h, "hub", "logout")
    check(not mock.log(), "logout asks nothing")
    mock.post("faults", {"path": "whoami", "status": 429, "headers": {"Retry-After": "1"}, "times": 1})
    r = reel(mock, h, "hub", "login", stdin=WRITE)
    check(r.code == 0 and 1.5 < r.seconds < 6, "429 with Retry-After is waited for (%.1f s)" % r.seconds, r)
    mock.post("reset", {})


def repeated_by_the_server():
    h = home()
    for action in ({"body": "token %s bad, %s" % (WRITE, WRITE)}, {"headers": {"X-Error-Message": "token %s bad" % WRITE}},
                   {"body": {"error": "x" * 490 + WRITE}}):
        mock.post("faults", dict(action, status=400, path="whoami", times=1))
        r = reel(mock, h, "hub", "login", stdin=WRITE)
        check(r.code == 1 and WRITE not in r.err and "hf_mock" not in r.err and ("token … bad" in r.err or "xxx…" in r.err),
              "a token that the server repeats is not shown", action, r)
    mock.post("reset", {})


main([repeated_by_the_server, from_a_pipe, what_is_refused, other_places, bad_tokens, typed, stopped_and_continued, asked_once])
