#!/bin/sh
# A file that is given cannot make the command open another or connect (reliability, P8): the system calls are read. TAP.
. "$(dirname "$0")/tap.sh"
if ! command -v strace >/dev/null 2>&1 || ! strace -o /dev/null true 2>/dev/null; then
    skip "no foreign file is opened" "strace is not there, or may not trace"
    finish
    exit 0
fi
tiny_model
tiny_data
secret=$T/secret.avi
cp "$(ls "$T"/data/test/*/* | head -n 1)" "$secret"
trace() {
    command="reel $* (traced)"
    strace -f -e trace=open,openat,openat2,connect,execve -o "$T/trace" "$REEL" "$@" >"$T/out" 2>"$T/err" </dev/null
    code=$?
}
kept_away() { ! grep -q -e 'secret\.avi' -e 'AF_INET' "$T/trace" && [ "$(grep -c execve "$T/trace")" -eq 1 ]; }

# The test can fail: the file itself given is seen in the trace.
trace predict --model "$T/model" "$secret"
check "control: the trace shows what is opened" grep -q 'secret\.avi' "$T/trace"
check "control: it is a video" worked

printf '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\nfile://%s\n#EXT-X-ENDLIST\n' "$secret" >"$T/hls.avi"
printf '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n' >"$T/net.mp4"
printf 'ffconcat version 1.0\nfile %s\n' "$secret" >"$T/concat.avi"
printf '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet><Representation><BaseURL>%s</BaseURL></Representation></AdaptationSet></Period></MPD>\n' "$secret" >"$T/dash.mp4"
printf 'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 15004 RTP/AVP 96\na=rtpmap:96 H264/90000\n' >"$T/sdp.mkv"
for f in hls.avi net.mp4 concat.avi dash.mp4 sdp.mkv; do
    trace predict --model "$T/model" "$T/$f"
    check "$f is refused" [ $code -eq 1 ]
    check "$f: no foreign file, no connection, no program" kept_away
done
for name in "concat:$secret|$secret" "file:$secret" "subfile,,start,0,end,0,,:$secret" "http://127.0.0.1:9/a.mp4" "pipe:0"; do
    trace predict --model "$T/model" "$name"
    check "a name is a file's name: ${name%%:*}:" [ $code -eq 1 ]
    check "${name%%:*}: no connection, no program" [ "$(grep -c -e AF_INET -e execve "$T/trace")" -eq 1 ]
done
printf '%s 0\nconcat:%s 1\n' "$secret" "$secret" >"$T/list.csv"
trace data info "$T/list.csv"
check "a list cannot name a protocol" [ "$(grep -c -e AF_INET -e execve "$T/trace")" -eq 1 ]
cp -r "$T/model" "$T/bad"
sed 's|"model_type"|"auto_map": {"AutoConfig": "/etc/passwd"}, "_name_or_path": "/etc/hostname", "model_type"|' "$T/model/config.json" >"$T/bad/config.json"
trace predict --model "$T/bad" "$secret"
check "paths in a config are not opened" [ "$(grep -c -e 'etc/passwd' -e 'etc/hostname' "$T/trace")" -eq 0 ]
finish
