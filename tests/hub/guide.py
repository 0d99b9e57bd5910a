"""The README's guide, its lines as they stand, against a local hub with a full-size pre-training checkpoint (random weights, pytorch_model.bin) and a
UCF101-shaped archive."""
from common import *

ROOT = os.path.dirname(os.path.dirname(HERE))
BEGIN, END = "<!-- tests/hub/guide.py runs these lines: begin -->", "<!-- end -->"
mock = Mock()
H = home()


def lines():
    text = open(os.path.join(ROOT, "README.md")).read()
    text = text[text.index(BEGIN) + len(BEGIN):]
    return [l.strip() for l in text[:text.index(END)].splitlines() if l.startswith("    ")]


def made():
    r = subprocess.run([sys.executable, os.path.join(HERE, "guide_hub.py"), WORK + "/made", REEL], capture_output=True, text=True)
    check(r.returncode == 0, "a hub as the guide finds it", r.stderr)
    mock.seed("MCG-NJU/videomae-base", WORK + "/made/model")
    mock.seed("sayakpaul/ucf101-subset", WORK + "/made/dataset", kind="dataset")
    subprocess.run(["tar", "xzf", WORK + "/made/dataset/UCF101_subset.tar.gz", "-C", WORK], check=True)
    shutil.copy(WORK + "/UCF101_subset/test/BasketballDunk/v_BasketballDunk_g03_c01.avi", WORK + "/some.avi")
    shutil.rmtree(WORK + "/UCF101_subset")


def guide():
    env = environment(mock, H)
    env["PATH"] = os.path.dirname(REEL) + ":" + env["PATH"]
    out = ""
    for line in lines():
        begun = time.time()
        r = subprocess.run(["sh", "-c", line], input=WRITE + "\n" if "login" in line else "", capture_output=True, text=True, cwd=WORK, env=env)
        name = "%s (%.0f s)" % (line[:60], time.time() - begun)
        if not check(r.returncode == 0, name, "exit %d\n%s\n%s" % (r.returncode, r.stdout[-1500:], r.stderr[-3000:])):
            return
        out = r.stdout
    check("BasketballDunk" in out and "ApplyEyeMakeup" in out, "predict answers with the data's classes", out)
    check(len(lines()) >= 6, "the lines were found")


def pushed():
    head = mock.head("alice/videomae-ucf101")
    check(mock.leaks() == 0, "no token came to the storage server")
    r = reel(mock, home(), "hub", "download", "alice/videomae-ucf101", "--local_dir", WORK + "/back", HF_TOKEN=WRITE)
    names = sorted(n for n in os.listdir(WORK + "/back") if not n.startswith("."))
    check(r.code == 0 and {"README.md", "config.json", "model.safetensors", "preprocessor_config.json"} <= set(names), "what was pushed", (head, names, r))
    card = open(WORK + "/back/README.md").read() if "README.md" in names else ""
    check("base_model: MCG-NJU/videomae-base" in card and "pipeline_tag: video-classification" in card and "sayakpaul/ucf101-subset" in card, "its card", card)


main([made, guide, pushed])
