/* Attacks on other processes: on the host, the program's own parent, and on a bystander of the same user; by
 * signals, and on their memory, fds and limits. */

#define _GNU_SOURCE
#include "tap.h"

#include "attack.h"
#include "victim.h"

/* ------------------------------------------------------------------ a bystander of the same user */

enum defence { NONE, OTHER_ID, USER, PID, USER_PID, ROOT, DEFENCES };

static const struct {
    const char *name;
    uint64_t flags;
    bool root_only;
} defences[DEFENCES] = {
    [NONE] = {"nothing", 0, false},
    [OTHER_ID] = {"a credential", 0, true},
    [USER] = {"a user namespace", CLONE_NEWUSER, false},
    [PID] = {"a pid namespace", CLONE_NEWPID, true},
    [USER_PID] = {"a user and a pid namespace", CLONE_NEWUSER | CLONE_NEWPID, false},
    [ROOT] = {"a pid namespace and a root", CLONE_NEWPID, false},
};

static bool possible(enum defence defence) {
    bool needs_userns = !is_root() || (defences[defence].flags & CLONE_NEWUSER) != 0;
    return (is_root() || !defences[defence].root_only) && (defence == NONE || !needs_userns || have_userns());
}

static runner_t *defended(enum defence defence) {
    if (defence == ROOT) {
        runner_t *runner = hostile_in_root(CLONE_NEWPID);
        runner_add_proc(runner, "/proc", 0);
        return runner;
    }
    runner_t *runner = hostile();
    runner_set_unshare_flags(runner, defences[defence].flags);
    if (defence == OTHER_ID)
        runner_set_credential(runner, 1000, 1000, NULL, 0);
    return runner;
}

/* What an attack has in its words beside the pid. */
enum words { ITS_PID, A_SIGNAL, ITS_BYTE, ITS_FILE };

static const char *attack_on(const struct victim *victim, const char *name, enum words words) {
    switch (words) {
    case A_SIGNAL: return op("%s %d %d", name, (int)victim->pid, SIGKILL);
    case ITS_BYTE: return op("%s %d %p", name, (int)victim->pid, (void *)victim->byte);
    case ITS_FILE: return op("%s %d %d", name, (int)victim->pid, victim->file);
    default: return op("%s %d", name, (int)victim->pid);
    }
}

/* One attack against what comes of it with each defence. */
struct attempt {
    const char *name;
    enum words words;
    const char *want[DEFENCES];
};

/* Tries it, and looks at the victim: what it says is not enough. */
static void attempt_with(const struct attempt *attempt, enum defence defence) {
    struct victim victim = bystander();
    runner_t *runner = defended(defence);
    const char *attack = attack_on(&victim, attempt->name, attempt->words);
    const char *want = attempt->want[defence];
    if (!(defence == ROOT ? attacks_inside(runner, {attack, want}) : attacks(runner, {attack, want})))
        diag("  that was with %s", defences[defence].name);
    bool got = strcmp(want, "got") == 0;
    if (attempt->words == ITS_BYTE)
        ok_int(*victim.byte != '.', got, "%s with %s: its byte is another", attempt->name, defences[defence].name);
    bool killed = was_killed(&victim);
    ok_int(killed, got && attempt->words == A_SIGNAL, "%s with %s: it is killed", attempt->name,
           defences[defence].name);
    runner_free(runner);
}

static void attempt_all(const struct attempt *attempts, size_t n) {
    for (enum defence defence = NONE; defence < DEFENCES; defence++)
        for (size_t i = 0; possible(defence) && i < n; i++)
            attempt_with(&attempts[i], defence);
}

/* Columns: nothing, a credential, a user namespace, a pid namespace, both, a pid namespace and a root. */
static void signals(void) {
    static const struct attempt attempts[] = {
        {"kill", A_SIGNAL, {"got", "EPERM", "got", "ESRCH", "ESRCH", "ESRCH"}},
        {"pidfd-kill", A_SIGNAL, {"got", "EPERM", "got", "ESRCH", "ESRCH", "ESRCH"}},
        {"proc-kill", A_SIGNAL, {"got", "EPERM", "got", "EINVAL", "EINVAL", "ENOENT"}},
    };
    attempt_all(attempts, COUNT(attempts));
}

static void memories(void) {
    static const struct attempt attempts[] = {
        {"ptrace", ITS_PID, {"got", "EPERM", "EPERM", "ESRCH", "ESRCH", "ESRCH"}},
        {"vm", ITS_BYTE, {"got", "EPERM", "EPERM", "ESRCH", "ESRCH", "ESRCH"}},
        {"mem", ITS_BYTE, {"got", "EACCES", "EACCES", "got", "EACCES", "ENOENT"}},
        {"environ", ITS_PID, {"got", "EACCES", "EACCES", "got", "EACCES", "ENOENT"}},
    };
    attempt_all(attempts, COUNT(attempts));
}

static void files(void) {
    static const struct attempt attempts[] = {
        {"fd-of", ITS_FILE, {"got", "EPERM", "EPERM", "ESRCH", "ESRCH", "ESRCH"}},
        {"proc-fd", ITS_FILE, {"got", "EACCES", "EACCES", "got", "EACCES", "ENOENT"}},
    };
    attempt_all(attempts, COUNT(attempts));
}

static void settings(void) {
    static const struct attempt attempts[] = {
        {"prlimit", ITS_PID, {"got", "EPERM", "got", "ESRCH", "ESRCH", "ESRCH"}},
        {"renice", ITS_PID, {"got", "EPERM", "got", "ESRCH", "ESRCH", "ESRCH"}},
        {"affinity", ITS_PID, {"got", "EPERM", "got", "ESRCH", "ESRCH", "ESRCH"}},
        {"oom", ITS_PID, {"got", "EACCES", "got", "got", "got", "ENOENT"}},
    };
    attempt_all(attempts, COUNT(attempts));
}

/* By an fd of its own it has the kernel send the signal. It is only sent when the pipe is written to, and nobody
 * tells the sender whether it was. */
static void signals_of_fds(void) {
    static const struct {
        enum defence defence;
        const char *says;
        bool kills;
    } rows[] = {{NONE, "got", true}, {OTHER_ID, "got", false}, {PID, "ESRCH", false}, {USER_PID, "ESRCH", false}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (!possible(rows[i].defence))
            continue;
        struct victim victim = bystander();
        runner_t *runner = defended(rows[i].defence);
        attacks(runner, {attack_on(&victim, "sigio", A_SIGNAL), rows[i].says});
        ok_int(was_killed(&victim), rows[i].kills, "with %s: it is killed", defences[rows[i].defence].name);
        runner_free(runner);
    }
}

/* Everybody that it may kill: processes of a user that nobody else is. */
static void everybody(void) {
    const uid_t uid = 1000000 + (uid_t)getpid();
    if (!is_root())
        SKIP("everybody would be more than the test's own: it needs a user of its own");
    for (int defended = 0; defended < 2; defended++) {
        struct victim victim = victim_of(uid);
        runner_t *runner = hostile();
        runner_set_credential(runner, uid, uid, NULL, 0);
        runner_set_unshare_flags(runner, defended ? CLONE_NEWPID : 0);
        attacks(runner, {op("kill-all %d", SIGKILL), defended ? "ESRCH" : "got"});
        ok_int(was_killed(&victim), !defended, "pid namespace %d: the bystander is killed", defended);
        runner_free(runner);
    }
}

/* ------------------------------------------------------------------ the host itself */

/* A host that starts one hostile program, which has its pid, and waits for it: its wait status. The byte is the
 * host's. */
static int host_under(const char *attack, enum defence defence, uint32_t session, volatile char *byte) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0); /* its group is not the test's */
        prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
        struct victim self = {.pid = getpid(), .byte = byte};
        enum words words = strcmp(attack, "mem") == 0 ? ITS_BYTE : A_SIGNAL;
        runner_t *runner = defended(defence);
        runner_set_session(runner, session);
        set_pokes(runner, defence == ROOT ? "/hostile" : hostile_path(),
                  &(struct poke){attack_on(&self, attack, words), NULL}, 1);
        ok(exited(run(runner), 0), "\"%s\" with %s runs", attack, defences[defence].name);
        runner_free(runner);
        _exit(0);
    }
    return child_status(pid);
}

static void host_killed(void) {
    char byte = '.';
    for (enum defence defence = NONE; defence < DEFENCES; defence++) {
        if (!possible(defence))
            continue;
        bool bites = defence == NONE || defence == USER;
        int status = host_under("kill", defence, RUNNER_SESSION_NEW, &byte);
        ok(bites ? killed_by(status, SIGKILL) : exited(status, 0), "with %s: %#x", defences[defence].name, status);
    }
}

static void host_rewritten(void) {
    volatile char *byte = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (enum defence defence = NONE; defence < DEFENCES; defence++) {
        if (!possible(defence))
            continue;
        *byte = '.';
        ok(exited(host_under("mem", defence, RUNNER_SESSION_NEW, byte), 0), "the host lives");
        bool bites = defence == NONE || defence == PID;
        ok_int(*byte != '.', bites, "with %s: its memory is another", defences[defence].name);
    }
    munmap((void *)byte, 4096);
}

/* What a terminal's ^C does to a job: a signal to all of the group. */
static void group_of_host(void) {
    static const struct {
        uint32_t session;
        bool bites;
    } rows[] = {{RUNNER_SESSION_KEEP, true}, {RUNNER_SESSION_GROUP, false}, {RUNNER_SESSION_NEW, false}};
    char byte = '.';
    for (size_t i = 0; i < COUNT(rows); i++) {
        int status = host_under("kill-group", NONE, rows[i].session, &byte);
        bool good = rows[i].bites ? killed_by(status, SIGUSR1) : exited(status, 0);
        ok(good, "session %u: %#x", rows[i].session, status);
    }
}

/* While a start with a credential is held, it has the host's memory and the new user's id. The defence is that this
 * memory is not dumpable; the control takes that back. */
static void through_held_checks(void) {
    volatile char *byte = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    runner_t *started = hostile(), *attacker = hostile();
    runner_held_t *held = NULL;
    *byte = '.';
    runner_set_credential(started, 1000, 1000, NULL, 0);
    runner_set_credential(attacker, 1000, 1000, NULL, 0);
    ok_int(runner_start_held(started, &held, &last_error), 0, "a held start");
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    const char *attack = op("mem %d %p", (int)runner_held_pid(held), (void *)byte);
    attacks(attacker, {attack, "EACCES"});
    ok_int(*byte, '.', "the host's byte");
    prctl(PR_SET_DUMPABLE, 1);
    pid_t pid = fork();
    if (pid == 0) {
        if (setgroups(0, NULL) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
            _exit(1);
        dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 1);
        execl(hostile_path(), "hostile", attack, (char *)NULL);
        _exit(1);
    }
    ok(exited(child_status(pid), 0), "the same attacker, whose start by the library would protect the memory");
    ok_int(*byte, 'm', "control: where the memory is dumpable it is the host's that is written to");
    runner_held_abort(held);
    runner_free(started);
    runner_free(attacker);
}

static void through_held(void) {
    if (!is_root())
        SKIP("an ordinary user has no other id to give");
    in_child(through_held_checks);
}

static const struct test tests[] = {
    {"signals to a bystander of the same user: not by default; with a credential or a pid namespace", signals},
    {"signals by F_SETOWN: not by default; with a credential or a pid namespace", signals_of_fds},
    {"signals to everybody: not by default; with a pid namespace", everybody},
    {"memory of a bystander of the same user: not by default; with a credential, a user namespace, or a pid "
     "namespace and a root", memories},
    {"fds of a bystander of the same user: not by default; with what protects its memory", files},
    {"limits of a bystander of the same user: not by default; with a credential, or a pid namespace and a root",
     settings},
    {"signals to the host: not by default; with a credential or a pid namespace", host_killed},
    {"signals to the host's process group: by default", group_of_host},
    {"the host's memory: not by default; with a credential, a user namespace, or a pid namespace and a root",
     host_rewritten},
    {"the host's memory before the exec of a start with a credential: by default", through_held},
};

int main(int argc, char **argv) {
    return root_main(argc, argv, tests, COUNT(tests));
}
