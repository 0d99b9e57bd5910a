#!/bin/sh
# Ctrl-C: saved, the way to go on printed, death by the signal; going on gives the losses of a run that was not stopped. TAP.
. "$(dirname "$0")/tap.sh"
UNTIL=$2
tiny_config "$T/config.json"
tiny_data
# The evaluations of four epochs and more steps than a signal can miss.
RUN="$TRAIN --max_steps 60 --eval_strategy no --save_strategy no --json --threads 2"
losses() { grep -h '"event": "log"' "$@"; }
same() { cmp -s "$1" "$2"; }

run train $RUN --output_dir "$T/whole"
check "a whole run" worked
losses "$T/out" >"$T/whole.log"
check "it has a line a step" [ "$(wc -l <"$T/whole.log")" -eq 60 ]

stopped() { grep -q "^signal $1 " "$T/how"; }
soon() { [ "$(sed 's/.*after \([0-9]*\) ms/\1/' "$T/how")" -lt "$1" ]; }
one_checkpoint() { [ "$(ls -d "$T/$1"/checkpoint-* 2>/dev/null | wc -l)" -eq 1 ] && [ -z "$(ls -d "$T/$1"/.*tmp* 2>/dev/null)" ]; }

for signal in 2 15 1; do
    command="train, signal $signal"
    "$UNTIL" $signal 1 '"event": "step", "step": 7,' "$T/out" "$T/err" "$REEL" train $RUN --output_dir "$T/cut$signal" >"$T/how"
    code=$(cat "$T/how")
    check "signal $signal: the command dies by it" stopped $signal
    check "signal $signal: within two seconds" soon 2000
    check "signal $signal: one whole checkpoint" one_checkpoint "cut$signal"
    check "signal $signal: the last line tells that it was stopped" grep -q '"event": "stopped"' "$T/out"
    next=$(sed -n 's/^ *reel train --resume_from_checkpoint //p' "$T/err")
    check "signal $signal: the way to go on is printed" [ -d "$next" ]
    losses "$T/out" >"$T/cut.log"
    check "signal $signal: not at the end" [ "$(wc -l <"$T/cut.log")" -lt 60 ]
    run train --resume_from_checkpoint "$next" --json --threads 2
    check "signal $signal: resuming works" worked
    losses "$T/out" >>"$T/cut.log"
    check "signal $signal: losses, norms and rates of the uninterrupted run" same "$T/cut.log" "$T/whole.log"
    check "signal $signal: weights of the uninterrupted run" same "$T/cut$signal/model.safetensors" "$T/whole/model.safetensors"
done

# A model whose checkpoint takes a while to write, so that the first signal alone does not end the command at once.
sed -e 's/"hidden_size": 16/"hidden_size": 512/; s/"num_hidden_layers": 2/"num_hidden_layers": 12/; s/"num_attention_heads": 2/"num_attention_heads": 8/' \
    -e 's/"intermediate_size": 32/"intermediate_size": 2048/' "$T/config.json" >"$T/large.json"
LARGE="$RUN --from_config $T/large.json"
took() { sed 's/.*after \([0-9]*\) ms/\1/' "$T/how"; }
command="train, one signal while a large model is saved"
"$UNTIL" 2 1 '"event": "step", "step": 2,' "$T/out" "$T/err" "$REEL" train $LARGE --output_dir "$T/once" >"$T/how"
code=$(cat "$T/how")
check "a large model: one signal saves it" one_checkpoint once
single=$(took)
rm -rf "$T/once"
command="train, two signals"
"$UNTIL" 2 2 '"event": "step", "step": 2,' "$T/out" "$T/err" "$REEL" train $LARGE --output_dir "$T/twice" >"$T/how"
code=$(cat "$T/how")
check "two signals: the command dies" stopped 2
if [ "$single" -ge 400 ]; then
    check "two signals: at once, not after the save (one: $single ms, two: $(took) ms)" soon 250
else
    skip "two signals: at once" "saving took $single ms only"
fi
whole_or_absent() {
    for c in "$T"/twice/checkpoint-*; do
        [ ! -e "$c" ] || [ -s "$c/reel_checkpoint.json" ] || return 1
    done
}
check "two signals: a checkpoint is whole or absent" whole_or_absent

run train $RUN --output_dir "$T/twice" --overwrite_output_dir
check "the folder can be used again" worked

# A reader that goes away ends the command quietly.
tiny_model
("$REEL" predict --model "$T/model" "$T/data" 2>"$T/err"; echo $? >"$T/how") | head -n 1 >"$T/out"
code=$(cat "$T/how") command="reel predict | head -n 1"
check "a closed pipe: no message" [ "$(grep -c -v -E '^(warning|done) ' "$T/err")" -eq 0 ]
finish
