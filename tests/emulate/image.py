"""The first file system of the emulated machine: busybox, the tests' programs with their libraries, and what runs them.

    image.py BUILD ROOT TEST…     TEST: a name of `meson test --list`"""
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys

APPLETS = ("sh", "mount", "grep", "tr", "cut", "sleep")
BEGIN = """#!/bin/sh
mount -t proc none /proc
mount -t devtmpfs none /dev
mount -t tmpfs none /tmp
echo "processor: $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2), $(grep -m1 ^flags /proc/cpuinfo | tr ' ' '\\n' | grep -E 'avx|amx' | tr '\\n' ' ')"
"""
END = "echo '# end of all'\nsleep 1\n"  # the serial line is slower than the kernel's own words that follow


def put(root, path, program=None):
    target = root + (program or path)
    if not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(path, target)


def libraries(program):
    return re.findall(r"(?:=> )?(/\S+) \(0x", subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout)


def main():
    build, root, names = sys.argv[1], sys.argv[2], sys.argv[3:]
    known = {t["name"]: t for t in json.loads(subprocess.run(["meson", "introspect", "--tests", build], capture_output=True, text=True, check=True).stdout)}
    for n in names:
        if n not in known:
            sys.exit(f"scripts/emulate: no test is named '{n}': meson test -C {build} --list tells them")
    shutil.rmtree(root, ignore_errors=True)
    for d in ("bin", "proc", "dev", "tmp"):
        os.makedirs(os.path.join(root, d))
    put(root, "/bin/busybox")
    for a in APPLETS:
        os.symlink("busybox", os.path.join(root, "bin", a))
    script = BEGIN
    for n in names:
        command = known[n]["cmd"]
        for path in (command[0], *libraries(command[0])):
            put(root, path)
        words = " ".join(shlex.quote(w) for w in command)
        script += f"echo '# run {n}'\nOMP_NUM_THREADS=1 CMOCKA_MESSAGE_OUTPUT=TAP {words}\necho \"# exit $? {n}, $(cut -d. -f1 /proc/uptime) s of its clock\"\n"
    init = os.path.join(root, "init")
    with open(init, "w") as f:
        f.write(script + END)
    os.chmod(init, stat.S_IRWXU)


if __name__ == "__main__":
    main()
