#!/bin/sh
# Runs the examples and looks at what they print; a line for each. Works as root and as an ordinary user.
#
#   examples/check.sh DIRECTORY      where they were built: build/examples
#
# Ends with 1 at the first surprise, and says what was expected and what came. An example is skipped, with the reason,
# only where the machine lacks something that it needs. TMPDIR is a directory to write in; CC a compiler.
set -u
[ $# = 1 ] && [ -x "$1/probe" ] || { echo "usage: $0 DIRECTORY-OF-BUILT-EXAMPLES" >&2; exit 2; }
bin=$(cd "$1" && pwd) || exit 2
work=$(mktemp -d) || exit 2
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
example="" asked=""

# ---- how to look -----------------------------------------------------------------------------------------------

surprise() { # WHAT WAS EXPECTED
    echo "FAILED  $example: $asked"
    echo "expected: $1"
    echo "it printed:"
    sed 's/^/    /' "$work/out" "$work/err" | head -n 60
    exit 1
}

# Both streams are kept apart, and looked at as one: what comes first is not the same every time.
run() { # STATUS ARGUMENT...: runs the example, which has to end with this exit status
    wanted=$1 asked="$example"
    shift
    for argument; do asked="$asked '$argument'"; done
    timeout -k 5 120 "$bin/$example" "$@" </dev/null >"$work/out" 2>"$work/err"
    status=$?
    [ "$status" = "$wanted" ] || surprise "exit status $wanted, not $status"
}

prints() { # REGULAR EXPRESSION...: a line for each of them is there
    for pattern; do
        cat "$work/out" "$work/err" | grep -Eq -e "$pattern" || surprise "a line like: $pattern"
    done
}

does_not_print() { # REGULAR EXPRESSION
    ! cat "$work/out" "$work/err" | grep -Eq -e "$1" || surprise "no line like: $1"
}

ok() { # [WITHOUT WHAT]
    echo "ok      $example${1:+ (without $1)}"
}

skip() { # WHY
    echo "skipped $example: $1"
}

# Namespaces, with a user namespace or without.
isolated() {
    "$bin/probe" | grep -Eq '^  (user namespace|all others without it) +yes'
}

# Of this process, not the runs: whether a memory cgroup can be made in v1 for sure.
has_v1_memory() {
    "$bin/probe" | grep -Eq '^  v1 controllers, groups can be made .*memory'
}

# ---- the examples ----------------------------------------------------------------------------------------------

example=probe
run 0
prints '^librunner [0-9]+\.[0-9]+\.[0-9]+ on Linux [0-9]+\.[0-9]+$' '^namespaces$' '^  user namespace +(yes|no)' \
    '^  seccomp filters +yes' '^watched runs$' '^  CPU quota +(yes|no)'
ok

example=minimal
run 0
prints '^hello$' '^exit code 7$'
ok

example=run
run 1
prints '^time_limit, decided by: CPU time' '^[0-9]+\.[0-9] ms of CPU \((cgroup v[12]|rusage|sampled)\), '
ok

# Only a cgroup tells that a fork was refused.
check_many() {
    run 0 18
    prints '^18 runs, 18 at once, '
    for kind in sleeps:finished computes:finished prints:finished fails:finished spins:time_limit \
        oversleeps:wall_limit hoards:memory_limit floods:output_limit 'forks:(process_limit|finished)'; do
        prints "^${kind%%:*} +${kind#*:} +2$"
    done
    ok
}
example=many
if isolated; then check_many; else skip "no namespaces can be made"; fi

check_interactive() {
    run 0 # its own demonstration knows what to expect
    prints '^good  +player 1 +solved with 9 +exit code 0 ' # it saw the end of the interactor: nobody killed it
    prints '^dies, good +player 1 +hung up +exit code 3 ' '^good, hangs +player 2 +too slow +killed '
    prints '^spins +player 1 +time_limit +time_limit ' '^interactor hangs +interactor +wall_limit '
    run 0 'read -r hint; echo 700; read -r hint; [ "$hint" != guess ]' 'exec cat'
    prints '^yours +player 1 +solved with 1 +exit code ' '^yours +player 2 +lost '
    run 0 'exec cat' 'exit 1'
    prints '^yours +player 1 +wrong: no number ' '^yours +player 2 +hung up +exit code 1 '
    run 2 one two three
    ok
}
example=interactive
if isolated; then check_interactive; else skip "no namespaces can be made"; fi

compile() { # STATUS SOURCE [INPUT]
    printf '%s\n' "$2" >"$work/main.c"
    printf '%s\n' "${3:-}" >"$work/input"
    run "$1" "$work/main.c" "$work/input"
}

check_compile() {
    compile 0 '#include <stdio.h>
        int main(void) { int a, b; return scanf("%d %d", &a, &b) != 2 || printf("%d\n", a + b) < 0; }' '2 3'
    prints '^5$' '^compiler: finished, decided by: exit code 0;' '^program: finished, decided by: exit code 0;'
    [ "$(cat "$work/out")" = 5 ] || surprise "nothing but 5 on stdout"
    compile 1 'int main(void) { return 3; }'
    prints '^program: finished, decided by: exit code 3;'
    compile 1 'int main(void) { for (;;); }'
    prints '^program: time_limit, decided by: CPU time;'
    compile 1 '#include <stdlib.h>
        #include <string.h>
        int main(void) { for (char *p; (p = malloc(1 << 20)); ) memset(p, 1, 1 << 20); return 1; }'
    prints '^program: memory_limit, '
    compile 1 '#include <stdio.h>
        int main(void) { for (;;) putchar(65); }'
    prints '^program: output_limit, '
    compile 0 '#include <stdio.h>
        #include <unistd.h>
        int main(void) { printf("%d\n", fork()); return 0; }'
    prints '^-1$'

    # Sources that are meant for the compiler.
    compile 1 'int main(void) { return }'
    prints '^compile_error$' 'error: '
    for device in zero urandom; do
        compile 1 "#include \"/dev/$device\""
        prints '^compiler: (memory|time)_limit, ' '^compile_error$'
    done
    compile 1 'char huge[1ull << 30] = {1}; int main(void) { return 0; }'
    prints '^compile_error$'
    compile 1 "$(i=0; while [ $((i += 1)) -le 3000 ]; do echo "int x$i = ;"; done)"
    prints '^compile_error$' 'error: '
    [ "$(wc -c <"$work/err")" -lt 20000 ] || surprise "a flood of errors that ends after 16 KiB"
    compile 1 "$(printf '#error a\033[31mb')"
    prints '#error a\?\[31mb'
    echo '#error SECRET' >"$work/secret.h"
    for source in "#include \"$work/secret.h\"" "__asm__(\".incbin \\\"$work/secret.h\\\"\"); int main(void) { return 0; }"
    do
        compile 1 "$source"
        prints '^compile_error$'
        does_not_print '#error SECRET'
    done
    ok
}
example=compile
if ! isolated; then
    skip "no namespaces can be made"
elif ! [ -x /usr/bin/cc ] && ! [ -x /usr/bin/gcc ] && ! [ -x /usr/bin/clang ]; then
    run 77 /dev/null /dev/null
    skip "$(cat "$work/err")"
else
    check_compile
fi

# What no shell can do.
make_helper() {
    cat >"$work/helper.c" <<'END'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void *open_it(void *path)
{
    int fd = open(path, O_RDONLY);
    printf("%s\n", fd >= 0 ? "opened" : strerror(errno));
    fflush(stdout);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    if (argc != 3)
        return 2;
    if (strcmp(argv[1], "thread") == 0 && pthread_create(&thread, NULL, open_it, argv[2]) == 0)
        pthread_join(thread, NULL);
    if (strcmp(argv[1], "untraced") == 0) {
        if (syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0) == 0) {
            open_it(argv[2]);
            _exit(0);
        }
        wait(NULL);
    }
    if (strcmp(argv[1], "hidden") == 0) {
        prctl(PR_SET_DUMPABLE, 0);
        open_it(argv[2]);
    }
    if (strcmp(argv[1], "filter") == 0) {
        int status = (int)syscall(SYS_seccomp, 2, 0, NULL); /* SECCOMP_GET_ACTION_AVAIL */
        printf("%d %s\n", status, strerror(errno));
    }
    if (strcmp(argv[1], "connect") == 0) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9)};
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address);
    }
#ifdef __x86_64__
    if (strcmp(argv[1], "x32") == 0)
        syscall(0x40000000 | SYS_getpid);
    if (strcmp(argv[1], "32-bit") == 0)
        __asm__ volatile("int $0x80" ::"a"(20));
#endif
    return 9;
}
END
    ${CC:-cc} -std=gnu11 -O1 "$work/helper.c" -o "$work/helper" -pthread 2>"$work/err"
}

check_helper() {
    run 9 -d "$work/denied" "$work/helper" thread "$work/denied/file"
    prints '^[0-9]+ clone' '^[0-9]+ made [0-9]+$' '^[0-9]+ openat ".*/denied/file", refused$' '^Operation not permitted$'
    run 9 -d "$work/denied" "$work/helper" untraced "$work/open/file"
    prints '^Function not implemented$' # the filter without a tracer
    run 9 -d "$work/denied" "$work/helper" hidden "$work/denied/file"
    prints '^Operation not permitted$' '^[0-9]+ openat.*, refused$'
    run 9 "$work/helper" filter ''
    prints '^-1 Operation not permitted$'
    run 9 "$work/helper" connect ''
    prints '^[0-9]+ connect 127\.0\.0\.1 port 9$'
    [ "$(uname -m)" = x86_64 ] || return 0
    for entry in x32 32-bit; do
        run 159 "$work/helper" $entry '' # 128 + SIGSYS
        prints '^[0-9]+ signal 31$'
    done
}

is_gone() { # PID: within 5 s; a zombie is gone too
    for turn in 1 2 3 4 5 6 7 8 9 10; do
        grep -q '^State:[[:space:]]*[^ZX]' "/proc/$1/status" 2>/dev/null || return 0
        sleep 0.5
    done
    return 1
}

check_tracer() {
    mkdir "$work/open" "$work/denied"
    echo public >"$work/open/file"
    echo SECRET >"$work/denied/file"
    ln -s denied/file "$work/link"
    run 5 -d "$work/denied" /bin/sh -c "cat '$work/open/file'; exit 5"
    prints '^public$' '^[0-9]+ execve "/bin/sh"$' '^[0-9]+ runs "/' '^[0-9]+ (v?fork|clone3?)$' '^[0-9]+ made [0-9]+$' \
        '^[0-9]+ openat ".*/open/file"$' '^[0-9]+ exit code 0$' '^[0-9]+ exit code 5$'
    for path in "$work/denied/file" "$work/link" "$work/open/../denied/file"; do
        run 1 -d "$work/denied" /bin/cat "$path"
        prints '^[0-9]+ openat ".*", refused$' 'Operation not permitted$'
        does_not_print SECRET
    done
    run 5 -d "$work/denied" /bin/sh -c "cd '$work/denied' && cat file; (cat <file); (echo >new); exit 5"
    prints '^[0-9]+ openat "file", refused$' '^[0-9]+ openat "new", refused$'
    does_not_print SECRET
    [ ! -e "$work/denied/new" ] || surprise "that no new file is made either"
    run 1 /bin/cat /etc/shadow
    prints '^[0-9]+ openat "/etc/shadow", refused$' 'Operation not permitted$'
    run 1 /bin/cat "$(printf 'a\033\nb')"
    prints '^[0-9]+ openat "a\\x1b\\x0ab"$'
    run 0 /bin/sh -c 'sleep 600 >/dev/null 2>&1 & sleep 1; echo "left $!"' # it has to be past its exec by then
    prints '^[0-9]+ execve ".*sleep"$'
    left=$(sed -n 's/^left //p' "$work/out")
    is_gone "${left:-missing}" || surprise "that what is left behind was killed"
    run 137 /bin/sh -c 'kill -KILL $$'
    prints '^[0-9]+ signal 9$'
    run 127 /no/such/program
    if make_helper; then check_helper && ok; else ok "the calls that only C makes: no compiler"; fi
}
example=tracer
kernel=$("$bin/probe" | sed -n '1s/.* on Linux //p')
if [ "${kernel%%.*}" -lt 5 ] || case $kernel in 5.[012]) true ;; *) false ;; esac then
    skip "Linux $kernel: PTRACE_GET_SYSCALL_INFO came with 5.3"
else
    check_tracer
fi

check_held() {
    run 0
    group=$(sed -n 's/^group: \(.*\) (v[12]), limited to 32 MiB$/\1/p' "$work/out")
    prints '^pid [0-9]+ is held$' '^exit code 0$'
    if [ -z "$group" ]; then
        prints '^no group: ' '^67108864$'
        ! has_v1_memory || surprise "a group, since this process may make one in v1"
        ok "a cgroup: $(sed -n 's/^no group: //p' "$work/out")"
        return
    fi
    does_not_print '^67108864$'
    prints '^peak of its memory: 3[0-9]\.[0-9] MiB$' '^killed for lack of memory: [1-9]'
    [ ! -d "$group" ] || surprise "that $group is removed"
    run 0 -m 256
    prints '^67108864$' '^killed for lack of memory: 0$'
    run 0 -m 64 /bin/sh -c '(setsid sleep 600 &); grep held- /proc/self/cgroup; exit 4'
    prints '/held-[0-9]+$' '^exit code 4$' # in the group from the first instruction
    group=$(sed -n 's/^group: \(.*\) (v[12]).*/\1/p' "$work/out")
    [ ! -d "$group" ] || surprise "that $group is removed, whatever the program leaves behind"
    run 1 /no/such/program
    prints '^exec: '
    ok
}
example=held
if isolated; then check_held; else skip "no namespaces can be made"; fi
