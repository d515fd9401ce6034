#!/bin/bash
# Fetches the Debian kernel of one version, through the machine's own apt settings, and prints where it is.
#   vm/kernel.sh VERSION CACHE
# It stays in CACHE/kernels/VERSION, so that a second run asks nobody. The machine's own apt state is not touched.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=$1 kernel=$2/kernels/$1 state=$2/apt/$1
export LC_ALL=C
. "$here/../tools/debian.sh"

die() {
    echo "vm: no kernel $version: $*" >&2
    exit 1
}

case $version in
    5.10) suite=bullseye ;;
    6.1) suite=bookworm ;;
    6.12) suite=trixie ;;
    *) die "no Debian release that has it is known here; there are 5.10, 6.1 and 6.12" ;;
esac
if [ -s "$kernel/vmlinuz" ]; then
    echo "$kernel/vmlinuz"
    exit
fi
echo "vm: fetching Debian $suite's kernel $version" >&2
debian_open "$suite" "$state" || die "see above"

# linux-image-cloud-amd64 stands for the newest build of the small kernel, linux-image-6.1.0-56-cloud-amd64 or the like.
package=$(debian_query depends linux-image-cloud-amd64 |
    awk -v prefix="linux-image-$version" '$1 == "Depends:" && index($2, prefix) == 1 && !seen++ { print $2 }') || true
if [ -z "$package" ]; then
    tail -n 12 "$state/log" >&2
    die "no package linux-image-$version*-cloud-amd64 in $suite: no network, or the archive that this machine uses" \
        "no longer has that release (see above)"
fi
file=$(debian_unpack "$package") || die "see above"
mkdir -p "$kernel"
cp "$state"/unpacked/boot/config-* "$kernel/config"
echo "$file" >"$kernel/package"
cp "$state"/unpacked/boot/vmlinuz-* "$kernel/vmlinuz.new"
mv "$kernel/vmlinuz.new" "$kernel/vmlinuz"
rm -rf "$state"
echo "$kernel/vmlinuz"
