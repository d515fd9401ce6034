#!/bin/sh
# Inside the virtual machine: runs the programs of /vm/plan, whose lines are "USER TIMEOUT PROGRAM", and sends each
# one's TAP, framed by lines that begin with "@", to the second serial line (the first one is the kernel's).
exec 3<>/dev/ttyS1 # open all the time: what a close finds unsent may be lost
report() {
    printf '%s\n' "$*" >&3
}

# Groups to be used by root come beneath the hierarchy's root, which alone may have both processes and controllers.
# The ordinary user gets one of its own, as systemd delegates it.
controllers=""
for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
    controllers="$controllers +$controller"
done
echo $controllers >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/user /sys/fs/cgroup/user/tests
echo $controllers >/sys/fs/cgroup/user/cgroup.subtree_control

run() { # USER TIMEOUT PROGRAM
    report "@program $1 $3"
    as=""
    if [ "$1" != 0 ]; then
        for group in /sys/fs/cgroup/user /sys/fs/cgroup/user/tests; do
            chown "$1:$1" $group $group/cgroup.procs $group/cgroup.threads $group/cgroup.subtree_control
        done
        as="/vm/setpriv --reuid $1 --regid $1 --clear-groups"
    fi
    (
        [ "$1" = 0 ] || echo 0 >/sys/fs/cgroup/user/tests/cgroup.procs
        exec timeout -s KILL "$2" $as "$3" >/vm/out 2>/vm/err </dev/null 3>&-
    )
    status=$?
    cat /vm/out >&3
    tail -n 20 /vm/err | sed 's/^/@stderr /' >&3
    read -r up rest </proc/uptime
    report "@status $status $up"
}

stty raw <&3
report "@kernel $(uname -r)"
while read -r user limit program; do
    run "$user" "$limit" "$program"
done </vm/plan
report "@end"
poweroff -f
