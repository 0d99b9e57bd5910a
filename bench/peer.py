"""What the resident peers have in common: a line "N" on stdin asks for N timed passes, the answer is one line of JSON; end of input ends."""
import json
import resource
import sys
import time


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def serve(step, info, warm=1, again=True):
    """step(): one pass. warm: untimed passes at the start; again: one untimed pass at the start of each turn as well, since another program
    has had the caches in between (left out where a pass is a training step of many seconds)."""
    for _ in range(warm):
        step()
    print(json.dumps({"ready": True, **info}), flush=True)
    for line in sys.stdin:
        if again:
            step()
        times = []
        for _ in range(int(line)):
            begun = time.perf_counter()
            step()
            times.append(time.perf_counter() - begun)
        print(json.dumps({"times": times, "peak_mib": peak_mib()}), flush=True)
