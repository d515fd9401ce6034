#!/bin/sh
# The example judges a program for each verdict: grade.sh GRADE
set -u
grade=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work" # nobody, as whom the program runs, has to get there
cd "$work" || exit 2
export TMPDIR="$work"
echo "1 2" >input
echo 3 >expected
uid=$(id -u)
[ "$uid" != 0 ] || uid=65534
failed=0

judged() { # EXIT-STATUS PATTERN SCRIPT
    printf '#!/bin/sh\nPATH=/bin:/usr/bin\n%s\n' "$3" >program
    chmod 755 program
    timeout 60 "$grade" program input expected >out 2>&1
    status=$?
    if [ $status != "$1" ] || ! grep -qx "$2; [0-9]*\.[0-9] ms CPU, [0-9]*\.[0-9] MiB" out; then
        echo "    not ok: $3: exit status $status, $(cat out), instead of $1, $2"
        failed=1
    fi
}

judged 0 accepted 'read a b; echo $((a + b)); echo'
judged 0 accepted 'printf 3'
judged 1 wrong_answer 'echo 4'
judged 1 wrong_answer 'echo " 3"'
judged 1 'finished by exit code' 'echo 3; exit 1'
judged 1 'time_limit by CPU time' 'while :; do :; done'
judged 1 'wall_limit by wall timer' 'sleep 100'
judged 1 'memory_limit by \(OOM killer\|memory figure\)' 'exec tail /dev/zero'
judged 1 'output_limit by capture' 'exec yes'
judged 0 accepted '[ $(id -u) = 65534 ] && grep -q "^ *65534 *'$uid' *1$" /proc/self/uid_map && echo 3'
judged 0 accepted '[ $(id -G) = 65534 ] || [ '$uid' != 65534 ] && echo 3'
judged 0 accepted '[ $(grep -c : /proc/net/dev) = 1 ] && echo 3'
judged 0 accepted 'grep -q "CapEff:.*0000000000000000" /proc/self/status && echo 3'
judged 0 accepted 'grep -q "NoNewPrivs:.*1" /proc/self/status && echo 3'
judged 0 accepted '[ ! -e /etc/passwd ] && [ ! -e /root ] && echo x >/tmp/x && echo 3'
judged 0 accepted 'echo 3; touch /x /bin/x /program 2>/dev/null || exit 0'
[ "$(ls)" = "$(printf 'expected\ninput\nout\nprogram\n')" ] || { echo "    not ok: it leaves $(ls)"; failed=1; }

for arguments in "none input expected" "program none expected" "program input none"; do
    # shellcheck disable=SC2086 # words are meant
    if "$grade" $arguments >out 2>&1 || ! grep -q "^grade: .*none.*: No such file or directory" out; then
        echo "    not ok: $arguments: $(cat out)"
        failed=1
    fi
done
[ $failed != 0 ] || echo "    ok as user $(id -u)"
exit $failed
