"""kill -9 at random points of downloads: what is in the cache is whole afterwards, and the next call succeeds."""
from common import *

FILES = {"config.json": b"{}\n", "sub/a.txt": b"hi\n", "model.safetensors": RANDOM.randbytes(1_500_000), "b.bin": RANDOM.randbytes(400_000)}
src = os.path.join(WORK, "src")
for name, data in FILES.items():
    write(os.path.join(src, name), data)
mock = Mock("--seed", "acme/vid=" + src)


def killed():
    mock.post("faults", [{"server": "cdn", "method": "GET", "rate": 4_000_000, "times": -1}])
    bad, h = [], home()
    whole = 0
    for i in range(50):
        if i % 5 == 0:
            h = home()  # the others go on with what a killed one left
        args = ["--local_dir", h + "/local"] if i % 10 >= 5 else []
        p = start(mock, h, "hub", "download", "acme/vid", *args)
        time.sleep(RANDOM.random() * 0.5)
        p.kill()
        p.communicate()
        whole += p.returncode == 0
        bad += cache_problems(h)
        if i % 5 == 4:
            r = reel(mock, h, "hub", "download", "acme/vid", *args)
            if r.code != 0 or not holds(r.out.strip(), FILES):
                bad.append("after kill %d: %s" % (i, r))
            bad += cache_problems(h)
    check(not bad, "50 times kill -9 (%d of them came too late)" % whole, "\n".join(bad))
    check(whole < 40, "most of them in the middle", whole)


main([killed])
