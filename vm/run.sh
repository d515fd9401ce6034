#!/bin/bash
# Runs the C suite in virtual machines with Debian's kernels and cgroup v2 alone, as root and as an ordinary user.
#   vm/run.sh PROGRAM...
# KERNELS="5.10 6.1 6.12"  which kernels (6.1)
# TESTS="cgroups runs"     only these programs
# USERS="0 65534"          as whom
# MEMORY=4096              MiB of each machine; a test wants 3 GiB of them free
# Not with KVM: the emulator alone is the same everywhere, and a machine within a machine may hang.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$here/.." && pwd)/build/vm
read -ra kernels <<<"${KERNELS:-6.1}"
read -ra tests <<<"${TESTS:-}"
read -ra users <<<"${USERS:-0 65534}"
program_seconds=200
machine_seconds=${VM_SECONDS:-900}

die() {
    echo "vm: $*" >&2
    exit 1
}

# ---- what is needed

"$here/../tools/need.sh" qemu-system-x86_64=qemu-system-x86 busybox=busybox-static cpio setpriv=util-linux
for command in qemu-system-x86_64 busybox cpio setpriv; do
    command -v "$command" >/dev/null || die "please install $command"
done
if ldd "$(command -v busybox)" >/dev/null 2>&1; then
    die "$(command -v busybox) is not static: please install busybox-static"
fi

programs=()
for program in "$@"; do
    program=$(realpath "$program")
    name=$(basename "$program")
    [ ${#tests[@]} -gt 0 ] && [[ " ${tests[*]} " != *" $name "* ]] || programs+=("$program")
done
[ ${#programs[@]} -gt 0 ] || die "no program to run: ${TESTS:-none was given}"
for name in "${tests[@]}"; do
    [[ " ${programs[*]##*/} " == *" $name "* ]] || die "there is no program $name"
done

# ---- one machine

# Both CPUs in one thread: with two the emulator now and then runs code that the kernel has just replaced, and the
# kernel panics of it.
boot() { # KERNEL: boots it; its console and what it reports are in $build/KERNEL afterwards
    local version=$1 dir=$build/$1 status=0
    timeout -k 5 "$machine_seconds" qemu-system-x86_64 -accel tcg,thread=single -cpu max -smp 2 -m "${MEMORY:-4096}" \
        -nodefaults -no-user-config -display none -no-reboot \
        -kernel "$build/kernels/$version/vmlinuz" -initrd "$build/image" \
        -append "console=ttyS0 quiet panic=-1 cgroup_no_v1=all" \
        -serial "file:$dir/console" -serial "file:$dir/report" </dev/null >"$dir/qemu" 2>&1 || status=$?
    [ "$status" = 0 ] || echo "vm: $version: qemu ended with $status$([ "$status" != 124 ] || echo ": time is over")"
}

# ---- its report

judge() { # KERNEL: prints a line for each program, and what failed and was skipped; false unless all is there and good
    awk -v version="$1" -v console="$build/$1/console" -f "$here/judge.awk" "$build/plan" "$build/$1/report"
}

# ----

mkdir -p "$build"
for version in "${kernels[@]}"; do
    "$here/kernel.sh" "$version" "$build" >/dev/null
done
for user in "${users[@]}"; do
    for program in "${programs[@]}"; do
        echo "$user $program_seconds $program"
    done
done >"$build/plan"
"$here/image.sh" "$build/image" "$build/plan" "${programs[@]}"

bad=()
for version in "${kernels[@]}"; do
    rm -rf "${build:?}/$version"
    mkdir "$build/$version"
    echo "vm: $version: $(cat "$build/kernels/$version/package")"
    boot "$version"
    judge "$version" || bad+=("$version")
done
if [ ${#bad[@]} -gt 0 ]; then
    echo "vm: failed: ${bad[*]} (consoles and reports are in $build)"
    exit 1
fi
