"""Decoding and transforms: reel's programs and the peers' print JSON lines with median_ms; rounds take turns."""
import json
import os
import shutil
import statistics
import sys

from .programs import HERE, Failed, call
from .videos import NAMES, video

FILES = 8


def lines(*command):
    return [json.loads(l) for l in call(*command).splitlines() if l.startswith("{")]


def take_turns(m, commands, key):
    """Rounds of commands that print lines; {key(line): {program: {"rounds": [...], "median": ms} or {"error"}}}."""
    got, broken = {}, {}
    for _ in range(m.rounds):
        for command in commands:
            try:
                told = lines(*command)
            except Failed as e:
                broken[os.path.basename(command[1] if command[0] == sys.executable else command[0])] = {"error": str(e)}
                continue
            for line in told:
                place = got.setdefault(key(line), {}).setdefault(line["program"], {"rounds": []})
                why = line.get("failed") or line.get("error")
                if why:
                    place["error"] = why
                else:
                    place["rounds"].append(line["median_ms"] / 1e3)
    for programs in got.values():
        for p in programs.values():
            if "error" not in p:
                p["median"] = statistics.median(p["rounds"])
        programs.update(broken)
    return got


def decoding(m):
    peer, out = os.path.join(HERE, "peer_decode.py"), {}
    for kind in ("avi", "720p"):
        path = video(m.scratch, kind)
        several = []
        for i in range(FILES):  # copies: the same work, another file
            several.append(os.path.join(m.scratch, "videos", f"{i}-{NAMES[kind]}"))
            if not os.path.exists(several[-1]):
                shutil.copy(path, several[-1])
        for case, files in (("uniform", [path]), ("clip", [path]), ("files", several)):
            m.log(f"  {kind} {case}")
            arguments = [case, m.threads, 7 if kind == "avi" else 3, *files]
            out[f"{kind} {case}"] = take_turns(m, [[m.program("bench_decode"), *arguments], [sys.executable, peer, *arguments]], lambda l: "x")["x"]
    return out


def transforms(m):
    peer = os.path.join(HERE, "peer_transform.py")
    if not os.path.exists(peer):
        raise Failed("peer_transform.py is missing")
    return take_turns(m, [[m.program("bench_transform"), m.threads, 15], [sys.executable, peer, m.threads, 15]], lambda l: l["case"])


def rows():
    return {"decoding": ("file to frames", decoding), "transforms": ("the guide's transforms, 16 frames of a 54-frame clip of 240x320", transforms)}
