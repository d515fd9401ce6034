#!/bin/bash
# Runs the C suite and the demo judge in containers, made by crun as root and as an ordinary user and by bwrap, with
# the profile and the capabilities of docs/containers.md; takes away what the library needs, and checks that it says
# what that page quotes.
#   containers/test.sh C_TESTS EXAMPLES
# The two are directories with built programs. An ordinary user runs only what he may.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
page=$top/docs/containers.md
[ $# = 2 ] || { sed -n '2,6s/^# //p' "$0"; exit 2; }
c_tests=$(realpath "$1") examples=$(realpath "$2")
library=$(ldd "$c_tests/options" | awk '$1 ~ /^librunner/ { print $3 }')

work=$(mktemp -d)
chmod 755 "$work"
lanes=()
passed=0 failed=0 skipped=0

end() {
    for lane in "${lanes[@]}"; do
        kill "$lane" 2>/dev/null || true
    done
    for state in "$work"/*/state/*; do
        [ ! -e "$state" ] || crun --root "$(dirname "$state")" delete -f "$(basename "$state")" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap end EXIT

fail() { echo "not ok: $*"; failed=$((failed + 1)); }
pass() { passed=$((passed + 1)); }
skip() { echo "skipped: $*"; skipped=$((skipped + 1)); }

# ---- what this machine allows

# May an ordinary user make user namespaces on this machine? Without them only modes root and default would be left.
have_user_namespaces() {
    as_user unshare --user --map-root-user --mount true 2>/dev/null
}

# To an ordinary user outside of containers the library and the programs have to be readable.
are_readable() {
    as_user test -r "$library" -a -x "$c_tests/options"
}

as_user() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
    else
        "$@"
    fi
}

# ---- containers

# What is shown in a container beside /usr and /etc: the project, and where the library and the programs are.
dirs="$top:$(dirname "$library"):$c_tests:$examples:$work/bin=/containers"

# crun refuses machines where cgroup v2 lies beside v1, even when it is to leave cgroups alone. So it gets to see v2
# only, in a mount namespace of its own; the real tree stays reachable by another path.
hybrid='
    mount --make-rprivate /
    if [ -d /sys/fs/cgroup/unified ]; then
        mount --rbind /sys/fs/cgroup "$BUNDLE_CGROUPS"
        mount --bind /sys/fs/cgroup/unified /sys/fs/cgroup
    fi
    cd "$1" && shift && exec "$@"'

# container MODE[,CHANGE...] COMMAND...: its output, its exit status. 110 s at most.
container() {
    local mode=$1 bundle user=() enter=(unshare --mount)
    shift
    bundle=$(mktemp -d "$work/bundle.XXXXXX")
    chmod 755 "$bundle"
    mkdir "$bundle/state" "$bundle/cgroups"
    export BUNDLE_DIRS=$dirs BUNDLE_CGROUPS=/sys/fs/cgroup
    [ ! -d /sys/fs/cgroup/unified ] || BUNDLE_CGROUPS=$bundle/cgroups
    python3 "$here/bundle.py" "$bundle" "$mode" "$@"
    if [ "${mode%%,*}" = rootless ]; then
        [ "$(id -u)" != 0 ] || chown -R 65534:65534 "$bundle"
        user=(as_user env XDG_RUNTIME_DIR="$bundle/state" HOME="$bundle")
        enter=(unshare --user --map-root-user --mount)
    fi
    "${user[@]}" "${enter[@]}" sh -euc "$hybrid" sh "$bundle" \
        timeout -k 2 110 crun --root "$bundle/state" --cgroup-manager=disabled run "$(basename "$bundle")" </dev/null
}

# bubblewrap's own kind of container: rootless, without a profile. Its /dev/shm and /tmp are new.
in_bwrap() {
    local args=() link dir
    for link in /bin /sbin /lib /lib32 /lib64 /libx32; do
        if [ -L "$link" ]; then
            args+=(--symlink "$(readlink "$link")" "$link")
        elif [ -d "$link" ]; then
            args+=(--ro-bind "$link" "$link")
        fi
    done
    args+=(--unshare-all --die-with-parent --ro-bind /usr /usr --ro-bind /etc /etc --proc /proc --dev /dev)
    args+=(--tmpfs /tmp --chdir /tmp --clearenv --setenv PATH /usr/bin:/bin)
    IFS=: read -ra shown <<<"$dirs"
    for dir in "${shown[@]}"; do
        args+=(--ro-bind "${dir%%=*}" "${dir##*=}")
    done
    as_user timeout -k 2 110 bwrap "${args[@]}" "$@" </dev/null
}

enter_mode() { # MODE COMMAND...
    if [ "$1" = bwrap ]; then
        in_bwrap "${@:2}"
    else
        container "$@"
    fi
}

# ---- the suite and the judge

suite() { # MODE PROGRAM...
    local mode=$1 programs=() name
    shift
    for name in "$@"; do
        programs+=("$c_tests/$name")
    done
    echo "$mode: $# programs of the C suite"
    enter_mode "$mode" sh "$here/inside.sh" "${programs[@]}" >"$work/$mode.tap" 2>&1 || true
    awk -v mode="${mode%%,*}" -v wanted=$# -f "$here/tap.awk" "$here/excluded.txt" "$work/$mode.tap"
}

judged_as_expected() { # MODE
    # Not as process 1: an attack would take itself for the judge, whose number it is given.
    enter_mode "$1" sh -c '"$@"; exit $?' sh "$examples/judge" "$top/examples/problems" >"$work/$1.judge" 2>&1 || true
    [[ $(tail -n 1 "$work/$1.judge") =~ ^([0-9]+)\ verdicts,\ ([0-9]+)\ as\ expected$ ]] &&
        [ "${BASH_REMATCH[1]}" -gt 0 ] && [ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ]
}

# Once more where it fails: which limit a bomb meets first is a matter of the machine's pace.
judge() { # MODE
    if judged_as_expected "$1" || judged_as_expected "$1"; then
        echo "$1: the judge: $(tail -n 1 "$work/$1.judge")"
        echo "@sum 1 0 0 0"
    else
        echo "$1: the judge failed:"
        grep -v ' yes ' "$work/$1.judge" | tail -n 30 | sed 's/^/    /'
        echo "@sum 0 1 0 0"
    fi
}

small="binds errors filesystems hostile_hosts ids limits namespaces options ptrace root seccomp settings sync threads"

in_root() {
    suite root $small caps cgroups run_cgroups run_output run_trees runs
    judge root
}

in_user() {
    suite user $small caps fds guest_host hosts run_hosts
    judge user
}

in_userns_and_default() {
    judge userns
    suite userns,cap-add=SYS_ADMIN errors fds hostile_hosts options threads
    suite default options hostile_hosts run_output
}

in_rootless() {
    suite rootless $small caps fds run_output
    judge rootless
}

in_bubblewrap() {
    suite bwrap $small caps guest_host run_cgroups
    judge bwrap
}

lane() { # FUNCTION...: each in turn, beside the other lanes
    local name="$*"
    {
        for function in "$@"; do
            "$function"
        done
    } >"$work/${name// /+}.lane" 2>&1 &
    lanes+=($!)
}

wait_for_lanes() {
    local log p f s
    for pid in "${lanes[@]}"; do
        wait "$pid" || fail "a lane ended with $?"
    done
    lanes=()
    for log in "$work"/*.lane; do
        grep -v '^@sum ' "$log" || true
        while read -r _ p f s _; do
            passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
        done < <(grep '^@sum ' "$log")
    done
}

# ---- what the page quotes

# The first column of its table: the library's own words, and the mark † behind them where no test sees them.
quoted() {
    awk -F'|' '/^\| What you see/ { on = 1; next } !/^\|/ { on = 0 } on && $2 ~ /`/ { print $2 }' "$page" |
        sed 's/^ *`//; s/`\( *†\)\{0,1\} *$/\1/'
}

# What is run in the container: "start WORD..." (start.c), "probe", or either of them after "switched-off": without
# user namespaces.
command_of() {
    case $1 in
        start) command=(/containers/start "${@:2}") ;;
        probe) command=(sh -c '"$0" && echo "the host goes on"' "$examples/probe") ;;
        switched-off)
            command_of "${@:2}"
            command=(sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"' sh "${command[@]}")
            ;;
    esac
}

# says WORDS MODE[,CHANGE...] COMMAND...: the sentence of the page that has these words is in what the library says,
# and the host program survives.
says() {
    local words=$1 mode=$2 sentence said command
    command_of "${@:3}"
    sentence=$(quoted | grep -F -- "$words" || true)
    if [ -z "$sentence" ] || [ "$(wc -l <<<"$sentence")" != 1 ]; then
        fail "docs/containers.md has not exactly one row with: $words"
        return
    fi
    said=$(container "$mode" "${command[@]}" 2>&1 || true)
    if [[ $said == *"$sentence"* && $said == *"the host goes on"* ]]; then
        pass
        echo "$sentence" >>"$work/seen"
    else
        fail "$mode: ${*:3}: the page says"
        printf '    %s\n' "$sentence" "the library says"
        sed 's/^/    /' <<<"$said"
    fi
}

# works MODE[,CHANGE...] COMMAND...: the control. Where nothing was taken away the start works.
works() {
    local mode=$1 said command
    command_of "${@:2}"
    said=$(container "$mode" "${command[@]}" 2>&1 || true)
    if [[ $said == started*"the host goes on"* ]]; then pass; else fail "$mode: ${*:2}: $said"; fi
}

messages() {
    echo "what the library says where something is taken away"
    works user start user time
    says "a container's seccomp profile, or a chroot" default start user
    says "namespaces need CAP_SYS_ADMIN" default start pid
    says "a security module refuses the user namespace" user,profile=module-users start user
    says "a time namespace needs clone3" user,profile=no-clone3 start user time
    says "clone3 is refused" default probe
    works user start fixed-addresses
    says "personality: Operation" default start fixed-addresses
    says "does not have the call" user,profile=no-personality start fixed-addresses
    works user start keyring
    says "keyctl" default start keyring

    works root,masked start pid mount root proc
    works user,masked start user pid mount root
    works user start user pid mount root proc
    says 'a security module refuses mounts' root,profile=module start pid mount root
    says "or a LSM forbids mounts there" user,profile=module start user pid mount root proc
    says "not allowed in a user namespace" user,profile=no-mounts start user pid mount root proc
    says 'pivot_root "/tmp"' user,profile=no-pivot_root start user pid mount root proc
    says "partly covered" user,masked start user pid mount root proc

    works userns start user map=0:5
    works userns start credential=5
    says "CAP_SETFCAP" userns,cap-drop=SETFCAP start user
    says "ids other than the caller's own" user start user map=0:5
    says "needs CAP_SETGID and CAP_SETUID" userns,cap-drop=SETUID start credential=5
    says "this id is not mapped" userns start credential=70000
    works root,cap-add=NET_ADMIN start net loopback
    works user start user net loopback
    says "loopback (ioctl)" root start net loopback
    says "too many processes" user,uid=54322,processes=1 start user

    works userns start user
    says "too many namespaces" userns,cap-add=SYS_RESOURCE switched-off start user
    says "user namespaces are switched off" userns,cap-add=SYS_RESOURCE switched-off probe
    says "unprivileged_userns_clone" default,knob=unprivileged_userns_clone:0 start user
    says "apparmor_restrict_unprivileged_userns" default,knob=apparmor_restrict_unprivileged_userns:1 start user

    says "no cgroup hierarchy is mounted" root,cgroups= start pid
    says "mounted read-only" root,cgroups=rro start pid
    says "not delegated to this user" user,cgroups=rw start user
    says "this is not in a mounted cgroup hierarchy" root start cgroup-root=/usr
}

# A row that no test has seen must say so by the mark †.
rows_without_test() {
    local row
    while IFS= read -r row; do
        grep -qxF -- "$row" "$work/seen" || fail "docs/containers.md quotes what nothing here has seen: $row"
    done < <(quoted | grep -v '†$')
}

# Mode default is what is left where nothing is allowed: a watched run ends by its limits all the same, of CPU time
# or, on a busy machine, of wall time.
nothing_allowed() {
    local said
    said=$(container default "$examples/run" 2>&1 || true)
    if [[ $said =~ ^(time|wall)_limit ]]; then pass; else fail "examples/run where nothing is allowed: $said"; fi
}

in_changed() {
    passed=0 failed=0
    messages
    nothing_allowed
    rows_without_test
    echo "@sum $passed $failed 0 0"
}

# ---- the files beside this one

# Every call that a start can make is allowed, and no call stands in two rules.
profile_is_whole() {
    local problems
    problems=$(python3 - "$here/seccomp.json" "$top/src/sys/nr.rs" <<'PYTHON'
import json, re, sys
rules = json.load(open(sys.argv[1]))["syscalls"]
names = [name for rule in rules for name in rule["names"]]
allowed = {name for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
calls = set(re.findall(r'sysno\(\s*"(\w+)"', open(sys.argv[2]).read()))
if len(calls) < 50:
    print("src/sys/nr.rs has only", len(calls), "calls?")
for name in sorted(calls - allowed):
    print("not allowed:", name)
for name in sorted({name for name in names if names.count(name) > 1}):
    print("twice:", name)
PYTHON
    )
    if [ -z "$problems" ]; then pass; else fail "seccomp.json: $problems"; fi
}

# manifest FILE LINE...: it asks for what the mode is tested with.
manifest() {
    local file=$1 line
    shift
    for line in "$@"; do
        if grep -qF -- "$line" "$here/$file"; then pass; else fail "$file does not have: $line"; fi
    done
}

manifests() {
    manifest docker-compose.yml 'user: "1000:1000"' 'cap_drop: [ALL]' 'no-new-privileges:true' \
        'seccomp:seccomp.json' 'systempaths=unconfined' 'cap_add: [SYS_ADMIN]'
    manifest judge.container 'DropCapability=all' "AddCapability=$(own_ids_caps 'CAP_%s ')" 'NoNewPrivileges=true' \
        'Unmask=ALL'
    manifest kubernetes.yaml 'hostUsers: false' 'procMount: Unmasked' 'type: Localhost' 'drop: [ALL]' \
        'allowPrivilegeEscalation: false' "add: [$(own_ids_caps '%s, ')]"
    manifest nomad.hcl 'cap_add = ["sys_admin"]' '"seccomp=/etc/librunner/seccomp.json"'
}

# The capabilities of mode userns, each printed by a format; without the separator at the end.
own_ids_caps() {
    python3 -c 'import sys; sys.path[0] = sys.argv[1]; sys.dont_write_bytecode = True
from bundle import OWN_IDS_CAPS
print("".join(sys.argv[2] % name for name in OWN_IDS_CAPS).rstrip(", "))' "$here" "$1"
}

# ----

"$top/tools/need.sh" crun bwrap=bubblewrap python3 setpriv=util-linux
mkdir "$work/bin"
${CC:-cc} -std=gnu11 -Wall -Wextra -Werror -O2 -I"$top/include" "$here/start.c" -o "$work/bin/start" \
    "$library" -Wl,-rpath,"$(dirname "$library")"

rootless=()
for need in crun:in_rootless bwrap:in_bubblewrap; do
    if ! command -v "${need%%:*}" >/dev/null; then
        skip "${need%%:*} is not installed"
    elif ! are_readable; then
        skip "rootless containers by ${need%%:*}: $c_tests is not readable for an ordinary user"
    else
        rootless+=("${need##*:}")
    fi
done
if ! have_user_namespaces; then
    skip "all containers: ordinary users may make no user namespaces on this machine"
elif [ "$(id -u)" = 0 ] && command -v crun >/dev/null; then
    lane in_root
    lane in_user
    lane in_changed in_userns_and_default "${rootless[@]}"
else
    skip "containers of root: they need root and crun"
    [ ${#rootless[@]} = 0 ] || lane "${rootless[@]}"
fi
profile_is_whole
manifests
wait_for_lanes
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
