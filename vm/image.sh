#!/bin/bash
# Packs what the virtual machine runs in: busybox, the test programs and their guests with every library that they need,
# each where it is here (the tests have their guests' paths compiled in), and the scripts beside this one.
#   vm/image.sh IMAGE PLAN PROGRAM...
# PLAN is what vm/tests.sh is to run.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
image=$1 plan=$2 programs=("${@:3}")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,usr/lib,etc,proc,sys,dev,run,root,home,opt,var,vm,new}
mkdir -m 1777 "$root/tmp"
# Where /lib is a link to usr/lib, it is one in there too.
for link in /lib /lib64; do
    if [ -L "$link" ]; then
        mkdir -p "$root$(readlink -f "$link")"
        ln -s "$(readlink "$link")" "$root$link"
    fi
done

# A file to its own place, and the libraries and the loader that ldd names.
add() {
    local file
    for file in "$1" $(ldd "$1" 2>/dev/null | grep -o '/[^ )]*'); do
        [ -e "$root$file" ] || install -D "$file" "$root$file"
    done
}
for program in "${programs[@]}" "$(dirname "${programs[0]}")"/*.static; do
    add "$program"
done
# pthread_cancel(3) of the C library loads it by name.
for file in $(ldconfig -p | awk '/libgcc_s\.so\.1/ { print $NF }'); do
    add "$file"
done
# Busybox has one too, which does not know --reuid and goes first wherever there is no path.
add "$(command -v setpriv)"
ln -s "$(command -v setpriv)" "$root/vm/setpriv"

install "$(command -v busybox)" "$root/bin/busybox"
for applet in $(busybox --list); do
    [ -e "$root/usr/bin/$applet" ] || [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done
install "$here/init" "$root/init"
install "$here/tests.sh" "$root/vm/tests.sh"
cp "$plan" "$root/vm/plan"
printf '%s\n' root:x:0:0:root:/root:/bin/sh nobody:x:65534:65534:nobody:/:/bin/false >"$root/etc/passwd"
printf '%s\n' root:x:0: nogroup:x:65534: >"$root/etc/group"
printf '%s\n' "127.0.0.1 localhost" >"$root/etc/hosts"

(cd "$root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) >"$image"
