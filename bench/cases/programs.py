"""Programs under measurement, run in turns.

A C program or a cold command is started for each round; a Python peer stays resident (bench/peer.py: a line with a number of passes goes in,
a line of JSON comes out), because importing and compiling take far longer than what is measured. Nothing but the program whose turn it is
computes: a resident peer waits for its line. No variable that chooses kernels, threads or their waiting reaches any of them."""
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(HERE)
DISTURBED = 0.05  # part of the machine that others may take during a turn
FORCING = ("OPENBLAS_", "OMP_", "GOMP_", "KMP_", "DNNL_", "ONEDNN_", "MKL_", "TORCHINDUCTOR_", "TORCH_", "OV_", "ATEN_")


class Failed(Exception):
    """A program that is missing or ends with an error; str() is the reason, one line."""


def environment():
    env = {k: v for k, v in os.environ.items() if not k.startswith(FORCING)}
    env.update(CUDA_VISIBLE_DEVICES="", HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", PYTHONDONTWRITEBYTECODE="1")
    return env


def reason(text, code):
    lines = [l.strip() for l in text.strip().splitlines() if l.strip()]
    return (lines[-1] if lines else f"exit {code}")[:160]


def call(*command, timeout=900, cwd=None):
    """What a command prints on stdout."""
    try:
        r = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=environment(), timeout=timeout, cwd=cwd)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise Failed(str(e)[:160]) from e
    if r.returncode:
        raise Failed(reason(r.stderr, r.returncode))
    return r.stdout


def wall(*command, timeout=900):
    """Seconds from exec to exit."""
    begun = time.perf_counter()
    call(*command, timeout=timeout)
    return time.perf_counter() - begun


class Once:
    """A command that prints one JSON line with "median" for itself: bench_model."""

    def __init__(self, command):
        self.command, self.info, self.error = command, {}, None

    def turn(self, passes):
        self.info = json.loads(call(*[str(passes) if c == "PASSES" else c for c in self.command]))
        return self.info["median"]

    def close(self):
        pass


class Limit:
    """bench_limit: seconds of the bare products of a forward or a training step."""

    def __init__(self, command, what, precision):
        self.command, self.what, self.precision, self.info, self.error = command, what, precision, {}, None

    def turn(self, passes):
        text = call(*[str(max(passes, 2)) if c == "PASSES" else c for c in self.command])
        key = "forward" if self.what == "forward" else "training step"
        found = re.search(rf"^{key}\s+limit\s+([0-9.]+) ms\s+ours\s+([0-9.]+) ms", text, re.M)
        if not found:
            raise Failed("bench_limit printed no sum")
        self.info = {"table": text.splitlines()}
        return float(found.group(1)) / 1e3

    def close(self):
        pass


class Wall:
    """A whole process, from exec to exit."""

    def __init__(self, command):
        self.command, self.info, self.error = command, {}, None

    def turn(self, passes):
        return statistics.median(wall(*self.command) for _ in range(passes))

    def close(self):
        pass


class Resident:
    """A Python peer that answers "N" with the seconds of N passes."""

    def __init__(self, script, *arguments):
        self.command = [sys.executable, os.path.join(HERE, script), *map(str, arguments)]
        self.child, self.info, self.error = None, {}, None

    def read(self):
        for line in self.child.stdout:
            if line.startswith("{"):
                return json.loads(line)
        code = self.child.wait()
        self.errors.seek(0)
        raise Failed(reason(self.errors.read(), code))

    def start(self):
        import tempfile
        self.errors = tempfile.TemporaryFile("w+")
        self.child = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, env=environment())
        self.info = self.read()

    def turn(self, passes):
        if self.child is None:
            self.start()
        self.child.stdin.write(f"{passes}\n")
        self.child.stdin.flush()
        answer = self.read()
        self.info.update({k: v for k, v in answer.items() if k != "times"})
        return statistics.median(answer["times"])

    def close(self):
        if self.child is not None and self.child.poll() is None:
            self.child.stdin.close()
            self.child.wait(timeout=60)
        self.child = None


def machine_busy():
    """Seconds that all processors together have worked, or were taken away by a hypervisor, since the start."""
    with open("/proc/stat") as f:
        v = [int(x) for x in f.readline().split()[1:9]]
    return (sum(v) - v[3] - v[4]) / os.sysconf("SC_CLK_TCK")  # all but idle and iowait


def own_busy(program):
    """Seconds that we, our ended children and a resident peer have worked."""
    total = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    if getattr(program, "child", None) is not None:
        with open(f"/proc/{program.child.pid}/stat") as f:
            total += sum(int(x) for x in f.read().rsplit(")", 1)[1].split()[11:13]) / os.sysconf("SC_CLK_TCK")
    return total


def wait_for_quiet(seconds=60):
    """Until the machine has been idle for half a second, or so many seconds have passed."""
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds:
        busy = machine_busy()
        time.sleep(0.5)
        if machine_busy() - busy < 0.1:
            return


def quiet_turn(program, passes, log):
    """Seconds, and what part of the machine others took meanwhile. A turn with more than a twentieth is repeated, once: the less disturbed counts."""
    best = None
    for _ in range(2):
        wait_for_quiet()
        begun, busy, own = time.perf_counter(), machine_busy(), own_busy(program)
        value = program.turn(passes)
        foreign = (machine_busy() - busy - (own_busy(program) - own)) / (time.perf_counter() - begun) / os.cpu_count()
        if best is None or foreign < best[1]:
            best = (value, foreign)
        if foreign <= DISTURBED:
            break
        if log:
            log(f"    disturbed: {100 * foreign:.0f} % of the machine went to others ({value:.4f} s)")
    return best


def measure(programs, rounds, passes, log=None):
    """Each program's rounds: {name: {"rounds": [seconds], "median": seconds, ...what it told} or {"error": reason}}.

    passes: a number, or a number by name. A program that fails once is out of the remaining rounds, and the reason stays."""
    times, foreign = {name: [] for name in programs}, {name: [] for name in programs}
    try:
        for program in programs.values():  # start-up, compilation and warming before the first round
            if isinstance(program, Resident):
                try:
                    program.start()
                except Failed as e:
                    program.error = str(e)
        for r in range(rounds):
            for name, program in programs.items():
                if program.error is None:
                    try:
                        value, others = quiet_turn(program, passes.get(name, 1) if isinstance(passes, dict) else passes, log)
                        times[name].append(value)
                        foreign[name].append(round(max(others, 0.0), 3))
                    except Failed as e:
                        program.error = str(e)
                    if log and program.error is None:
                        log(f"  round {r + 1}  {name}: {times[name][-1]:.4f} s")
    finally:
        for program in programs.values():
            program.close()
    return {name: {"error": p.error} if p.error is not None else {"rounds": times[name], "foreign": foreign[name], "median": median(times[name], foreign[name]),
                                                                  **p.info} for name, p in programs.items()}


def median(times, foreign):
    """Over the rounds that nobody disturbed, where there are any."""
    return statistics.median([t for t, f in zip(times, foreign) if f <= DISTURBED] or times)


def undisturbed(entry):
    return [f <= DISTURBED for f in entry.get("foreign", [0.0] * len(entry["rounds"]))]


def ratio(result, over, under):
    """One program's seconds by another's: median over the rounds in which nobody disturbed either, else of their medians; None where one did not run."""
    a, b = result.get(over, {}), result.get(under, {})
    if "median" not in a or "median" not in b:
        return None
    pairs = [x / y for x, y, p, q in zip(a["rounds"], b["rounds"], undisturbed(a), undisturbed(b)) if p and q]
    return statistics.median(pairs) if pairs else a["median"] / b["median"]


def fastest(result, names):
    """The fastest of those that ran, or None."""
    ran = [n for n in names if "median" in result.get(n, {})]
    return min(ran, key=lambda n: result[n]["median"]) if ran else None
