#!/bin/bash
# Fetches the Debian kernel of one version, through the machine's own apt settings, and prints where it is.
#   vm/kernel.sh VERSION CACHE
# It stays in CACHE/kernels/VERSION, so that a second run asks nobody. The machine's own apt state is not touched.
set -euo pipefail
shopt -s nullglob
here=$(cd "$(dirname "$0")" && pwd)
version=$1 kernel=$2/kernels/$1 state=$2/apt/$1
export LC_ALL=C

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
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || die "it comes from Debian, through apt: none here"

# An apt of its own: the machine's settings (proxies, keys) with other sources, lists and cache.
rm -rf "$state"
mkdir -p "$state/sources" "$state/lists/partial" "$state/cache/archives/partial"
own=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
eval "$(apt-config shell main Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
lists=("$parts"/*.list) stanzas=("$parts"/*.sources)
[ ! -e "$main" ] || lists+=("$main")
convert() { # FORMAT FILE...
    [ $# -lt 2 ] || awk -v own="$own" -v wanted="$suite" -v format="$1" -f "$here/sources.awk" "${@:2}"
}
convert list "${lists[@]}" >"$state/sources/vm.list"
convert sources "${stanzas[@]}" >"$state/sources/vm.sources"
[ -s "$state/sources/vm.list" ] || [ -s "$state/sources/vm.sources" ] ||
    die "this machine's apt sources have no entry for Debian $own's main archive from which to derive $suite's"

private=(-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$state/sources"
    -o Dir::State::lists="$state/lists" -o Dir::Cache="$state/cache"
    -o Acquire::Check-Valid-Until=false -o Acquire::Languages=none
    -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
    -o APT::Sandbox::User="$(id -un)")
echo "vm: fetching Debian $suite's kernel $version" >&2
apt-get "${private[@]}" -q update >"$state/log" 2>&1 || true

# linux-image-cloud-amd64 stands for the newest build of the small kernel, linux-image-6.1.0-56-cloud-amd64 or the like.
package=$(apt-cache "${private[@]}" depends linux-image-cloud-amd64 2>/dev/null |
    awk -v prefix="linux-image-$version" '$1 == "Depends:" && index($2, prefix) == 1 && !seen++ { print $2 }') || true
if [ -z "$package" ]; then
    tail -n 12 "$state/log" >&2
    die "no package linux-image-$version*-cloud-amd64 in $suite: no network, or the archive that this machine uses" \
        "no longer has that release (see above)"
fi
(cd "$state" && apt-get "${private[@]}" -q download "$package" >>log 2>&1) || {
    tail -n 12 "$state/log" >&2
    die "$package cannot be downloaded (see above)"
}
dpkg-deb -x "$state/$package"_*.deb "$state/unpacked"
mkdir -p "$kernel"
cp "$state"/unpacked/boot/config-* "$kernel/config"
basename "$state/$package"_*.deb .deb >"$kernel/package"
cp "$state"/unpacked/boot/vmlinuz-* "$kernel/vmlinuz.new"
mv "$kernel/vmlinuz.new" "$kernel/vmlinuz"
rm -rf "$state"
echo "$kernel/vmlinuz"
