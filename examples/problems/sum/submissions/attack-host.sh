#!/bin/sh
# Reads and writes the host's files, and looks around in its processes.
# No `set -e`, and errors are the point: each try is one line of the report.

tried() {
    what=$1
    shift
    if out=$("$@" 2>&1); then
        echo "GOT: $what"
    else
        out=$(printf '%s\n' "$out" | head -n 1)
        echo "refused: $what: ${out##*: }"
    fi
}

# As tried, but it is a catch only where something is printed.
seen() {
    what=$1
    shift
    out=$("$@" 2>/dev/null)
    if [ -n "$out" ]; then
        echo "GOT: $what"
    else
        echo "refused: $what: nothing there"
    fi
}

others() { # processes that are neither this shell nor its children
    for dir in /proc/[0-9]*; do
        case $(cat "$dir/cmdline" 2>/dev/null | tr '\0' ' ') in
        *attack-host.sh* | cat* | tr* | '') ;;
        *) echo "$dir" ;;
        esac
    done
}

tried "reading /etc/shadow" cat /etc/shadow
tried "reading the host's processes' environment" cat "/proc/${BAIT_PIDS%% *}/environ"
seen "the host's /root, /home, /var" find /root /home /var /mnt /srv /opt
seen "other processes" others
tried "a file of the host" sh -c 'echo taken >>"$BAIT_FILE"'
tried "a new file in /" touch /new
tried "a new file in /usr/bin" touch /usr/bin/new
tried "a new file in /etc" touch /etc/new
tried "changing /etc/passwd" sh -c 'echo root::0:0::/:/bin/sh >>/etc/passwd'
tried "mounting" mount -t tmpfs none /tmp
tried "a disk" sh -c 'mknod /tmp/disk b 8 0 && head -c 1 /tmp/disk'
tried "kernel memory" head -c 1 /dev/mem
tried "kernel settings" sh -c 'echo 1 >/proc/sys/kernel/sysrq'
tried "the host's cgroups" ls /sys/fs/cgroup
tried "becoming root" sh -c 'command -v su && su -c true </dev/null'
echo done
