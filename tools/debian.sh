# For bash scripts: packages of any Debian release, through the machine's own apt settings (proxies, keys, trust) but
# with lists and a cache of its own, so that the machine's apt state is not touched.
#   . tools/debian.sh
#   debian_open SUITE STATE     # or fails, with the reason on stderr
#   debian_query depends linux-image-cloud-amd64
#   debian_unpack PACKAGE       # into STATE/unpacked; its file's name is printed

debian_tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

debian_open() {
    debian_suite=$1 debian_state=$2
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
        echo "it comes from Debian, through apt: none here" >&2
        return 1
    }
    local own main parts lists stanzas
    shopt -s nullglob
    rm -rf "$debian_state"
    mkdir -p "$debian_state/sources" "$debian_state/lists/partial" "$debian_state/cache/archives/partial"
    own=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
    eval "$(apt-config shell main Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
    lists=("$parts"/*.list) stanzas=("$parts"/*.sources)
    [ ! -e "$main" ] || lists+=("$main")
    debian_convert list "${lists[@]}" >"$debian_state/sources/own.list"
    debian_convert sources "${stanzas[@]}" >"$debian_state/sources/own.sources"
    [ -s "$debian_state/sources/own.list" ] || [ -s "$debian_state/sources/own.sources" ] || {
        echo "this machine's apt sources have no entry for Debian $own's main archive from which to derive" \
            "$debian_suite's" >&2
        return 1
    }
    debian_options=(-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$debian_state/sources"
        -o Dir::State::lists="$debian_state/lists" -o Dir::Cache="$debian_state/cache"
        -o Dir::State::status=/dev/null -o Acquire::Check-Valid-Until=false -o Acquire::Languages=none
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
        -o APT::Sandbox::User="$(id -un)")
    apt-get "${debian_options[@]}" -q update >"$debian_state/log" 2>&1 || true
}

debian_convert() { # FORMAT FILE...
    [ $# -lt 2 ] || awk -v own="$own" -v wanted="$debian_suite" -v format="$1" -f "$debian_tools/sources.awk" "${@:2}"
}

debian_query() {
    apt-cache "${debian_options[@]}" "$@" 2>/dev/null
}

debian_unpack() {
    (cd "$debian_state" && apt-get "${debian_options[@]}" -q download "$1" >>log 2>&1) || {
        tail -n 12 "$debian_state/log" >&2
        echo "$1 of $debian_suite cannot be downloaded (see above)" >&2
        return 1
    }
    dpkg-deb -x "$debian_state/$1"_*.deb "$debian_state/unpacked"
    basename "$debian_state/$1"_*.deb .deb
}
