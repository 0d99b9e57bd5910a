#!/bin/sh
# Help: complete, grouped, short enough to read. TAP.
. "$(dirname "$0")/tap.sh"
VERBS="train evaluate predict preview forward data_info data_synth data_pack model_info model_new model_convert bench hub_login hub_logout hub_whoami hub_download hub_upload"

fits() { [ "$(wc -l <"$T/out")" -le "$1" ] && [ "$(wc -L <"$T/out")" -le 80 ] && [ ! -s "$T/err" ]; }
no_later_verbs() { ! grep -q -E '^  (serve|watch) ' "$T/out"; }

# The examples are run where nothing of what they name is there, and where `data synth` writes lies something.
mkdir "$T/moves" && : >"$T/moves/mine"

run
check "reel alone is the overview" worked
check "the overview fits a terminal" fits 40
for v in $VERBS; do
    check "the overview lists $v" printed "^  $(echo "$v" | tr _ ' ') "
done
check "what is not there yet is not listed" no_later_verbs
cp "$T/out" "$T/overview"
run --help
check "reel --help is the same" cmp -s "$T/out" "$T/overview"
run --version
check "reel --version" printed '^reel [0-9][0-9]*\.[0-9][0-9]*\.[0-9]'

for v in $VERBS; do
    words=$(echo "$v" | tr _ ' ')
    run $words --help
    check "$words --help works" worked
    check "$words --help fits 40 lines of 80" fits 40
    check "$words --help has a usage line" printed "^usage: reel $words"
    check "$words --help has examples" printed "^  reel $words "
    cp "$T/out" "$T/short"
    run help $words
    check "reel help $words is the same" cmp -s "$T/out" "$T/short"
    run $words -h
    check "$words -h is the same" cmp -s "$T/out" "$T/short"
    run $words --help all
    check "$words --help all fits 80 columns" fits 200
    # Each example must be a command line that is understood: the files are not there, so 1 and not 2.
    sed -n '/^examples/,$s/^  reel //p' "$T/short" | sed 's/ > .*//' >"$T/examples"
    while read -r line; do
        (cd "$T" && "$REEL" $line >"$T/out" 2>"$T/err" </dev/null)
        code=$? command="reel $line" want=1
        case $line in "hub logout"*) want=0 ;; esac  # nobody is logged in, which is what it is to bring about
        check "example: $line" [ $code -eq $want ]
    done <"$T/examples"
done

run train --help all
for o in learning_rate lr_scheduler_type save_total_limit metric_for_best_model dataloader_num_workers json threads; do
    check "train --help all has --$o" printed "^  --$o"
done
run data --help
check "reel data --help lists its verbs" printed 'reel data synth'
finish
