# For tests of the command in sh: TAP, a temporary folder $T, what a run printed. Source it; $1 of the test is the command.
# shellcheck shell=sh
REEL=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
SHARED=${REEL_SHARED:-$(dirname "$0")/../../../shared}
HERE=$(cd "$(dirname "$0")" && pwd)
T=$(mktemp -d "${TMPDIR:-/tmp}/reel_cli.XXXXXX") || exit 1
trap 'rm -rf "$T"' EXIT
trap 'exit 1' INT TERM HUP
HOME=$T/home XDG_CACHE_HOME=$T/cache LC_ALL=C.UTF-8 OMP_NUM_THREADS=2
HF_HUB_OFFLINE=1  # a name that is no folder is not asked for on the Hub; tests/hub has its own
export HOME XDG_CACHE_HOME LC_ALL OMP_NUM_THREADS HF_HUB_OFFLINE
unset NO_COLOR COLUMNS HF_HOME HF_TOKEN HF_ENDPOINT
count=0 code=0 command=

# run ARGUMENTS: runs reel, keeps $T/out, $T/err and $code.
run() {
    command="reel $*"
    "$REEL" "$@" >"$T/out" 2>"$T/err" </dev/null
    code=$?
}

# check WHAT CONDITION…: one test.
check() {
    what=$1
    shift
    count=$((count + 1))
    if "$@"; then
        echo "ok $count - $what"
    else
        echo "not ok $count - $what"
        echo "# $command -> $code"
        head -c 2000 "$T/out" | sed 's/^/# out: /'
        head -c 2000 "$T/err" | sed 's/^/# err: /'
    fi
}
skip() {
    count=$((count + 1))
    echo "ok $count - $1 # SKIP $2"
}
finish() { echo "1..$count"; }

said() { grep -q -i -e "$1" "$T/err"; }
printed() { grep -q -e "$1" "$T/out"; }
worked() { [ $code -eq 0 ]; }
# One clear message: code as wanted, one line that begins "reel: " and holds the word, no result, nothing of other libraries.
refused() {
    [ $code -eq "$1" ] && [ "$(grep -c '^reel: ' "$T/err")" -eq 1 ] && grep '^reel: ' "$T/err" | grep -q -i -e "$2" \
        && [ ! -s "$T/out" ] && ! grep -q -E 'Sanitizer|runtime error|\[[a-z0-9_]+ @ 0x' "$T/err"
}
fails() {  # fails CODE WORD WHAT ARGUMENTS…
    want=$1 word=$2 what=$3
    shift 3
    run "$@"
    check "$what" refused "$want" "$word"
}

# A model of a few thousand weights, in $T/config.json and $T/model.
tiny_config() {
    cat >"$1" <<END
{"architectures": ["VideoMAEForVideoClassification"], "model_type": "videomae", "image_size": 32, "patch_size": 16,
 "num_channels": 3, "num_frames": 4, "tubelet_size": 2, "hidden_size": 16, "num_hidden_layers": 2,
 "num_attention_heads": 2, "intermediate_size": 32, "hidden_act": "gelu", "hidden_dropout_prob": 0.0,
 "attention_probs_dropout_prob": 0.0, "initializer_range": 0.02, "layer_norm_eps": 1e-12, "qkv_bias": true,
 "use_mean_pooling": true, "decoder_num_attention_heads": 2, "decoder_hidden_size": 8, "decoder_num_hidden_layers": 1,
 "decoder_intermediate_size": 16, "norm_pix_loss": true, "id2label": {"0": "jump", "1": "run", "2": "walk"},
 "label2id": {"jump": 0, "run": 1, "walk": 2}}
END
}
tiny_model() {
    tiny_config "$T/config.json"
    "$REEL" model new --from_config "$T/config.json" -o "$T/model" -q >"$T/out" 2>"$T/err" && return
    sed 's/^/# /' "$T/err"
    echo "Bail out! no model could be made"
    exit 1
}
tiny_data() {
    "$REEL" data synth "$T/data" --classes 2 --train 6 --val 2 --test 2 --groups 5 --width 64 --height 48 --frames 16 -q \
        >"$T/out" 2>"$T/err" && return
    sed 's/^/# /' "$T/err"
    echo "Bail out! no data could be made"
    exit 1
}
# A model with the labels of $T/data, in $T/fit.
fit_model() {
    "$REEL" model new --from_config "$T/config.json" --labels "$(ls "$T/data/test" | paste -sd, -)" -o "$T/fit" -q >"$T/out" 2>"$T/err" && return
    sed 's/^/# /' "$T/err"
    echo "Bail out! no model could be made"
    exit 1
}
# Options of a short run in which every step tells its loss.
TRAIN="--from_config $T/config.json --data $T/data --num_frames 4 --sample_rate 2 --learning_rate 1e-3 --logging_steps 1"
TRAIN="$TRAIN --per_device_train_batch_size 4 --min_size 36 --max_size 40"

is_json() {  # every line of $1 is JSON
    if command -v python3 >/dev/null 2>&1; then
        python3 -c 'import json, sys
for line in open(sys.argv[1], encoding="utf-8"): json.loads(line, parse_constant=lambda c: 1 / 0)' "$1" 2>/dev/null
    else
        jq -e . "$1" >/dev/null 2>&1
    fi
}
has_json() { command -v python3 >/dev/null 2>&1 || command -v jq >/dev/null 2>&1; }
