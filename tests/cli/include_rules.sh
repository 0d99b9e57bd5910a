#!/bin/sh
# Who may include whom: docs/design.md, "Layers". Every #include line of the sources is judged. TAP.
root=${REEL_SOURCE:-$(dirname "$0")/../..}
cd "$root" || exit 1
rules=$(mktemp) && trap 'rm -f "$rules"' EXIT

# folder: folders that it may include from, its own aside. backend is the device table, backend/cpu what is behind it.
cat >"$rules" <<'END'
base
args base
format base
hub format args base
kernels base
backend base
backend/cpu backend base kernels
nn backend base
video base kernels
transforms video kernels format base
models nn backend transforms hub format args base
data transforms video hub format args base
train data models transforms video nn backend hub format args base
version
END

judge() {
    awk -v rules="$rules" '
    BEGIN {
        while ((getline line < rules) > 0) {
            n = split(line, part, " ")
            known[part[1]] = 1
            for (i = 1; i <= n; i++) may[part[1], part[i]] = 1
        }
    }
    function folder(path) {  # src/backend/cpu/x.c -> backend/cpu
        sub(/\/[^\/]*$/, "", path)
        return path
    }
    function bad(why) { print FILENAME ":" FNR ": " why; failed = 1 }
    FNR == 1 { own = folder(FILENAME); sub(/^src\/?/, "", own) }
    /^[ \t]*#[ \t]*include/ {
        if (!match($0, /[<"][^>"]*[>"]/)) { bad("not an include that can be judged"); next }
        quoted = substr($0, RSTART, 1) == "\""
        name = substr($0, RSTART + 1, RLENGTH - 2)
        file = FILENAME; sub(/.*\//, "", file)
        if (name ~ /dnnl/) bad("oneDNN is for bench/limit")
        if (name ~ /^lib(av|sw)/ && own != "video") bad("FFmpeg is for src/video")
        if (name ~ /^lib(av|sw)/ && FILENAME ~ /\.h$/ && file != "media.h") bad("FFmpeg is not for headers that others see")
        if (name == "jansson.h" && FILENAME != "src/base/json.c") bad("jansson is for json.c")
        if (name ~ /^archive/ && !quoted && FILENAME != "src/format/archive.c") bad("libarchive is for archive.c")
        if (name ~ /^curl/ && FILENAME != "src/hub/http.c") bad("libcurl is for hub/http.c")
        if (name ~ /^openssl/ && FILENAME != "src/base/hash.c") bad("OpenSSL is for hash.c")
        if (FILENAME ~ /^cli\//) {
            if (quoted && name != "cli.h") bad("the command includes reel/*.h, cli.h and the system only")
            if (!quoted && name ~ /\// && name !~ /^(reel|sys)\//) bad("the command includes reel/*.h, cli.h and the system only")
            next
        }
        if (FILENAME ~ /^include\//) {
            if (quoted || name !~ /^(reel\/|std|stddef)/) bad("public headers include each other and the C standard")
            next
        }
        if (!quoted) next
        if (name !~ /\//) { bad("\"" name "\" without its folder"); next }
        if (own == "") next  # src/version.c
        if (!(own in known)) { bad("the folder is in no rule"); next }
        other = folder(name)
        if (own == "backend" && other == "backend/cpu" && file == "backend.c") next  # where a context opens its device
        if (!((own, other) in may)) bad(own " does not include from " other)
    }
    END { exit failed }' "$@"
}

echo 1..2
found=$(find src cli include -name '*.[ch]' | sort)
if out=$(judge $found); then
    echo "ok 1 - include lines keep the order of the layers"
else
    echo "not ok 1 - include lines keep the order of the layers"
    echo "$out" | sed 's/^/# /'
fi

# The test must be able to fail.
dir=$(mktemp -d) && mkdir -p "$dir/src/base" "$dir/src/nn" "$dir/cli" "$dir/src/models"
echo '#include "nn/layers.h"' >"$dir/src/base/a.c"
echo '#include <oneapi/dnnl/dnnl.h>' >"$dir/src/nn/b.c"
echo '#include "base/mem.h"' >"$dir/cli/c.c"
echo '#include "backend/cpu/cpu.h"' >"$dir/src/models/d.c"
if out=$(cd "$dir" && judge src/base/a.c src/nn/b.c cli/c.c src/models/d.c) || [ "$(echo "$out" | wc -l)" -ne 4 ]; then
    echo "not ok 2 - wrong include lines are found"
    echo "$out" | sed 's/^/# /'
else
    echo "ok 2 - wrong include lines are found"
fi
rm -r "$dir"
