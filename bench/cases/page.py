"""The tables, in Markdown, from the kept results."""
from .claims import claims
from .programs import ratio, undisturbed


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)] + ["| " + " | ".join(str(x) for x in r) + " |" for r in rows] + [""]


def seconds(entry):
    if "error" in entry:
        return f"not run ({entry['error']})"
    s = entry["median"]
    if "rounds" in entry and not any(undisturbed(entry)):
        return f"{s:.3f} s (disturbed: others took {100 * min(entry['foreign']):.0f} % of the machine)"
    return f"{s:.3f} s" if s >= 0.1 else f"{1e3 * s:.2f} ms"


def name_of(program):
    return "oneDNN's bare products" if program == "limit" else program


def beside(r, with_memory=False):
    """One line a program: its time, its time by reel's, and its peak memory where that is told."""
    out = []
    for name, entry in r.items():
        if isinstance(entry, dict) and ("rounds" in entry or "error" in entry):
            by = ratio(r, name, "reel")
            out.append([name_of(name), seconds(entry), "" if by is None else f"{by:.2f}"] + ([f"{entry['peak_mib']} MiB" if "peak_mib" in entry else ""] if with_memory else []))
    return out


def tokens_of(label):
    frames, side = (int(x) for x in label.split("x"))
    return frames // 2 * (side // 16) ** 2


def scaling(row, r):
    labels = list(dict.fromkeys(k.split(" ", 1)[1] for k in r))
    cell = lambda key, what: what(r[key]) if "median" in r.get(key, {}) else f"not run ({r.get(key, {}).get('error', '')})"
    mib = lambda e: f"{e['peak_mib']} MiB"
    first = {"scaling/threads": "precision, threads", "scaling/tokens": "frames x side", "scaling/batch": "clips"}[row]
    lines = []
    for l in labels:
        extra = [tokens_of(l)] if row == "scaling/tokens" else []
        lines.append([l, *extra] + [cell(f"{w} {l}", f) for w in ("forward", "train") for f in (seconds, mib)])
    return table([first] + (["tokens"] if row == "scaling/tokens" else []) + ["forward", "memory", "training step", "memory"], lines)


def detail(row, got):
    r = got[row]["result"]
    if row.startswith("scaling"):
        return scaling(row, r)
    if row == "accuracy":
        return [f"The demo's model (`examples/motions.json`, trained on the synthetic set, {r['classes']} classes), {r['clips']} test clips it never saw.", ""] + table(
            ["precision", "accuracy", "agreement with fp32", "mean cosine", "least cosine", "greatest difference, relative"],
            [[d, f"{100 * r[d]['accuracy']:.2f} %", f"{100 * r[d]['agreement']:.2f} %", f"{r[d]['cosine']:.6f}", f"{r[d]['least cosine']:.6f}", f"{r[d]['worst']:.1e}"]
             for d in ("fp32", "bf16", "int8")])
    if row in ("decoding", "transforms"):
        return table(["case", "program", "time", "by reel's"], [[case] + line for case, programs in r.items() for line in beside(programs)])
    lines = table(["program", "time", "by reel's", "peak memory"], beside(r, True)) if row.startswith(("forward", "training", "memory")) else \
        table(["program", "time", "by reel's"], beside(r))
    if row == "cold":
        w = r["warm"]
        lines += [f"A warm clip in bf16: {seconds(w)} (model {w['model']:.3f} s, 16 frames of the file {1e3 * w['frames']:.1f} ms, transform {1e3 * w['transform']:.1f} ms); "
                  f"each further file of one `reel predict` costs {w['each further file']:.3f} s."]
        if "fp32 model" in w and "median" in r["pipeline"]:
            lines += [f"The forward alone takes {w['fp32 model']:.3f} s in float32 when all is warm: `pipeline` takes {r['pipeline']['median'] / w['fp32 model']:.2f} times that, "
                      f"and a cold process has {r['reel']['median'] - w['fp32 model']:.3f} s besides (start, mapping and packing of 345 MB of weights, first touch of memory, the file)."]
        lines += [""]
    if row == "finetuning":
        lines += [f"{r['clips']} training clips of {r['classes']} classes, {r['epochs']} epochs of batches of 8, evaluation and checkpoint each epoch, then the test clips. Test accuracy "
                  f"of the seeds: reel {', '.join(f'{a:.2f}' for a in r['reel']['accuracy'])}; Trainer {', '.join(f'{a:.2f}' for a in r['Trainer']['accuracy']) or 'not run'}.", ""]
    return lines


def page(got):
    """got: {row: {"title", "header", "rounds", "result" or "error"}} in the order of the rows."""
    if not got:
        return "Nothing measured yet."
    heads = [g["header"] for g in got.values()]
    newest = max(heads, key=lambda h: h["date"])
    versions = ", ".join(f"{p} {v}" for p, v in newest["versions"].items() if v) + "".join(f"; {p} is not installed" for p, v in newest["versions"].items() if not v)
    lines = [f"### {newest['processor']}", "", f"{newest['cores']} cores, 2 threads on both sides. {versions}.", ""]
    if newest["kind"] == "any":
        lines += ["This processor has no fast bfloat16: where a row says bf16, reel computes in float32 (and says so), and its peers emulate it or do the same.", ""]
    asked = claims(got, newest["kind"])
    if asked:
        lines += ["#### Asked for, and reached", ""]
        lines += table(["row", "ratio", "asked for", "measured", "reached"],
                       [[*a[:4], {True: "yes", False: "**no**", None: "not run"}[a[4]]] for a in asked])
    lines += ["#### Figures", ""]
    for row, g in got.items():
        where = "" if g["header"]["processor"] == newest["processor"] else f", {g['header']['processor']}"
        rounds = f"{g['rounds']} round{'s' if g['rounds'] != 1 else ''}"
        lines += [f"**{g['title'][0].upper() + g['title'][1:]}** (`{row}`, {g['header']['date']}, {rounds}{where})", ""]
        lines += detail(row, got) if "result" in g else [f"not run ({g['error']})", ""]
    return "\n".join(lines).rstrip()
