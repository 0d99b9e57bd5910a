#!/bin/sh
# What is installed can be used: command, library, headers, pkg-config file.
#   install.sh BUILD_DIR SOURCE_DIR
set -u
build=$1 source=$2
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
n=0
check() {  # check NAME COMMAND…
  n=$((n + 1)) name=$1
  shift
  if "$@" >"$work/out" 2>&1; then echo "ok $n - $name"; else echo "not ok $n - $name"; sed 's/^/# /' "$work/out"; fi
}

cat >"$work/config.json" <<'JSON'
{"model_type": "videomae", "architectures": ["VideoMAEForVideoClassification"], "image_size": 16, "patch_size": 8, "num_channels": 3,
 "num_frames": 4, "tubelet_size": 2, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
 "id2label": {"0": "a", "1": "b", "2": "c"}, "label2id": {"a": 0, "b": 1, "c": 2}}
JSON
check "meson install" meson install -C "$build" --no-rebuild --destdir "$work/root"
prefix=$(find "$work/root" -path '*/bin/reel' -type f | sed 's,/bin/reel$,,')
lib=$(dirname "$(find "$prefix" -name libreel.so)")
PKG_CONFIG_PATH=$lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$work/root LD_LIBRARY_PATH=$lib
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR LD_LIBRARY_PATH
check "the installed command runs" "$prefix/bin/reel" --version
check "a model is made with it" "$prefix/bin/reel" model new --from_config "$work/config.json" -o "$work/model"
# shellcheck disable=SC2046
check "a program is built with pkg-config alone" cc -std=c17 -Wall -Wextra -Wpedantic -Werror "$source/tests/install/user.c" -o "$work/user" \
  $(pkg-config --cflags --libs libreel)
check "and runs" "$work/user" "$work/model"
for header in "$prefix"/include/reel/*.h; do
  printf '#include <reel/%s>\nint main(void) { return 0; }\n' "$(basename "$header")" >"$work/one.c"
  # shellcheck disable=SC2046
  check "$(basename "$header") stands alone" sh -c "cc -std=c17 -Wall -Wextra -Wpedantic -Werror -I'$prefix/include' -fsyntax-only '$work/one.c'"
done
echo "1..$n"
